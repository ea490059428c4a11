"""Pages are dark lines on white paper, as far apart as asked for, and differ."""

import numpy as np
import pytest

from training.data.printed_pages import draw_page


@pytest.mark.parametrize("height", [14, 24])
def test_lines_are_as_far_apart_as_asked_for(height: int) -> None:
    strengths = []
    for seed in range(12):
        page = draw_page(np.random.default_rng(seed), (400, 600), height=height)
        assert page.shape == (400, 600)
        assert page.min() < 0.1
        assert 0.5 < page.mean() < 0.99
        ink = 1 - page.mean(axis=1)
        waves = np.abs(np.fft.rfft(ink - ink.mean()))
        expected = len(ink) / height
        near = waves[int(expected * 0.85) : int(expected * 1.15) + 2].max()
        strengths.append(near / np.median(waves[1:]))
    assert np.median(strengths) > 5


def test_pages_differ_and_can_be_drawn_again() -> None:
    one, same, other = (draw_page(np.random.default_rng(seed), (200, 300), height=20) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
