"""Lines of text and bars are stripes, codes are not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.gates import Gates
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.stripes import stripes
from app.pipeline.qrcode.patterns import dimension, render
from app.pipeline.quad import Quad
from tests.support.codes import square_at
from training.data.degrade import to_uint8
from training.data.lookalikes import draw_text
from training.data.symbols import random_symbol

MOST = 1 - Gates().unstriped


def turned(quad: NDArray[np.float64], angle: float) -> Quad:
    turn = np.radians(angle)
    middle = quad.mean(axis=0)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return Quad.of(middle + (quad - middle) @ rotation.T)


@pytest.mark.parametrize("blur", [0.0, 0.5, 1.0, 1.3])
@pytest.mark.parametrize("version", [1, 2, 7, 20, 40])
def test_codes_are_no_stripes_however_soft_they_are(version: int, blur: float) -> None:
    for seed in range(4):
        picture = render(random_symbol(np.random.default_rng(seed), version), pixels=4)
        if blur:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 4 * blur), np.uint8)
        assert stripes(picture, Quad.of(square_at(16, 16, 4.0 * dimension(version)))) < MOST


@pytest.mark.parametrize("pixels", [(20, 1), (1, 20), (5, 3)])
def test_codes_smeared_by_motion_are_no_stripes(pixels: tuple[int, int]) -> None:
    picture = cv2.blur(render(random_symbol(np.random.default_rng(1), 3), pixels=8), pixels)
    assert stripes(np.asarray(picture, np.uint8), Quad.of(square_at(32, 32, 8.0 * dimension(3)))) < MOST


@pytest.mark.parametrize("angle", [0, 7, 45, 80, 90, 133])
def test_bars_are_stripes_in_every_direction(angle: int) -> None:
    bars = np.repeat(np.random.default_rng(2).integers(0, 2, 100) * 200, 4).astype(np.uint8)
    picture: GreyImage = np.tile(bars, (400, 1))
    assert stripes(picture, turned(square_at(100, 100, 200), angle)) > MOST


def test_a_flat_place_has_none() -> None:
    assert stripes(np.full((100, 100), 200, np.uint8), Quad.of(square_at(10, 10, 80))) == 0


def test_most_of_a_page_of_text_is_striped() -> None:
    rng = np.random.default_rng(5)
    shares: list[float] = []
    for _ in range(4):
        page = to_uint8(draw_text(rng))
        angles = rng.uniform(-40, 40, 10)
        shares += [stripes(page, turned(square_at(400, 500, 400), float(angle))) for angle in angles]
    assert np.mean(np.array(shares) > MOST) >= 0.9
