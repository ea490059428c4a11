"""Candidates are at the code's outer corners in every condition that leaves finder patterns, in bounded time."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import segno
from numpy.typing import NDArray

from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage, shrink
from app.pipeline.locating.candidates import Candidate, Locator, suppress_overlapping
from app.pipeline.locating.finder_patterns import FinderLocator
from app.pipeline.locating.locators import SightingLocator, WholePicture
from app.pipeline.locating.pyramid import Pyramid, agreement
from app.pipeline.qrcode.patterns import dimension, render
from app.pipeline.quad import Quad
from tests.support.timing import least_seconds

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
    """A code with its quiet zone in a 640 x 480 picture of soft clutter, with its outer corners at `corners`."""
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
def test_finder_patterns_give_the_place_of_the_code(
    spoil: Callable[[GreyImage], GreyImage], place: list[tuple[float, float]]
) -> None:
    best = FinderLocator().locate(spoil(scene(place)))[0]
    assert overlap(best, place) > 0.85
    assert best.dimension is not None
    assert abs(best.dimension - MODULES) <= 4
    assert best.score > 0.4


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("spoil", [untouched, noise, inverted, shaded])
def test_sightings_are_exact(spoil: Callable[[GreyImage], GreyImage], place: list[tuple[float, float]]) -> None:
    (best,) = SightingLocator().locate(spoil(scene(place)))
    assert overlap(best, place) > 0.97
    assert best.dimension == MODULES
    assert best.score > 0.9


@pytest.mark.parametrize("spoil", [motion, defocus])
def test_these_codes_are_out_of_reach_for_a_decoder(spoil: Callable[[GreyImage], GreyImage]) -> None:
    assert ZXing().read(spoil(scene(PLACES["upright"]))) == []


@pytest.mark.parametrize("locator", [SightingLocator(), FinderLocator()])
@pytest.mark.parametrize("version", [1, 7, 14])
def test_the_dimension_is_measured(locator: Locator, version: int) -> None:
    place = [(60.0, 60.0), (420.0, 60.0), (420.0, 420.0), (60.0, 420.0)]
    best = locator.locate(scene(place, version=version))[0]
    assert best.dimension == dimension(version)
    assert overlap(best, place) > 0.95


@pytest.mark.parametrize(("locator", "spoil"), [(SightingLocator(), shaded), (FinderLocator(), defocus)])
def test_every_code_of_a_picture_is_proposed_once(locator: Locator, spoil: Callable[[GreyImage], GreyImage]) -> None:
    places = [PLACES["upright"], PLACES["turned"]]
    image = np.asarray(cv2.hconcat([spoil(scene(place)) for place in places]), np.uint8)
    places[1] = [(x + 640, y) for x, y in places[1]]
    candidates = locator.locate(image)
    for place in places:
        assert sum(overlap(candidate, place) > 0.5 for candidate in candidates) == 1


@pytest.mark.parametrize("make", [SightingLocator, FinderLocator])
def test_candidates_are_ordered_and_limited(make: Callable[..., Locator]) -> None:
    image = np.asarray(np.tile(code(1), (3, 3)), np.uint8)
    scores = [candidate.score for candidate in make(limit=4).locate(image)]
    assert len(scores) == 4
    assert scores == sorted(scores, reverse=True)
    assert len(make(limit=2).locate(image)) == 2


@pytest.mark.parametrize("locator", [SightingLocator(), FinderLocator()])
@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (3, 4000), (5000, 20), (60, 60)])
def test_pictures_without_a_code_have_no_places(locator: Locator, shape: tuple[int, int]) -> None:
    for image in (np.full(shape, 90, np.uint8), np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)):
        assert locator.locate(image) == []


# --- whole pictures -------------------------------------------------------------------------------------------------


def crop_of(version: int, margin: int, *, pixels: int = 4) -> GreyImage:
    """A code that fills the picture except for ``margin`` modules on each side."""
    whole = code(version)
    spare = 8 * (4 - margin)
    inner = whole[spare : whole.shape[0] - spare, spare : whole.shape[0] - spare]
    return np.asarray(cv2.resize(inner, None, fx=pixels / 8, fy=pixels / 8, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("margin", [0, 1, 2, 4])
@pytest.mark.parametrize("version", [1, 2, 6])
def test_a_crop_is_proposed_as_the_code_it_shows(version: int, margin: int) -> None:
    image = defocus(crop_of(version, margin, pixels=6))
    low, high = margin * 6, image.shape[0] - margin * 6
    best = WholePicture().locate(image)[0]
    assert best.dimension == dimension(version)
    assert np.abs(np.array(best.corners) - [(low, low), (high, low), (high, high), (low, high)]).max() < 1e-6


def test_the_last_resort_is_the_frame_itself_of_any_version() -> None:
    image = crop_of(2, 4)
    candidates = WholePicture(limit=2).locate(image)
    height, width = image.shape
    assert candidates[-1] == Candidate(Quad.of([(0, 0), (width, 0), (width, height), (0, height)]), None, 0.0)
    assert len(candidates) == 3
    assert candidates[0].score >= candidates[1].score


def test_a_picture_that_agrees_with_no_version_is_no_code() -> None:
    assert WholePicture().locate(np.full((70, 90), 128, np.uint8)) == []


@pytest.mark.parametrize("shape", [(0, 0), (300, 2000)])
def test_empty_and_large_pictures_are_no_crops(shape: tuple[int, int]) -> None:
    assert WholePicture().locate(np.full(shape, 90, np.uint8)) == []


# --- time -----------------------------------------------------------------------------------------------------------


def _noise_field() -> GreyImage:
    return np.random.default_rng(1).integers(0, 256, (3000, 4000), dtype=np.uint8)


def _finder_field() -> GreyImage:
    ring = np.pad(np.pad(np.zeros((3, 3), np.uint8), 1, constant_values=255), 1)
    return np.tile(np.pad(ring, 4, constant_values=255).repeat(6, 0).repeat(6, 1), (12, 12))


@pytest.mark.parametrize("locator", [SightingLocator(), FinderLocator()])
@pytest.mark.parametrize("make", [_noise_field, _finder_field])
def test_hostile_pictures_take_bounded_time(make: Callable[[], GreyImage], locator: Locator) -> None:
    image = make()
    assert least_seconds(lambda: locator.locate(image)) < 10


# --- parts ----------------------------------------------------------------------------------------------------------


def at(left: float, side: float, score: float) -> Candidate:
    right = left + side
    return Candidate(Quad.of([(left, 0), (right, 0), (right, side), (left, side)]), 25, score)


def test_of_overlapping_candidates_the_best_is_kept() -> None:
    best, apart = at(0, 100, 0.9), at(200, 100, 0.5)
    over, beside = at(30, 100, 0.8), at(40, 100, 0.7)  # 0.54 and 0.43 of their union with the best is shared
    found = [apart, beside, over, best]
    assert suppress_overlapping(found, limit=9, least=0.3) == [best, beside, apart]
    assert suppress_overlapping(found, limit=2, least=0.3) == [best, beside]
    assert suppress_overlapping(found, limit=9, least=0.6) == [best, beside]
    assert suppress_overlapping([], limit=9, least=0.0) == []


@pytest.mark.parametrize("factor", [0.7, 0.4, 0.2, 0.05])
def test_shrinking_averages(factor: float) -> None:
    y, x = np.mgrid[0:481, 0:603]
    slope = (y / 8 + x / 4).astype(np.uint8)
    small = shrink(slope, factor)
    assert np.abs(np.array(small.shape) - np.array(slope.shape) * factor).max() <= 1
    middle = np.array([small.shape[0] // 2, small.shape[1] // 2])
    place = (middle + 0.5) / factor
    assert abs(float(small[tuple(middle)]) - (place[0] / 8 + place[1] / 4)) < 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 9000), (9000, 2), (24, 32_767)])
def test_thin_pictures_shrink_to_a_pixel_at_least(shape: tuple[int, int]) -> None:
    for factor in (0.5, 0.1, 0.005):
        small = shrink(np.full(shape, 7, np.uint8), factor)
        assert min(small.shape) >= 1
        assert (small == 7).all()


def test_agreement_distinguishes_versions_rotations_and_polarity() -> None:
    image = scene(PLACES["upright"])
    corners: NDArray[np.float64] = np.array(PLACES["upright"], np.float64)
    pyramid = Pyramid(image)
    right = agreement(pyramid, corners, VERSION)
    assert right > 0.9
    assert agreement(pyramid, corners, VERSION + 1) < right - 0.1
    assert agreement(pyramid, np.roll(corners, 1, axis=0), VERSION) < right - 0.1
    assert agreement(Pyramid(inverted(image)), corners, VERSION) == pytest.approx(-right, abs=0.02)
