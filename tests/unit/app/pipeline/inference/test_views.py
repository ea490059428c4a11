"""Stretched pictures show steep codes to a locator, evened ones faint codes."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.inference.views import EvenedLocator, StretchedLocator, even, is_faint
from app.pipeline.locating.candidates import Candidate
from app.pipeline.quad import Quad as AnyQuad
from tests.support.bench import shipped_tools
from tests.support.codes import encode, square_at

Quad = NDArray[np.float64]


def farthest(found: Candidate, quad: Quad) -> float:
    """Pixels between the corners of both that are farthest apart, in the order that suits best."""
    turned = (np.roll(np.asarray(found.corners), turn, axis=0) for turn in range(4))
    return min(float(np.abs(one - quad).max()) for one in turned)


class Remembering:
    """A locator that answers one quad, as shares of the picture, and keeps its pictures."""

    def __init__(self, *places: Quad) -> None:
        self.places, self.shown = list(places), list[tuple[int, ...]]()

    def locate(self, image: GreyImage) -> list[Candidate]:
        self.shown.append(image.shape)
        if not self.places:
            return []
        quad = self.places.pop(0) * image.shape[::-1]
        first, second, third, fourth = ((float(x), float(y)) for x, y in quad)
        return [Candidate((first, second, third, fourth), 25, 0.9)]


SHARE = np.array([[0.2, 0.3], [0.4, 0.3], [0.4, 0.5], [0.2, 0.5]])


@pytest.mark.parametrize(("shape", "reduced"), [((400, 600), 1.0), ((3000, 2000), 0.5)])
def test_a_picture_is_stretched_either_way_and_corners_are_mapped_back(shape: tuple[int, int], reduced: float) -> None:
    """Large pictures are reduced first; both views see the same code."""
    inner = Remembering(SHARE, SHARE)
    (found,) = StretchedLocator(inner).locate(np.zeros(shape, np.uint8))
    height, width = (round(reduced * side) for side in shape)
    assert inner.shown == [(height, 3 * width), (3 * height, width)]
    assert farthest(found, SHARE * shape[::-1]) < 1e-6


def test_the_best_of_the_stretched_views_is_kept() -> None:
    far = SHARE + 0.4
    assert len(StretchedLocator(Remembering(SHARE, far)).locate(np.zeros((400, 600), np.uint8))) == 2
    assert len(StretchedLocator(Remembering(SHARE, far), limit=1).locate(np.zeros((400, 600), np.uint8))) == 1
    assert StretchedLocator(Remembering()).locate(np.zeros((400, 600), np.uint8)) == []
    assert StretchedLocator(Remembering(SHARE)).locate(np.zeros((0, 0), np.uint8)) == []


# --- evened ---------------------------------------------------------------------------------------------------------


def shaded_dots(longest: int, contrast: float = 6.0) -> tuple[GreyImage, Quad]:
    """A symbol of separate dots, ``contrast`` grey levels darker than a ground whose tone changes by 190; also its
    corners."""
    modules = encode("6 grey levels on 190", version=2)
    pixels = longest // 40
    side = len(modules) * pixels
    left, top = longest // 5, longest // 4
    picture = np.zeros((longest, longest), np.float32)
    for row, column in np.argwhere(modules):
        centre = left + round((column + 0.5) * pixels), top + round((row + 0.5) * pixels)
        cv2.circle(picture, centre, round(0.32 * pixels), -contrast, -1, cv2.LINE_AA)
    x, y = np.meshgrid(np.linspace(0, 1, longest), np.linspace(0, 1, longest))
    noise = np.random.default_rng(5).normal(0, 1.5, picture.shape)
    return np.asarray(np.clip(30 + 95 * (x + y) + picture + noise, 0, 255), np.uint8), square_at(left, top, side)


@pytest.mark.parametrize("longest", [480, 1600])
def test_a_code_fainter_than_the_shading_shows_in_the_evened_picture_alone(longest: int) -> None:
    tools = shipped_tools()
    picture, corners = shaded_dots(longest)
    module = longest // 40
    assert all(farthest(one, corners) > 6 * module for one in tools.windows.locate(picture))
    (found,) = EvenedLocator(tools.windows, least=0.8).locate(picture)
    assert farthest(found, corners) < 2 * module


@pytest.mark.parametrize(("contrast", "faint"), [(6.0, True), (20.0, True), (80.0, False)])
def test_a_code_is_faint_if_it_hardly_differs_from_its_surroundings(contrast: float, faint: bool) -> None:
    picture, corners = shaded_dots(480, contrast)
    assert is_faint(picture, AnyQuad.of(corners)) is faint


def test_nothing_shows_in_a_flat_or_an_empty_picture() -> None:
    locator = EvenedLocator(shipped_tools().windows, least=0.8)
    assert locator.locate(np.full((300, 400), 90, np.uint8)) == []
    assert locator.locate(np.zeros((0, 0), np.uint8)) == []


def test_an_evened_picture_has_the_same_mean_and_contrast_everywhere() -> None:
    picture, _ = shaded_dots(480)
    halves = np.s_[:240], np.s_[240:]
    means, deviations = (
        [[how(one[rows, columns]) for rows in halves for columns in halves] for one in (picture, even(picture))]
        for how in (np.mean, np.std)
    )
    assert np.ptp(means[1]) < 30 < 80 < np.ptp(means[0])
    assert np.ptp(deviations[1]) < 12
    assert even(np.full((50, 70), 200, np.uint8)).std() == 0


def test_a_picture_that_is_flat_but_for_one_place_is_evened_without_warnings() -> None:
    """Sums that run along rows leave a little less than nothing where a picture is flat."""
    picture = np.full((300, 400), 220, np.uint8)
    picture[40:60, 50:70] = 0
    assert np.isin(even(picture)[150:], 128).all()
