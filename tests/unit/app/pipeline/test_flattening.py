"""Flattening makes bent codes readable, round by round."""

import cv2
import numpy as np
import pytest

from app.pipeline.crops.rectifying import rectify
from app.pipeline.crops.redrawing import module_means
from app.pipeline.engines.zxing import ZXing
from app.pipeline.flattening import _ALIGNMENT_ROUNDS, _STEPS, flatten
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import LogOdds
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import register
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from tests.support.fakes import FakeReader
from training.data.corpus import corpus
from training.data.symbols import EncodedSymbol

PIXELS = 6
INNER = slice(QUIET_ZONE, -QUIET_ZONE)


def symbol_of(level: str) -> EncodedSymbol:
    return next(symbol for symbol in corpus("short") if symbol.version == 4 and symbol.level == level)


def bent(picture: GreyImage, amplitude: float) -> GreyImage:
    """The picture, bent along one axis by up to ``amplitude`` pixels."""
    side = picture.shape[0]
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    bow = amplitude * np.sin(np.pi * x / side)
    return np.asarray(cv2.remap(picture, x, y - bow, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def local_reading(crop: GreyImage, version: int) -> LogOdds:
    """The mean of each module against that of its neighbourhood."""
    means = module_means(crop, version)
    return np.asarray((cv2.blur(means, (9, 9)) - means)[INNER, INNER] / 8, dtype=np.float32)


def bent_region(symbol: EncodedSymbol, *, inverted: bool) -> tuple[GreyImage, Region]:
    """An out-of-focus photograph of the symbol, bent by one and a half modules, and its region."""
    sharp = bent(render(symbol.modules, pixels=PIXELS), 1.5 * PIXELS)
    picture = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2.0), np.uint8)
    picture = ~picture if inverted else picture
    modules = dimension(symbol.version)
    low, high = QUIET_ZONE * PIXELS, (QUIET_ZONE + modules) * PIXELS
    registration = register(picture, [[low, low], [high, low], [high, high], [low, high]], modules)[0]
    crop = rectify(picture, registration.corners, modules)
    return picture, Region(registration=registration, crop=~crop if inverted else crop)


@pytest.mark.parametrize("inverted", [False, True])
def test_bent_code_reads_only_after_flattening(inverted: bool) -> None:
    symbol = symbol_of("h")
    picture, region = bent_region(symbol, inverted=inverted)
    assert region.registration.inverted is inverted
    reader = FakeReader(local_reading)
    first = reader.read([region.crop], symbol.version)[0]

    def wrong(log_odds: LogOdds) -> float:
        return float(((log_odds > 0) != symbol.modules).mean())

    assert region.read(region.crop, (ZXing(),), restored=False) == []
    assert region.read_modules(region.crop, first, (ZXing(),)) == []
    rounds = list(flatten(picture, region.registration, region.crop, first, reader))
    reads = [region.read_modules(crop, log_odds, (ZXing(),)) for crop, log_odds in rounds]
    assert wrong(first) > 0.1
    assert wrong(rounds[-1][1]) < 0.02
    (read,) = reads[-1]
    assert read.payload == symbol.payload
    assert read.corners == region.corners


def test_rounds_are_lazy() -> None:
    symbol = symbol_of("h")
    picture, region = bent_region(symbol, inverted=False)
    reader = FakeReader(local_reading)
    rounds = flatten(picture, region.registration, region.crop, local_reading(region.crop, symbol.version), reader)
    for asked in (1, 2):
        crop, log_odds = next(rounds)
        assert crop.shape == region.crop.shape
        assert np.array_equal(log_odds, local_reading(crop, symbol.version))
        assert reader.calls == [(symbol.version, region.crop.shape)] * asked


@pytest.mark.parametrize(
    ("gains", "rounds"),
    [
        ((0,) * len(_STEPS), 2),
        ((1, 0, 0, *(1,) * len(_STEPS)), 3),
        ((0, 1) * len(_STEPS), len(_STEPS)),
        ((1,) * len(_STEPS), len(_STEPS)),
    ],
)
def test_flattening_stops_when_confidence_no_longer_grows(gains: tuple[int, ...], rounds: int) -> None:
    symbol = symbol_of("h")
    picture, region = bent_region(symbol, inverted=False)
    first = local_reading(region.crop, symbol.version)
    left = iter((*[0] * _ALIGNMENT_ROUNDS, *np.cumsum(gains)))
    reader = FakeReader(lambda crop, version: first * np.float32(1 + 0.2 * next(left)))
    assert len(list(flatten(picture, region.registration, region.crop, first, reader))) == _ALIGNMENT_ROUNDS + rounds
