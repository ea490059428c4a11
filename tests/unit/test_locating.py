"""Candidates lie on the code's outer corners in every condition that leaves finder patterns, and time is bounded."""

import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import segno
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.locating import Candidate, ClassicalLocator, Pyramid, agreement, whole_picture
from app.pipeline.reading import ZXing
from app.pipeline.symbology import dimension, render

VERSION = 4
MODULES = dimension(VERSION)
PLACES: dict[str, list[tuple[float, float]]] = {
    "upright": [(210, 120), (450, 120), (450, 360), (210, 360)],
    "turned": [(300, 60), (520, 200), (380, 420), (160, 280)],
    "upside down": [(450, 380), (210, 380), (210, 140), (450, 140)],
    "leaning back": [(225, 140), (435, 130), (465, 365), (195, 370)],
}


def code(version: int = VERSION) -> GreyImage:
    symbol = segno.make("somewhere here", version=version, error="l", boost_error=False, micro=False)
    modules = np.array([[value == 1 for value in row] for row in symbol.matrix], dtype=np.bool_)
    return render(modules, pixels=8)


def scene(corners: list[tuple[float, float]], *, version: int = VERSION) -> GreyImage:
    """A code with its quiet zone put into a 640 x 480 picture of soft clutter, outer corners at `corners`."""
    symbol = code(version)
    low, high = 32, symbol.shape[0] - 32
    source = np.array([(low, low), (high, low), (high, high), (low, high)], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, np.array(corners, np.float32) - 0.5)
    clutter = np.random.default_rng(3).normal(150, 900, (480, 640)).astype(np.float32)
    background = np.clip(cv2.GaussianBlur(clutter, (0, 0), 12), 0, 255).astype(np.uint8)
    cv2.warpPerspective(
        symbol, matrix, (640, 480), dst=background, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT
    )
    return background


def overlap(candidate: Candidate, corners: list[tuple[float, float]]) -> float:
    one, other = np.array(candidate.corners, np.float32), np.array(corners, np.float32)
    shared = cv2.intersectConvexConvex(one, other)[0]
    return float(shared / (cv2.contourArea(one) + cv2.contourArea(other) - shared))


def untouched(image: GreyImage) -> GreyImage:
    return image


def motion(image: GreyImage) -> GreyImage:
    return np.asarray(cv2.blur(image, (15, 1)), np.uint8)


def defocus(image: GreyImage) -> GreyImage:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 4.5), np.uint8)


def noise(image: GreyImage) -> GreyImage:
    return np.clip(image + np.random.default_rng(4).normal(0, 60, image.shape), 0, 255).astype(np.uint8)


def inverted(image: GreyImage) -> GreyImage:
    return np.asarray(255 - image, np.uint8)


def shaded(image: GreyImage) -> GreyImage:
    return (image * np.linspace(0.15, 1, image.shape[1])).astype(np.uint8)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("spoil", [untouched, motion, defocus, noise, inverted, shaded])
def test_best_candidate_lies_on_the_code(
    spoil: Callable[[GreyImage], GreyImage], place: list[tuple[float, float]]
) -> None:
    best = ClassicalLocator().locate(spoil(scene(place)))[0]
    assert overlap(best, place) > 0.85
    assert best.dimension is not None
    assert abs(best.dimension - MODULES) <= 4
    assert best.score > 0.4


@pytest.mark.parametrize("spoil", [motion, defocus])
def test_these_codes_are_out_of_reach_for_a_decoder(spoil: Callable[[GreyImage], GreyImage]) -> None:
    assert ZXing().read(spoil(scene(PLACES["upright"]))) == []


@pytest.mark.parametrize("version", [1, 2, 7, 14])
def test_dimension_is_told(version: int) -> None:
    place = [(60.0, 60.0), (420.0, 60.0), (420.0, 420.0), (60.0, 420.0)]
    best = ClassicalLocator().locate(scene(place, version=version))[0]
    assert best.dimension == dimension(version)


def test_every_code_of_a_picture_is_proposed_once() -> None:
    places = [PLACES["upright"], PLACES["turned"]]
    image = np.asarray(cv2.hconcat([defocus(scene(place)) for place in places]), np.uint8)
    places[1] = [(x + 640, y) for x, y in places[1]]
    candidates = ClassicalLocator().locate(image)
    for place in places:
        assert sum(overlap(candidate, place) > 0.5 for candidate in candidates) == 1


def test_candidates_are_ordered_limited_and_end_with_the_whole_picture() -> None:
    image = np.asarray(np.tile(code(1), (3, 3)), np.uint8)
    candidates = ClassicalLocator(limit=4).locate(image)
    scores = [candidate.score for candidate in candidates]
    assert len(candidates) == 5
    assert scores == sorted(scores, reverse=True)
    assert candidates[-1] == whole_picture(image)
    assert candidates[-1].dimension is None


@pytest.mark.parametrize("shape", [(1, 1), (3, 4000), (5000, 20), (60, 60)])
def test_pictures_without_a_code_leave_only_the_whole(shape: tuple[int, int]) -> None:
    for image in (np.full(shape, 90, np.uint8), np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)):
        assert ClassicalLocator().locate(image) == [whole_picture(image)]


def test_an_empty_picture_has_no_places() -> None:
    assert ClassicalLocator().locate(np.zeros((0, 0), np.uint8)) == []


def _noise_field() -> GreyImage:
    return np.random.default_rng(1).integers(0, 256, (3000, 4000), dtype=np.uint8)


def _finder_field() -> GreyImage:
    ring = np.pad(np.pad(np.zeros((3, 3), np.uint8), 1, constant_values=255), 1)
    return np.tile(np.pad(ring, 4, constant_values=255).repeat(6, 0).repeat(6, 1), (12, 12))


@pytest.mark.parametrize("make", [_noise_field, _finder_field])
def test_hostile_pictures_take_bounded_time(make: Callable[[], GreyImage]) -> None:
    image = make()
    began = time.process_time()
    ClassicalLocator().locate(image)
    assert time.process_time() - began < 10


def test_agreement_tells_versions_turns_and_polarity_apart() -> None:
    image = scene(PLACES["upright"])
    corners: NDArray[np.float64] = np.array(PLACES["upright"], np.float64)
    pyramid = Pyramid(image)
    right = agreement(pyramid, corners, VERSION)
    assert right > 0.9
    assert agreement(pyramid, corners, VERSION + 1) < right - 0.1
    assert agreement(pyramid, np.roll(corners, 1, axis=0), VERSION) < right - 0.1
    assert agreement(Pyramid(inverted(image)), corners, VERSION) == pytest.approx(-right, abs=0.02)
