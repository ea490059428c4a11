"""Hard scenes hold codes where they say, several of them often, and say which of them show enough of themselves."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import dimension
from tests.support.likeness import likenesses
from training.data import hard_scenes
from training.data.degrade import Image
from training.data.hard_scenes import cut_by_picture, hard_scene
from training.data.scenes import MAX_CODES, SceneCode

SIDE = 256


def window(seed: int) -> tuple[NDArray[np.float32], list[SceneCode]]:
    return hard_scene(np.random.default_rng(seed), SIDE)


@pytest.fixture(scope="module")
def windows() -> list[tuple[NDArray[np.float32], list[SceneCode]]]:
    return [window(seed) for seed in range(100)]


def test_windows_are_as_the_locator_sees_them(windows: list[tuple[NDArray[np.float32], list[SceneCode]]]) -> None:
    for picture, codes in windows:
        assert picture.shape == (SIDE, SIDE)
        assert picture.dtype == np.float32
        assert len(codes) <= MAX_CODES
        for code in codes:
            assert cv2.contourArea(code.corners.astype(np.float32), oriented=True) > 0
            assert code.modules in {dimension(version) for version in range(1, 41)}
    again, same = window(7)
    assert np.array_equal(again, windows[7][0])
    assert len(same) == len(windows[7][1])


def test_several_codes_are_frequent_and_touch(windows: list[tuple[NDArray[np.float32], list[SceneCode]]]) -> None:
    counts = np.array([len(codes) for _, codes in windows])
    assert 0.2 < np.mean(counts > 1) < 0.5
    assert counts.max() > 6
    gaps = []
    for _, codes in windows:
        for one in codes:
            for other in codes:
                if one is not other:
                    apart = np.linalg.norm(one.corners[:, None] - other.corners[None], axis=2).min()
                    gaps.append(apart / (cv2.contourArea(one.corners.astype(np.float32)) ** 0.5 / one.modules))
    assert min(gaps) < 1.5


def test_codes_are_cut_off_and_the_flags_say_how_much(
    windows: list[tuple[NDArray[np.float32], list[SceneCode]]],
) -> None:
    codes = [code for _, codes in windows for code in codes]
    outside = [((code.corners < -2) | (code.corners > SIDE + 2)).any() for code in codes]
    assert 0.15 < np.mean(outside) < 0.7
    assert 0.03 < np.mean([not code.visible for code in codes]) < 0.4


def test_corners_are_truly_at_the_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photographed perfectly, a code that shows whole has its patterns where its corners say, and nowhere beside."""

    def spare(image: Image, rng: np.random.Generator, unit: float, *, worst_noise: float) -> Image:
        return np.clip(image, 0, 1)

    def sound(rng: np.random.Generator, sheet: object, pixels: int) -> object:
        return sheet

    monkeypatch.setattr(hard_scenes, "expose", spare)
    monkeypatch.setattr(hard_scenes, "_wear", sound)
    for end in ("end_of_picture", "cut_by_picture"):
        monkeypatch.setattr(hard_scenes, end, lambda rng, image, codes: (image, codes))
    there, beside = likenesses(map(window, range(60)), pixels=2.5)
    assert len(there) > 12
    assert np.median(there) > 0.8
    assert np.mean(there > beside) > 0.95


def test_a_picture_ends_inside_a_code_on_any_side() -> None:
    """Beyond the end the window shows no scene; to the left and above, the border is repeated. Corners do not move."""
    corners = np.array([[80, 90], [180, 90], [180, 190], [80, 190]], dtype=np.float64)
    scene = np.random.default_rng(0).random((SIDE, SIDE), dtype=np.float32)
    ends = set()
    for seed in range(60):
        picture, codes = cut_by_picture(np.random.default_rng(seed), scene, [SceneCode(corners, 25, True)])
        assert picture.shape == (SIDE, SIDE)
        rows, columns = (~np.isclose(np.diff(picture, axis=axis), 0).all(axis=1 - axis) for axis in (0, 1))
        box = [int(flags.argmax()) for flags in (columns, rows)] + [
            int(flags[::-1].argmax()) for flags in (columns, rows)
        ]
        (end,) = (place for place, beyond in enumerate(box) if beyond > 5)
        lost = box[end] - (80, 90, SIDE - 180, SIDE - 190)[end]
        assert 1 <= lost <= 31
        ends.add(end)
        (code,) = codes
        assert np.array_equal(code.corners, corners)
        assert code.visible
    assert ends == {0, 1, 2, 3}
