"""Scenes of lookalikes hold codes only where they say, and most hold none."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.likeness import likenesses
from training.data.lookalike_scenes import lookalike_scene
from training.data.scenes import MAX_CODES, SceneCode

SIDE = 256


@pytest.fixture(scope="module")
def windows() -> list[tuple[NDArray[np.float32], list[SceneCode]]]:
    return [lookalike_scene(np.random.default_rng(seed), SIDE) for seed in range(120)]


def test_windows_are_as_the_locator_sees_them(windows: list[tuple[NDArray[np.float32], list[SceneCode]]]) -> None:
    for picture, codes in windows:
        assert picture.shape == (SIDE, SIDE)
        assert picture.dtype == np.float32
        assert np.isfinite(picture).all()
        assert len(codes) <= MAX_CODES
        for code in codes:
            assert cv2.contourArea(code.corners.astype(np.float32), oriented=True) > 0


def test_more_than_half_hold_no_code(windows: list[tuple[NDArray[np.float32], list[SceneCode]]]) -> None:
    assert 0.45 < np.mean([not codes for _, codes in windows]) < 0.75


def test_codes_are_where_they_are_said_to_be(windows: list[tuple[NDArray[np.float32], list[SceneCode]]]) -> None:
    """Of large ones: blur and glare hide some."""
    there, beside = likenesses(windows, pixels=2, modules=2)
    assert len(there) >= 8
    assert np.mean(there > beside) > 0.8
