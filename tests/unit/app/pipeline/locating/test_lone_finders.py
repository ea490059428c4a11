"""Lone finder patterns: which of the peaks at several sizes are looked at."""

import numpy as np
import pytest

from app.pipeline.locating.finder_patterns import strongest
from app.pipeline.locating.lone_finders import GLANCE, PATIENT, Reach, find_lone_finders
from app.pipeline.qrcode.patterns import render

PEAKS = np.array([[50.0, 50.0, 4.0, 0.5], [52.0, 51.0, 6.4, -0.6], [49.0, 50.0, 5.0, 0.55], [90.0, 20.0, 4.0, 0.45]])


@pytest.mark.parametrize(("alike", "kept"), [(1.6, [1, 0, 3]), (1.7, [1, 3]), (1.3, [1, 0, 3]), (1.2, [1, 2, 0, 3])])
def test_a_finder_pattern_is_kept_once_unless_its_sizes_differ(alike: float, kept: list[int]) -> None:
    assert strongest([PEAKS], most=9, alike=alike).tolist() == PEAKS[kept].tolist()


def test_the_strongest_are_kept() -> None:
    assert strongest([PEAKS[:1], PEAKS[1:]], most=1).tolist() == PEAKS[[1]].tolist()
    assert strongest([], most=4).shape == (0, 4)


@pytest.mark.parametrize("inverted", [False, True], ids=["dark", "light"])
def test_a_finder_pattern_is_found(inverted: bool) -> None:
    reach = abs(np.indices((7, 7)) - 3).max(axis=0)
    picture = render(np.isin(reach, (0, 1, 3)), pixels=5, quiet_zone=6)
    (found,) = find_lone_finders(np.bitwise_not(picture) if inverted else picture, GLANCE)
    assert found.inverted is inverted
    assert found.centre == pytest.approx((47.5, 47.5), abs=1)
    assert found.module == pytest.approx(5, rel=0.1)
    assert found.angle == 0
    assert found.response > 0.8


@pytest.mark.parametrize("reach", [GLANCE, PATIENT], ids=["glance", "patient"])
@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (9, 9), (1, 70_000), (70_000, 3)], ids=str)
def test_pictures_of_any_shape_are_searched(shape: tuple[int, int], reach: Reach) -> None:
    noise = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    assert len(find_lone_finders(noise, reach)) == 0
