"""Realigning corrects a registration that blur displaced, from the modules that were read."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.crops.blur import REACH, SAMPLES, Comparison
from app.pipeline.crops.realigning import realign
from app.pipeline.crops.rectifying import rectify
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from training.data import degrade
from training.data.corpus import corpus
from training.data.symbols import EncodedSymbol

PIXELS = 8


def symbol_of(version: int) -> EncodedSymbol:
    return next(symbol for symbol in corpus("short") if symbol.version == version)


def photograph(symbol: EncodedSymbol, kernel: NDArray[np.float32] | None) -> tuple[GreyImage, NDArray[np.float64]]:
    """A picture of the symbol under a point spread function, and its corners."""
    sharp = render(symbol.modules, pixels=PIXELS).astype(np.float32) / np.float32(255)
    blurred = sharp if kernel is None else degrade.convolve(sharp, kernel)
    low, high = QUIET_ZONE * PIXELS, (QUIET_ZONE + dimension(symbol.version)) * PIXELS
    corners = np.array([[low, low], [high, low], [high, high], [low, high]], dtype=np.float64)
    return np.rint(255 * blurred).astype(np.uint8), corners


def motion(modules: float) -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    return degrade.motion_kernel(rng, length=modules * PIXELS, angle=0.5, exponent=0.4)


ASTRAY = np.array([[0.8, 0.3], [-0.5, 0.2], [-0.3, -0.6], [0.6, -0.2]])
"""Modules that corners are off by."""


def doubtful(symbol: EncodedSymbol, *, wrong: float) -> NDArray[np.float32]:
    """Probabilities of the modules; the share ``wrong`` of them is wrong."""
    turned = np.random.default_rng(4).random(symbol.modules.shape) < wrong
    return np.where(symbol.modules ^ turned, 0.9, 0.1).astype(np.float32)


@pytest.mark.parametrize("version", [1, 3, 7])
@pytest.mark.parametrize(
    "kernel", [None, degrade.disc_kernel(radius=0.9 * PIXELS), motion(4)], ids=["sharp", "defocus", "motion"]
)
def test_displaced_corners_are_corrected(version: int, kernel: NDArray[np.float32] | None) -> None:
    """Even with one module in twelve wrong."""
    symbol = symbol_of(version)
    picture, truth = photograph(symbol, kernel)
    corners = truth + ASTRAY * PIXELS
    for _ in range(2):
        crop = rectify(picture, corners, dimension(version))
        moved = realign(corners, crop, doubtful(symbol, wrong=1 / 12), version)
        assert moved is not None
        corners = moved
    assert np.abs(corners - truth).max() < 0.35 * PIXELS


def test_corners_at_the_longest_halt_of_a_motion_move_to_its_middle() -> None:
    """A motion that begins slowly is darkest at its beginning, and that is where registration puts the symbol."""
    symbol = symbol_of(2)
    kernel = motion(5)
    picture, truth = photograph(symbol, kernel)
    row, column = np.unravel_index(int(kernel.argmax()), kernel.shape)
    halt = np.array([column, row], dtype=np.float64) - (kernel.shape[0] - 1) / 2
    assert np.hypot(*halt) > 0.7 * PIXELS
    crop = rectify(picture, truth + halt, dimension(2))
    moved = realign(truth + halt, crop, doubtful(symbol, wrong=0.0), 2)
    assert moved is not None
    assert np.abs(moved - truth).mean() < 0.2 * PIXELS


def test_a_flat_crop_moves_nothing() -> None:
    symbol = symbol_of(1)
    side = 4 * (dimension(1) + 2 * QUIET_ZONE)
    _, corners = photograph(symbol, None)
    assert realign(corners, np.full((side, side), 128, np.uint8), doubtful(symbol, wrong=0), 1) is None


def test_the_kernel_is_that_of_the_picture() -> None:
    """A motion to the right by two modules: equal weights along four samples of a row, nothing elsewhere."""
    symbol = symbol_of(3)
    path = np.zeros((1, 2 * PIXELS + 1), dtype=np.float32)
    path[0, :] = 1 / path.size
    picture, truth = photograph(symbol, path)
    dark = symbol.modules.astype(np.float32)
    comparison = Comparison.of(rectify(picture, truth, dimension(3)), dark, 3)
    inner = range(QUIET_ZONE * SAMPLES, comparison.seen.shape[0] - QUIET_ZONE * SAMPLES)
    rows, columns = (part.ravel() for part in np.meshgrid(inner, inner, indexing="ij"))
    kernel = comparison.kernel((rows, columns))
    weights = kernel / kernel[kernel > 0].sum()  # what is even has no part in the comparison, so the sum is near zero
    assert weights[REACH, REACH - SAMPLES : REACH + SAMPLES + 1].sum() > 0.8
    assert np.abs(np.delete(weights, REACH, axis=0)).max() < 0.06
    assert comparison.agreement(kernel, (rows, columns)) > 0.97
