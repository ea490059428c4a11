"""Lookalikes are what they are called, and photographs of them stay in range."""

import numpy as np
import pytest

from app.pipeline.engines.zxing import ZXing
from training.data.degrade import to_uint8
from training.data.lookalikes import (
    LOOKALIKES,
    draw_checkerboard,
    draw_finder_wallpaper,
    draw_halftone,
    draw_text,
    lookalike,
)


@pytest.mark.parametrize("kind", LOOKALIKES)
def test_photographs_stay_in_range(kind: str) -> None:
    image = lookalike(np.random.default_rng(1), kind)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert image.max() <= 1
    assert image.std() > 0.02


def test_text_fills_an_a4_page_at_150_dpi() -> None:
    page = draw_text(np.random.default_rng(0))
    assert page.shape == (1754, 1240)
    thirds = [part.mean() for part in np.array_split(page, 3)]
    assert 0.4 < min(thirds) < max(thirds) < 0.99


def test_a_checkerboard_alternates() -> None:
    board = draw_checkerboard(np.random.default_rng(0))
    assert set(np.unique(board)) == {0, 1}
    assert abs(board.mean() - 0.5) < 0.05
    edges = np.flatnonzero(np.diff(board[0]))
    assert np.diff(edges).min() + 1 >= 3
    assert np.ptp(np.diff(edges)) <= 1


def test_a_halftone_keeps_light_and_dark_places() -> None:
    print_out = draw_halftone(np.random.default_rng(0))
    blocks = print_out.reshape(6, 120, 8, 120).mean(axis=(1, 3))
    assert blocks.max() - blocks.min() > 0.4
    assert ((print_out < 0.05) | (print_out > 0.95)).mean() > 0.6


@pytest.mark.parametrize("seed", range(3))
def test_wallpaper_shows_finder_patterns_but_no_code(seed: int) -> None:
    paper = draw_finder_wallpaper(np.random.default_rng(seed))
    seen = False
    for row in paper[:300]:
        runs = np.diff(np.flatnonzero(np.diff(row)))
        seen |= any(
            np.array_equal(runs[at : at + 5], runs[at] * np.array([1, 1, 3, 1, 1])) for at in range(len(runs) - 4)
        )
    assert seen
    assert not ZXing().read(to_uint8(paper))
