import cv2
import numpy as np
import pytest

from app.pipeline.inference.severity import Route, choose, laplacian_variance
from app.pipeline.qrcode.patterns import render
from tests.support.codes import encode


def test_one_bright_pixel_by_hand() -> None:
    """The response is -4 v at the pixel, v at its four neighbours, and nothing elsewhere: mean 0."""
    crop = np.zeros((10, 10), np.uint8)
    crop[5, 5] = 200
    assert laplacian_variance(crop) == pytest.approx((16 + 4) * 200**2 / 100)


def test_flat_crops_and_gentle_ramps_score_nothing() -> None:
    assert laplacian_variance(np.full((8, 8), 130, np.uint8)) == 0
    ramp = np.tile(np.arange(0, 200, 2, dtype=np.uint8), (50, 1))
    assert laplacian_variance(ramp[:, 1:-1]) < 0.5


def test_more_blur_scores_lower() -> None:
    sharp = render(encode("blurred"), pixels=4)
    scores = [laplacian_variance(cv2.GaussianBlur(sharp, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4)]
    assert scores == sorted(scores, reverse=True)
    assert laplacian_variance(sharp) > scores[0]


@pytest.mark.parametrize(("score", "network"), [(99.9, "slow"), (100.0, "slow"), (100.1, "quick")])
def test_only_scores_above_the_threshold_take_the_light_network(score: float, network: str) -> None:
    route = choose(score, 100.0, light="quick", heavy="slow")
    assert route == Route(laplacian_variance=score, threshold=100.0, network=network)
