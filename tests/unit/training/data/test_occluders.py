"""Occluders hide about as much as they are told to, where the symbol is, and nothing elsewhere."""

import numpy as np
import pytest

from training.data.occluders import OCCLUDER_ODDS, OCCLUDERS, Ground, occlude

SIDE, LOW = 174, 24
GROUND = Ground(SIDE, LOW, SIDE - LOW, 6.0, 0.1, 0.9)
INNER = np.s_[LOW:-LOW, LOW:-LOW]
SIZED = ("logo", "sticker", "hole", "tear", "dirt")
"""Those that keep to the share that they are given."""


def covers(name: str, share: float, count: int = 30) -> list[np.ndarray]:
    return [OCCLUDERS[name](np.random.default_rng(seed), GROUND, share)[1] for seed in range(count)]


@pytest.mark.parametrize("name", OCCLUDERS)
def test_paint_and_cover_are_pictures(name: str) -> None:
    for seed in range(12):
        paint, cover = OCCLUDERS[name](np.random.default_rng(seed), GROUND, 0.2)
        assert paint.shape == cover.shape == (SIDE, SIDE)
        assert paint.dtype == cover.dtype == np.float32
        assert 0 <= cover.min() <= cover.max() < 1 + 1e-6
        assert -0.5 < paint.min() <= paint.max() < 1.6


@pytest.mark.parametrize("name", SIZED)
def test_a_larger_share_hides_more(name: str) -> None:
    small, large = (np.mean([cover[INNER].mean() for cover in covers(name, share)]) for share in (0.05, 0.3))
    assert 0.01 < small < 0.12
    assert 0.12 < large < 0.45
    assert large > 2 * small


def test_logos_are_mostly_in_the_middle() -> None:
    middle = np.s_[SIDE // 2 - 12 : SIDE // 2 + 12, SIDE // 2 - 12 : SIDE // 2 + 12]
    centred = np.mean([cover[middle].mean() > 0.5 for cover in covers("logo", 0.2, 60)])
    assert 0.4 < centred < 0.95


def test_a_painted_finder_pattern_is_gone() -> None:
    reach = 42
    corners = [np.s_[LOW : LOW + reach, LOW : LOW + reach], np.s_[LOW : LOW + reach, -LOW - reach : -LOW]]
    corners += [np.s_[-LOW - reach : -LOW, LOW : LOW + reach], np.s_[-LOW - reach : -LOW, -LOW - reach : -LOW]]
    for cover in covers("painted finder", 0.1):
        hidden = sum(cover[corner].mean() > 0.6 for corner in corners)
        assert 1 <= hidden <= 2


@pytest.mark.parametrize("name", OCCLUDERS)
def test_what_is_left_is_what_the_cover_leaves(name: str) -> None:
    black, white = (np.full((SIDE, SIDE), tone, np.float32) for tone in (0.0, 1.0))
    hidden = 0
    for seed in range(12):
        seen = [occlude(np.random.default_rng(seed), picture, GROUND, kind=name) for picture in (black, white)]
        (dark, cover), (light, same) = seen
        assert np.array_equal(cover, same)
        assert np.allclose(light - dark, 1 - cover, atol=1e-5)
        hidden += (cover > 0.65).sum()
    assert hidden > 100


def test_the_seed_decides() -> None:
    picture = np.full((SIDE, SIDE), 0.5, np.float32)
    once, again, other = (occlude(np.random.default_rng(seed), picture, GROUND)[0] for seed in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_odds_are_those_of_all() -> None:
    assert len(OCCLUDER_ODDS) == len(OCCLUDERS)
    assert sum(OCCLUDER_ODDS) == pytest.approx(1)


def test_tones_are_often_those_of_the_symbol() -> None:
    tones = np.array([GROUND.tone(np.random.default_rng(seed)) for seed in range(400)])
    near = [float(np.mean(np.abs(tones - tone) < 0.1)) for tone in (0.1, 0.9, 0.5)]
    assert near[0] > 0.25
    assert near[1] > 0.2
    assert 0.03 < near[2] < 0.2


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(KeyError):
        occlude(np.random.default_rng(0), np.zeros((SIDE, SIDE), np.float32), GROUND, kind="cat")
