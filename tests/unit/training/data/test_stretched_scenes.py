"""Scenes of stretched pictures hold one steep code, where they say, nearly square."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.quad import elongation
from tests.support.likeness import likenesses
from training.data import stretched_scenes
from training.data.degrade import Image
from training.data.scenes import SceneCode
from training.data.stretched_scenes import stretched_scene

SIDE = 256


def windows(count: int) -> list[tuple[NDArray[np.float32], list[SceneCode]]]:
    return [stretched_scene(np.random.default_rng(seed), SIDE) for seed in range(count)]


def test_windows_are_as_the_locator_sees_them() -> None:
    for picture, codes in windows(60):
        assert picture.shape == (SIDE, SIDE)
        assert picture.dtype == np.float32
        assert len(codes) <= 1
        for code in codes:
            assert cv2.contourArea(code.corners.astype(np.float32), oriented=True) > 0


def test_most_codes_are_less_long_than_in_the_picture() -> None:
    shown = [code.corners for _, codes in windows(100) for code in codes]
    assert len(shown) > 90
    stretched = [elongation(corners) for corners in shown]
    before = [elongation(corners / [2, 1]) for corners in shown]
    assert np.median(before) > 1.5
    assert np.median(stretched) < np.median(before) - 0.2


def test_corners_are_truly_at_the_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without blur and noise, of codes with modules of some pixels; a shift by a module resembles them less."""

    def spare(image: Image, rng: np.random.Generator, unit: float) -> Image:
        return np.clip(image, 0, 1)

    monkeypatch.setattr(stretched_scenes, "expose", spare)
    there, beside = likenesses(windows(80), pixels=2.5)
    assert len(there) >= 8
    assert np.mean(there > beside) > 0.85
