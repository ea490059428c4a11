"""Scenes hold codes where they say, and say which of them show enough of themselves."""

import cv2
import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import VERSIONS, dimension
from tests.support.likeness import likeness, likeness_beside
from training.data import scenes
from training.data.degrade import Image
from training.data.scenes import SceneCode, scene

SIDE = 256


def spare(image: Image, rng: Generator, unit: float) -> Image:
    return image


def flat(
    label: Image, cover: Image, rng: Generator, inner: NDArray[np.float64], matrix: NDArray[np.float64], pixels: int
) -> tuple[Image, Image, NDArray[np.float64]]:
    return label, cover, cv2.perspectiveTransform((inner / pixels)[None], matrix)[0]


def drawn(count: int) -> list[tuple[Image, SceneCode]]:
    """The codes of so many scenes, each with its scene."""
    made = [scene(np.random.default_rng(seed), SIDE, empty=False) for seed in range(count)]
    return [(image, code) for image, codes in made for code in codes]


def area(code: SceneCode) -> float:
    return float(cv2.contourArea(code.corners.astype(np.float32), oriented=True))


@pytest.fixture(scope="module")
def photographs() -> list[tuple[Image, SceneCode]]:
    return drawn(120)


# --- scenes ---------------------------------------------------------------------------------------------------------


def test_scenes_depend_on_the_seed_alone() -> None:
    for seed in range(4):
        (image, codes), (again, same) = (scene(np.random.default_rng(seed), SIDE) for _ in range(2))
        assert np.array_equal(image, again)
        assert len(codes) == len(same)
        assert all(np.array_equal(one.corners, other.corners) for one, other in zip(codes, same, strict=True))
    assert not np.array_equal(image, scene(np.random.default_rng(9), SIDE)[0])


@pytest.mark.parametrize("side", [128, 256])
def test_scenes_are_pictures_of_the_side_wanted(side: int) -> None:
    for seed in range(8):
        image, _ = scene(np.random.default_rng(seed), side)
        assert image.shape == (side, side)
        assert image.dtype == np.float32
        assert 0 <= image.min() <= image.max() <= 1


def test_scenes_are_empty_when_told_and_now_and_then_by_chance() -> None:
    assert all(scene(np.random.default_rng(seed), SIDE, empty=True)[1] == [] for seed in range(20))
    counts = [len(scene(np.random.default_rng(seed), SIDE)[1]) for seed in range(100)]
    assert 0.03 < np.mean(np.array(counts) == 0) < 0.25
    assert 2 <= max(counts) <= 4


def test_codes_are_of_all_sizes_and_hardly_finer_than_pixels(photographs: list[tuple[Image, SceneCode]]) -> None:
    reach = np.array([area(code) ** 0.5 for _, code in photographs])
    modules = np.array([code.modules for _, code in photographs])
    assert set(modules) <= {dimension(version) for version in VERSIONS}
    assert (reach / modules).min() > 0.6
    assert np.mean(reach / modules < 1) < 0.05
    assert reach.min() < 0.2 * SIDE
    assert reach.max() > 0.75 * SIDE
    assert modules.min() == 21
    assert modules.max() > 77


def test_corners_are_clockwise_as_seen(photographs: list[tuple[Image, SceneCode]]) -> None:
    for _, code in photographs:
        assert area(code) > 0
        assert cv2.isContourConvex(code.corners.astype(np.float32))


def test_codes_of_a_scene_do_not_overlap(photographs: list[tuple[Image, SceneCode]]) -> None:
    pairs = [
        (one, other)
        for index, (image, one) in enumerate(photographs)
        for same, other in photographs[:index]
        if same is image
    ]
    assert len(pairs) >= 4
    for pair in pairs:
        one, other = (code.corners.astype(np.float32) for code in pair)
        assert cv2.intersectConvexConvex(one, other)[0] == 0


# --- places ---------------------------------------------------------------------------------------------------------


def test_corners_are_truly_at_the_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printed flat and photographed perfectly, a code shows its patterns where its corners say, and nowhere beside."""
    monkeypatch.setattr(scenes, "expose", spare)
    monkeypatch.setattr(scenes, "_bend", flat)
    large = [(image, code) for image, code in drawn(110) if code.visible and area(code) ** 0.5 > 2.5 * code.modules]
    there = np.array([likeness(image, code) for image, code in large])
    beside = [likeness_beside(image, code) for image, code in large]
    turned = [max(likeness(image, code, turn=turn) for turn in (1, 2, 3)) for image, code in large]
    assert len(large) > 30
    assert np.median(there) > 0.95
    assert (there > beside).all()
    assert np.mean(there > turned) > 0.95  # a few are hidden behind logos and strokes
    assert np.mean(there > 0.7) > 0.85


def test_corners_of_bend_labels_are_where_the_bend_moved_them() -> None:
    """Spots at the corners of a label tell where these come to lie."""
    for seed in range(6):
        inner = np.array([[40.0, 40.0], [160.0, 40.0], [160.0, 160.0], [40.0, 160.0]])
        label = np.zeros((200, 200), np.float32)
        for x, y in inner.astype(int):
            label[y - 3 : y + 3, x - 3 : x + 3] = 1
        rng = np.random.default_rng(seed)
        bent, cover, corners = scenes._bend(label, np.ones_like(label), rng, inner, np.eye(3), 1)
        assert np.abs(corners - inner).max() > 1
        assert cover.shape == label.shape
        count, _, _, centres = cv2.connectedComponentsWithStats((bent > 0.5).astype(np.uint8))
        assert count == 5
        for corner in corners:
            assert np.linalg.norm(centres[1:] + 0.5 - corner, axis=1).min() < 1.0


def test_photographs_are_worse_than_what_they_show(photographs: list[tuple[Image, SceneCode]]) -> None:
    """Blur, noise and light take some of the likeness away, but not from every code."""
    found = [likeness(image, code) for image, code in photographs if code.visible]
    assert np.median(found) < 0.9
    assert max(found) > 0.9


# --- visibility -----------------------------------------------------------------------------------------------------


def share_inside(corners: NDArray[np.float64], side: int) -> float:
    """Counted pixel by pixel."""
    canvas = np.zeros((5 * side, 5 * side), np.uint8)
    cv2.fillConvexPoly(canvas, np.rint(corners + 2 * side).astype(np.int32), 1)
    return float(canvas[2 * side : 3 * side, 2 * side : 3 * side].sum() / canvas.sum())


def test_codes_that_hardly_show_are_flagged(photographs: list[tuple[Image, SceneCode]]) -> None:
    flags = []
    for _, code in photographs:
        share = share_inside(code.corners, SIDE)
        if abs(share - 0.6) > 0.03:
            assert code.visible is (share > 0.6)
            flags.append(code.visible)
    assert 0.8 < np.mean(flags) < 1
