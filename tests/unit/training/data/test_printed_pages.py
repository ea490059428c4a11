"""Pages are dark lines on white paper, as far apart as asked for, in fonts that have letters, and differ."""

import numpy as np
import pytest
from PIL import ImageFont

from training.data.printed_pages import draw_page, font_files


@pytest.mark.parametrize("spacing", [14, 24])
def test_lines_are_as_far_apart_as_asked_for(spacing: int) -> None:
    """The strongest wave of most pages; headings and paragraphs shift the lines of some."""
    found = []
    for seed in range(16):
        page = draw_page(np.random.default_rng(seed), (400, 600), spacing=spacing)
        assert page.shape == (400, 600)
        assert page.min() < 0.1
        assert 0.5 < page.mean() < 0.99
        ink = 1 - page.mean(axis=1)
        waves = np.abs(np.fft.rfft(ink - ink.mean()))
        least = 400 // (3 * spacing)  # waves of paragraphs and pages are longer
        found.append(400 / (least + int(waves[least:].argmax())))
    assert np.median(found) == pytest.approx(spacing, rel=0.1)


def test_every_font_has_letters_and_digits() -> None:
    for path in font_files():
        font = ImageFont.truetype(str(path), 30)
        missing = bytes(font.getmask("\uffff"))
        assert all(bytes(font.getmask(one)) != missing for one in "aezAZ05"), path.name


def test_narrow_columns_hold_lines_of_several_letters() -> None:
    page = draw_page(np.random.default_rng(4), (384, 384), spacing=36)
    assert (page < 0.5).mean() > 0.02


def test_pages_differ_and_can_be_drawn_again() -> None:
    one, same, other = (draw_page(np.random.default_rng(seed), (200, 300), spacing=20) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
