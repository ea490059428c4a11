"""Readings of one code in several frames, as noisy as a test wants them."""

import numpy as np

from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.fusing import FrameReading
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import render
from app.pipeline.reading import Reading
from tests.support.codes import Modules, encode, square_at

FULL = encode("https://example.org/fused/9021", version=2, error="l")
PLACES = [square_at(60.0 + 5 * frame, 50.0, 125.0) for frame in range(8)]


def evidence(modules: Modules, clarity: float, *, seed: int) -> LogOdds:
    """Log-odds of ``modules`` seen with normal noise, ``clarity`` times weaker than the difference from mid-grey.

    Of those at 0.7 a quarter are wrong, at 1 a sixth, at 2 one in 44.
    """
    noise = np.random.default_rng(seed).normal(size=modules.shape)
    return (2 * clarity * (clarity * np.where(modules, 1, -1) + noise)).astype(np.float32)


def frame_reading(
    frame: int, log_odds: LogOdds, *, modules: Modules = FULL, agreement: float = 0.9, version: int = 2
) -> FrameReading:
    """A reading with these log-odds whose crop shows ``modules``."""
    registration = Registration(PLACES[frame], version, agreement, inverted=False)
    region = Region(registration, render(modules, pixels=PIXELS_PER_MODULE))
    return FrameReading(frame, Reading(region, region.crop, log_odds))
