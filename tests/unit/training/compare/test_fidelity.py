import cv2
import numpy as np
import pytest

from app.pipeline.imaging import psnr
from training.compare.fidelity import ssim

GREY = np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)


def test_psnr_by_hand() -> None:
    clean = np.zeros((10, 10), np.uint8)
    off = clean.copy()
    off[0, 0] = 255
    assert psnr(off, clean) == pytest.approx(20.0)
    assert psnr(off + np.uint8(0), off) == 100.0
    assert psnr(np.full((5, 5), 255, np.uint8), np.zeros((5, 5), np.uint8)) == 0.0
    assert psnr(np.zeros((5, 5), np.uint8), np.full((5, 5), 255, np.uint8)) == 0.0  # no wrap-around


def test_ssim_of_equal_opposite_and_shifted_pictures() -> None:
    assert ssim(GREY, GREY) == pytest.approx(1.0)
    assert ssim(GREY, 255 - GREY) < -0.8
    assert ssim(GREY, np.roll(GREY, 5, axis=1)) == pytest.approx(0, abs=0.1)
    assert ssim(GREY, np.roll(GREY, 5, axis=1)) == pytest.approx(ssim(np.roll(GREY, 5, axis=1), GREY))


def test_ssim_of_two_flat_pictures_by_the_formula() -> None:
    first, second = np.full((20, 20), 100, np.uint8), np.full((20, 20), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(first, second) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1))


def test_ssim_falls_with_blur() -> None:
    values = [ssim(np.asarray(cv2.GaussianBlur(GREY, (0, 0), sigma)), GREY) for sigma in (0.4, 0.7, 1.5)]
    assert values == sorted(values, reverse=True)
    assert values[0] < 1
