"""Halftones: the crop shows the middles of modules, ordinary codes give none, and photographs are read."""

import numpy as np
import pytest

from app.pipeline.crops.halftones import middles_of_modules
from app.pipeline.ladder import Ladder
from app.pipeline.qrcode.patterns import QUIET_ZONE, render
from app.pipeline.quad import Quad, square
from app.pipeline.results import Effort
from tests.support.bench import shipped_tools
from training.data.styles import draw_halftone
from training.data.symbols import random_symbol
from training.measure.many.sets import pictures

VERSION, PIXELS = 3, 9


def halftone(seed: int) -> tuple[np.ndarray, np.ndarray, Quad]:
    """A symbol (M, M), its halftone on white, upright, and its corners there."""
    rng = np.random.default_rng(seed)
    modules = random_symbol(rng, VERSION)
    drawn = np.pad(draw_halftone(rng, modules, PIXELS), QUIET_ZONE * PIXELS, constant_values=1)
    corners = Quad.of(square(PIXELS * modules.shape[0]) + QUIET_ZONE * PIXELS)
    return modules, np.rint(20 + 200 * drawn).astype(np.uint8), corners


def dark(crop: np.ndarray) -> np.ndarray:
    """The modules of a canonical crop, its quiet zone left out, by the pixels in their middles."""
    inner = slice(QUIET_ZONE, -QUIET_ZONE)
    return (crop[2::4, 2::4] < 128)[inner, inner]


@pytest.mark.parametrize("inverted", [False, True])
def test_the_crop_shows_what_the_middles_tell(inverted: bool) -> None:
    for seed in range(6):
        modules, picture, corners = halftone(seed)
        crop = middles_of_modules(255 - picture if inverted else picture, corners, VERSION, inverted=inverted)
        assert crop is not None
        assert crop.shape == (4 * (modules.shape[0] + 2 * QUIET_ZONE),) * 2
        assert np.mean(dark(crop) != modules) < 0.02  # one tone all around a middle cell leaves it in doubt


def test_an_ordinary_code_is_none() -> None:
    """In a sharp ordinary code hardly anything varies within modules."""
    modules, _, corners = halftone(1)
    plain = render(modules, pixels=PIXELS)
    assert middles_of_modules(plain, corners, VERSION, inverted=False) is None


def test_a_picture_without_contrast_is_none() -> None:
    _, picture, corners = halftone(1)
    assert middles_of_modules(np.full_like(picture, 128), corners, VERSION, inverted=False) is None


def test_photographed_halftones_are_read() -> None:
    ladder = Ladder(tools=shipped_tools(), max_codes=4)
    photographs = [one for one in pictures("halftone", count=16) if "photograph" in one.codes[0].traits]
    read = []
    for one in photographs:
        codes = ladder.run(one.image, effort=Effort.BALANCED).codes
        assert {found.symbol.payload for found in codes} <= {one.codes[0].symbol.payload}
        read += [found.rung for found in codes]
    assert read.count("halftone") >= len(photographs) // 2
