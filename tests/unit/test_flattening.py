"""Flattening finds the bend of a bent crop, and makes a bent code readable with the shipped light network."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.models import checkpoint
from app.pipeline.flattening import _bend, flatten
from app.pipeline.imaging import GreyImage
from app.pipeline.reading import ZXing
from app.pipeline.rectifying import PIXELS_PER_MODULE, rectify
from app.pipeline.regions import Region
from app.pipeline.registering import register
from app.pipeline.restoring import TorchRestorer
from app.pipeline.symbology import QUIET_ZONE, dimension, render
from training.symbols import corpus

LENET = Path(__file__).resolve().parents[2] / "weights" / "lenet.safetensors"


def bent(picture: GreyImage, amplitude: float) -> tuple[GreyImage, NDArray[np.float32]]:
    """The picture bowed along one axis by up to ``amplitude`` pixels, and the displacement that undoes it."""
    side = picture.shape[0]
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    bow = amplitude * np.sin(np.pi * x / side)
    crop = cv2.remap(picture, x, y - bow, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8), np.stack([np.zeros_like(bow), bow], axis=-1)


@pytest.mark.parametrize("amplitude", [-2.0, 1.0, 2.0])
def test_bend_is_found(amplitude: float) -> None:
    symbol = next(s for s in corpus("short") if s.version == 4)
    clean = render(symbol.modules, pixels=PIXELS_PER_MODULE)
    crop, truth = bent(clean, amplitude)
    crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), 1.0), np.uint8)
    found = _bend(crop, clean, symbol.version, 2)
    margin = QUIET_ZONE * PIXELS_PER_MODULE
    inner = np.s_[margin:-margin, margin:-margin]
    error = np.abs(found - truth)[inner].mean()
    assert error < 0.35 * abs(amplitude)
    assert found.shape == truth.shape


@pytest.mark.parametrize("inverted", [False, True])
def test_bent_code_reads_only_after_flattening(inverted: bool) -> None:
    symbol = next(s for s in corpus("short") if s.version == 4 and s.level == "h")
    pixels = 6
    sharp, _ = bent(render(symbol.modules, pixels=pixels), 1.5 * pixels)
    picture = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 3.5), np.uint8)
    picture = ~picture if inverted else picture
    modules = dimension(symbol.version)
    low, high = QUIET_ZONE * pixels, (QUIET_ZONE + modules) * pixels
    registration = register(picture, [[low, low], [high, low], [high, high], [low, high]], modules)[0]
    assert registration.inverted is inverted
    crop = rectify(picture, registration.corners, modules)
    region = Region(registration=registration, crop=~crop if inverted else crop)
    lenet = TorchRestorer(checkpoint.load(LENET))

    assert region.read(region.crop, (ZXing(),), restored=False) == []
    assert region.read(lenet.restore([region.crop])[0], (ZXing(),), restored=True) == []
    reads = [region.read(restored, (ZXing(),), restored=True) for restored in flatten(picture, registration, lenet)]
    assert [found[0].payload for found in reads if found][-1:] == [symbol.payload]
