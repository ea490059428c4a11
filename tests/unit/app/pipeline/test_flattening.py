"""Flattening finds the bend of a crop and makes bent codes readable."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, rectify
from app.pipeline.crops.redrawing import module_means
from app.pipeline.engines.zxing import ZXing
from app.pipeline.flattening import _ALIGNMENT_ROUNDS, _bend, flatten
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import LogOdds
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import register
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from tests.support.fakes import FakeReader
from training.data.symbols import EncodedSymbol, corpus

PIXELS = 6
INNER = slice(QUIET_ZONE, -QUIET_ZONE)


def symbol_of(level: str) -> EncodedSymbol:
    return next(symbol for symbol in corpus("short") if symbol.version == 4 and symbol.level == level)


def bent(picture: GreyImage, amplitude: float) -> tuple[GreyImage, NDArray[np.float32]]:
    """The picture, bent along one axis by up to ``amplitude`` pixels, and the displacement that straightens it."""
    side = picture.shape[0]
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    bow = amplitude * np.sin(np.pi * x / side)
    crop = cv2.remap(picture, x, y - bow, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8), np.stack([np.zeros_like(bow), bow], axis=-1)


def local_reading(crop: GreyImage, version: int) -> LogOdds:
    """The mean of each module against that of its neighbourhood."""
    means = module_means(crop, version)
    return np.asarray((cv2.blur(means, (9, 9)) - means)[INNER, INNER] / 8, dtype=np.float32)


@pytest.mark.parametrize("amplitude", [-2.0, 1.0, 2.0])
def test_bend_is_found(amplitude: float) -> None:
    symbol = symbol_of("m")
    crop, truth = bent(render(symbol.modules, pixels=PIXELS_PER_MODULE), amplitude)
    crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), 1.0), np.uint8)
    found = _bend(crop, symbol.modules.astype(np.float32), symbol.version, 2)
    margin = QUIET_ZONE * PIXELS_PER_MODULE
    inner = np.s_[margin:-margin, margin:-margin]
    error = np.abs(found - truth)[inner].mean()
    assert error < 0.35 * abs(amplitude)
    assert found.shape == truth.shape


def test_a_flat_code_stays_flat() -> None:
    symbol = symbol_of("m")
    crop = cv2.GaussianBlur(render(symbol.modules, pixels=PIXELS_PER_MODULE), (0, 0), 1.0)
    found = _bend(np.asarray(crop, np.uint8), symbol.modules.astype(np.float32), symbol.version, 4)
    margin = QUIET_ZONE * PIXELS_PER_MODULE
    assert np.abs(found[margin:-margin, margin:-margin]).max() < 0.25


def bent_region(symbol: EncodedSymbol, *, inverted: bool) -> tuple[GreyImage, Region]:
    """An out-of-focus photograph of the symbol, bent by one and a half modules, and its region."""
    sharp, _ = bent(render(symbol.modules, pixels=PIXELS), 1.5 * PIXELS)
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
    ("gains", "rounds"), [((0, 0, 0, 0, 0, 0), 2), ((1, 0, 0, 1, 1, 1), 3), ((0, 1, 0, 1, 0, 1), 6), ((1,) * 6, 6)]
)
def test_flattening_stops_when_confidence_no_longer_grows(gains: tuple[int, ...], rounds: int) -> None:
    symbol = symbol_of("h")
    picture, region = bent_region(symbol, inverted=False)
    first = local_reading(region.crop, symbol.version)
    left = iter((*[0] * _ALIGNMENT_ROUNDS, *np.cumsum(gains)))
    reader = FakeReader(lambda crop, version: first * np.float32(1 + 0.2 * next(left)))
    assert len(list(flatten(picture, region.registration, region.crop, first, reader))) == _ALIGNMENT_ROUNDS + rounds
