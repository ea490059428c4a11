"""Reads a code module by module: canonical crop and supposed version -> log-odds that each module is dark."""

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.models.contract import Card
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.imaging import GreyImage, normalise
from app.pipeline.inference.runners import Runner
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, function_patterns


@cache
def planes(version: int) -> NDArray[np.float32]:
    """What the standard says of each module of a canonical crop, (4, M, M), quiet zone included.

    1 where it is known (function patterns, quiet zone), its value there (1 dark, -1 light, 0 unknown), and its place
    along x and y from -1 to 1.
    """
    patterns = function_patterns(version)
    known = np.pad(patterns.known, QUIET_ZONE, constant_values=True)
    dark = np.pad(patterns.dark, QUIET_ZONE)
    value = np.where(known, np.where(dark, 1, -1), 0)
    along = np.linspace(-1, 1, dimension(version) + 2 * QUIET_ZONE)
    y, x = np.meshgrid(along, along, indexing="ij")
    stacked = np.stack([known, value, x, y]).astype(np.float32)
    stacked.setflags(write=False)
    return stacked


class ModuleReader(Protocol):
    """Reads canonical crops of one version, each (S, S) uint8, dark on light."""

    def read(self, crops: Sequence[GreyImage], version: int) -> list[LogOdds]: ...


class NetworkModuleReader:
    """A module reader that is a network."""

    def __init__(self, card: Card, runner: Runner) -> None:
        self.card = card
        self.runner = runner

    def read(self, crops: Sequence[GreyImage], version: int) -> list[LogOdds]:
        """Log-odds of the symbol's own modules, one array a crop; known modules are as the network sees them."""
        pictures = np.stack([normalise(crop) for crop in crops])[:, None]
        told = np.repeat(planes(version)[None], len(crops), axis=0)
        log_odds = self.runner(pictures, told)[:, 0]
        inner = slice(QUIET_ZONE, -QUIET_ZONE)
        return [np.ascontiguousarray(one[inner, inner]) for one in log_odds]

    def warm_up(self) -> None:
        """Runs one inference, so that no request pays for lazy initialisation. Raises ValueError where the network's
        output does not have its promised shape."""
        side = PIXELS_PER_MODULE * (dimension(1) + 2 * QUIET_ZONE)
        shape = self.read([np.zeros((side, side), dtype=np.uint8)], 1)[0].shape
        if shape != (promised := (dimension(1),) * 2):
            raise ValueError(f"its output shows {shape} modules of version 1, not {promised}")
