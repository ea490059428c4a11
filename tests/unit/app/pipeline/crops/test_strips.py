"""Strips: long codes that lie in the picture piece by piece."""

import numpy as np
import pytest

from app.pipeline.crops.rectifying import rectify
from app.pipeline.crops.strips import Strip
from app.pipeline.qrcode.patterns import render
from tests.support.rectangular_codes import rectangular_modules, rectangular_picture

MODULES = rectangular_modules("R11x77", "M", "straightened")
ROWS, COLUMNS = MODULES.shape
STATIONS = np.array([0, 25.5, 51.5, COLUMNS], dtype=np.float64)


def straight(corners: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Strip:
    """The strip through the corners of a parallelogram."""
    share = (STATIONS / COLUMNS)[:, None]
    top, bottom = (one + share * (other - one) for one, other in ((corners[0], corners[1]), (corners[3], corners[2])))
    return Strip(STATIONS, np.stack([top, bottom], axis=1), ROWS)


@pytest.mark.parametrize("pixels", [2.5, 4, 9])
def test_a_straight_strip_is_rectified_as_a_quad(pixels: float) -> None:
    picture, corners = rectangular_picture(MODULES, pixels=pixels, blur=0.2, noise=2, turn=15)
    strip = straight(corners)
    assert strip.module == pytest.approx(pixels, rel=1e-3)
    assert np.allclose(strip.corners, corners)
    crop = strip.rectify(picture)
    assert crop.shape == (4 * (ROWS + 8), 4 * (COLUMNS + 8))
    whole = rectify(picture, corners, COLUMNS, rows=ROWS)
    assert whole.shape == crop.shape
    assert np.abs(whole.astype(int) - crop).mean() < 3


def test_a_bent_strip_comes_out_straight() -> None:
    picture, corners = rectangular_picture(MODULES, pixels=6, blur=0.2, noise=2, bend=3)
    strip = straight(corners)
    lowered = 3 * 6 * (1 - (2 * STATIONS / COLUMNS - 1) ** 2)
    bent = Strip(STATIONS, strip.edges + lowered[:, None, None] * np.array([0, 1]), ROWS)
    drawn = render(MODULES, pixels=4).ravel()
    assert np.corrcoef(bent.rectify(picture).ravel(), drawn)[0, 1] > 0.8
    assert np.corrcoef(strip.rectify(picture).ravel(), drawn)[0, 1] < 0.5


def test_beyond_the_picture_its_border_is_repeated() -> None:
    picture, corners = rectangular_picture(MODULES, pixels=4, blur=0.2, noise=0)
    crop = straight(corners - np.array([400, 0])).rectify(picture)
    assert crop.shape == (4 * (ROWS + 8), 4 * (COLUMNS + 8))
    assert crop[:, 0].min() > 200
