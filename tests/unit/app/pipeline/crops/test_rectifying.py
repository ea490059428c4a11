import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import homography, side_length
from tests.support.codes import encode, photograph, square_at

SYMBOL = encode("straightened", version=2)
SIZE = 25
TILTED = np.array([[60.0, 35.5], [225.25, 50.0], [210.0, 230.0], [40.0, 205.0]])


def centres_in_picture(corners: NDArray[np.float64], *, pixels: int = 4, margin: float = 4) -> NDArray[np.float64]:
    """The place of each crop pixel's centre in the picture, (S, S, 2), by projective algebra."""
    side = round((SIZE + 2 * margin) * pixels)
    along = (np.arange(side) + 0.5) / pixels - margin
    x, y = np.meshgrid(along, along)
    unit = np.array([[0, 0], [SIZE, 0], [SIZE, SIZE], [0, SIZE]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(unit, corners.astype(np.float32))
    projected = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
    return np.asarray(projected[..., :2] / projected[..., 2:])


def test_homography_takes_modules_to_the_picture() -> None:
    matrix = homography(TILTED, SIZE)
    corners = np.array([[0, 0, 1], [SIZE, 0, 1], [SIZE, SIZE, 1], [0, SIZE, 1]]) @ matrix.T
    assert np.allclose(corners[:, :2] / corners[:, 2:], TILTED, atol=1e-3)


def test_side_length_is_the_mean_of_four_sides() -> None:
    assert side_length([[0, 0], [3, 0], [3, 4], [0, 4]]) == 3.5


@pytest.mark.parametrize("turn", range(4))
def test_a_warped_symbol_comes_out_straight(turn: int) -> None:
    corners = np.roll(TILTED, turn, axis=0)
    picture = photograph(SYMBOL, corners, (260, 280), dark=0, light=255)
    crop = rectify(picture, corners, SIZE)
    clean = render(SYMBOL, pixels=4)
    assert crop.shape == clean.shape
    error = np.abs(crop.astype(int) - clean)
    assert error.mean() < 18  # edges are soft
    middles = (slice(1, None, 4), slice(2, None, 4))
    for row in middles:
        for column in middles:
            assert error[row, column].max() < 60


@pytest.mark.parametrize("corners", [TILTED, np.roll(TILTED, 1, axis=0), square_at(41.3, 50.9, 110.0)])
def test_every_pixel_is_taken_from_its_own_place(corners: NDArray[np.float64]) -> None:
    """On a ramp the grey value is the place: pixel i has its centre at i + 0.5."""
    height, width = 330, 340
    ramp = np.tile((np.arange(width) * 0.7).round().astype(np.uint8), (height, 1))
    expected = centres_in_picture(corners)
    inside = (expected > 2).all(axis=-1) & (expected < (width - 2, height - 2)).all(axis=-1)
    for picture, axis in ((ramp, 0), (np.ascontiguousarray(ramp[:, :height].T), 1)):
        crop = rectify(picture, corners, SIZE)
        error = (crop - 0.7 * (expected[..., axis] - 0.5))[inside]
        assert np.abs(error).max() < 1.3
        assert abs(error.mean()) < 0.1


@pytest.mark.parametrize("pixels", [4, 8, 16])
def test_upright_symbols_come_out_exact_at_whole_scales(pixels: int) -> None:
    picture = render(SYMBOL, pixels=pixels)
    crop = rectify(picture, square_at(4 * pixels, 4 * pixels, SIZE * pixels), SIZE)
    assert np.array_equal(crop, render(SYMBOL, pixels=4))


def test_scale_and_margin_can_be_chosen() -> None:
    picture = render(SYMBOL, pixels=8)
    crop = rectify(picture, square_at(32, 32, SIZE * 8), SIZE, pixels=6, margin=1)
    assert crop.shape == (27 * 6, 27 * 6)
    clean = render(SYMBOL, pixels=6, quiet_zone=1)
    assert np.array_equal(crop > 127, clean > 127)


def test_fine_pictures_are_averaged() -> None:
    check = np.where(np.indices((600, 600)).sum(axis=0) % 2, 255, 0).astype(np.uint8)
    crop = rectify(check, square_at(100, 100, SIZE * 16), SIZE)
    assert np.abs(crop.astype(int) - 127).max() <= 2


def test_pixels_outside_repeat_the_border() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (100, 100), dtype=np.uint8)
    crop = rectify(picture, square_at(0, 0, 100), SIZE)
    assert np.array_equal(crop[16:-16, 16:-16], picture)
    assert np.array_equal(crop[16:-16, :16], np.repeat(picture[:, :1], 16, axis=1))
    assert np.array_equal(crop[-16:, 16:-16], np.repeat(picture[-1:], 16, axis=0))
    assert (crop[:16, :16] == picture[0, 0]).all()


def test_a_quad_partly_outside_is_rectified() -> None:
    picture = photograph(SYMBOL, square_at(-20, -20, 100), (90, 90), dark=0, light=255)
    crop = rectify(picture, square_at(-20, -20, 100), SIZE)
    expected = render(SYMBOL, pixels=4)
    assert crop.shape == expected.shape
    assert np.array_equal(crop[36:-16, 36:-16] > 127, expected[36:-16, 36:-16] > 127)
