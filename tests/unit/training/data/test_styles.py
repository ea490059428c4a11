"""Styled symbols still show their modules, and differ from plain ones."""

import numpy as np
import pytest

from app.pipeline.qrcode.patterns import function_patterns
from training.data.styles import (
    STYLE_ODDS,
    STYLES,
    draw_picture,
    draw_rounded,
    draw_separate_dots,
    draw_styled,
    restyle_finders,
)
from training.data.symbols import draw_symbol, finders_of, random_symbol

PIXELS = 6


def centres(drawn: np.ndarray, pixels: int = PIXELS) -> np.ndarray:
    """Mean of the middle third of each module, (M, M)."""
    size = drawn.shape[0] // pixels
    third = pixels // 3
    return drawn.reshape(size, pixels, size, pixels)[:, third:-third, :, third:-third].mean(axis=(1, 3))


@pytest.mark.parametrize("name", STYLES)
def test_the_middle_of_a_module_tells_it(name: str) -> None:
    wrong = []
    for seed in range(8):
        modules = random_symbol(np.random.default_rng(seed), 2)
        drawn = STYLES[name](np.random.default_rng(seed), modules, PIXELS)
        assert drawn.shape == (25 * PIXELS,) * 2
        assert drawn.dtype == np.float32
        assert -1e-5 <= drawn.min() < drawn.max() <= 1 + 1e-5
        dark, light = centres(drawn)[modules], centres(drawn)[~modules]
        assert dark.mean() < light.mean() - 0.15
        local = centres(drawn) < (dark.mean() + light.mean()) / 2
        wrong.append(np.mean(local != modules))
        assert not np.array_equal(drawn, draw_symbol(modules, pixels=PIXELS))
    assert np.median(wrong) < 0.2


def test_dots_are_apart() -> None:
    modules = np.ones((9, 9), np.bool_)
    for seed in range(6):
        drawn = draw_separate_dots(np.random.default_rng(seed), np.pad(modules, 8), 8)
        inside = drawn[64:-64, 64:-64]
        assert inside.mean() > 0.2
        assert inside.min() < 0.3


def test_round_modules_flow_together() -> None:
    modules = np.zeros((21, 21), np.bool_)
    modules[10, 4:17] = True
    drawn = draw_rounded(np.random.default_rng(3), modules, PIXELS)
    line = drawn[10 * PIXELS + 2 : 11 * PIXELS - 2, 6 * PIXELS : 15 * PIXELS]
    assert line.max() < 0.3
    assert drawn[10 * PIXELS, 4 * PIXELS] > drawn[10 * PIXELS + 3, 4 * PIXELS + 3]


def test_finder_patterns_are_where_the_standard_has_them() -> None:
    modules = random_symbol(np.random.default_rng(0), 3)
    inside = finders_of(modules)
    assert inside.sum() == 3 * 49
    assert function_patterns(3).known[inside].all()


def test_restyled_finder_patterns_are_still_rings() -> None:
    modules = random_symbol(np.random.default_rng(0), 2)
    for seed in range(10):
        plain = draw_symbol(modules, pixels=PIXELS)
        drawn = restyle_finders(np.random.default_rng(seed), plain, PIXELS)
        for corner in (np.s_[:42, :42], np.s_[:42, -42:], np.s_[-42:, :42]):
            finder = drawn[corner]
            assert finder[21, 21] < 0.1  # the middle
            assert finder[21, 9] > 0.9  # the gap
            assert finder[21, 2] < 0.6  # the ring
        elsewhere = np.kron(~finders_of(modules), np.ones((PIXELS, PIXELS))) > 0
        assert np.array_equal(drawn[elsewhere], plain[elsewhere])


def test_all_styles_are_drawn() -> None:
    assert len(STYLE_ODDS) == len(STYLES)
    assert sum(STYLE_ODDS) == pytest.approx(1)
    modules = random_symbol(np.random.default_rng(1), 1)
    drawn = [draw_styled(np.random.default_rng(seed), modules) for seed in range(6)]
    assert all(not np.array_equal(one, other) for i, one in enumerate(drawn) for other in drawn[:i])


def test_pictures_are_smooth_and_fill_the_range() -> None:
    picture = draw_picture(np.random.default_rng(2), 96)
    assert picture.shape == (96, 96)
    assert 0 <= picture.min() < 0.3
    assert 0.7 < picture.max() <= 1
    assert np.abs(np.diff(picture, axis=0)).mean() < 0.05
