"""Registration of rMQR codes: where a finder pattern leads to, along the symbol."""

import numpy as np
import pytest

from app.pipeline.locating.rectangular import (
    LEAST_AGREEMENT,
    LEFT,
    LeftEnd,
    RectangularPlace,
    find_left_ends,
    follow,
)
from app.pipeline.locating.surroundings import Surroundings
from app.pipeline.qrcode.patterns import render
from app.pipeline.qrcode.small.patterns import small_patterns
from app.pipeline.qrcode.small.versions import modules_of
from app.pipeline.quad import Quad, oblong
from tests.support.rectangular_codes import VERSIONS, rectangular_modules, rectangular_picture
from tests.support.surroundings import blots, surroundings


def registered(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], version: str) -> list[RectangularPlace]:
    """All places of a version, the best first."""
    height, _ = modules_of(version) or (0, 0)
    ends = [one for around in surroundings(picture) for one in find_left_ends(picture, around)]
    places = [follow(picture, one, version) for one in ends if one.height == height]
    return sorted((one for one in places if one), key=lambda one: -one.agreement)


def distance(quad: Quad, truth: np.ndarray[tuple[int, ...], np.dtype[np.float64]], module: float) -> float:
    """The farthest that a corner is off, in modules."""
    return float(np.linalg.norm(quad.array - truth, axis=1).max() / module)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_version_has_anything_of_its_own_in_a_left_end(version: str) -> None:
    height, _ = modules_of(version) or (0, 0)
    patterns, longest = small_patterns(version), small_patterns(f"R{height}x139")
    assert np.array_equal(patterns.known[:, :LEFT], longest.known[:, :LEFT])
    assert np.array_equal(patterns.dark[:, :LEFT], longest.dark[:, :LEFT])


@pytest.mark.parametrize("version", VERSIONS)
def test_corners_are_found_within_half_a_module(version: str) -> None:
    modules = rectangular_modules(version, "M", "1234")
    picture, truth = rectangular_picture(modules, pixels=5, blur=0.5, noise=8, turn=2)
    best = registered(picture, version)[0]
    assert distance(best.quad, truth, 5) < 0.5
    assert best.agreement > 0.85
    assert (best.mirrored, best.inverted) == (False, False)


@pytest.mark.parametrize("turn", [0, 33, 90, 135, 178, 270])
@pytest.mark.parametrize("version", ["R9x43", "R17x99"])
def test_symbols_may_be_turned(version: str, turn: float) -> None:
    modules = rectangular_modules(version, "M", "1234")
    picture, truth = rectangular_picture(modules, pixels=6, blur=0.4, noise=5, turn=turn)
    assert distance(registered(picture, version)[0].quad, truth, 6) < 0.5


@pytest.mark.parametrize("inverted", [False, True], ids=["dark", "light"])
@pytest.mark.parametrize("mirrored", [False, True], ids=["upright", "mirrored"])
def test_symbols_may_be_mirrored_and_light_on_dark(inverted: bool, mirrored: bool) -> None:
    modules = rectangular_modules("R11x77", "M", "1234")
    picture, truth = rectangular_picture(modules, pixels=6, blur=0.5, noise=5, turn=91, mirrored=mirrored)
    best = registered(255 - picture if inverted else picture, "R11x77")[0]
    assert (best.mirrored, best.inverted) == (mirrored, inverted)
    assert distance(best.quad, truth, 6) < 0.5


@pytest.mark.parametrize("version", ["R7x139", "R11x59", "R17x139"])
@pytest.mark.parametrize(("tilt", "bend"), [(0.2, 0.0), (-0.2, 0.0), (0.0, 3.0), (0.1, -2.0)])
def test_perspective_and_bends_are_followed(version: str, tilt: float, bend: float) -> None:
    modules = rectangular_modules(version, "M", "1234")
    picture, truth = rectangular_picture(modules, pixels=6, blur=0.4, noise=5, turn=3, tilt=tilt, bend=bend)
    best = registered(picture, version)[0]
    assert distance(best.quad, truth, 6) < 0.7
    inner = best.strip.rectify(picture)[16:-16, 16:-16]
    assert np.corrcoef(inner.ravel(), render(modules, pixels=4, quiet_zone=0).ravel())[0, 1] > 0.7


def test_no_other_version_of_the_height_agrees_as_well() -> None:
    picture, _ = rectangular_picture(rectangular_modules("R13x77", "H", "1234"), pixels=6, blur=0.4, noise=5)
    best = registered(picture, "R13x77")[0].agreement
    for version in ("R13x27", "R13x43", "R13x59", "R13x99", "R13x139"):
        assert all(place.agreement < best - 0.02 for place in registered(picture, version)), version


def test_whatever_a_picture_shows_is_survived() -> None:
    """Noise and blots, at their edges and beyond: no error and no warning."""
    rng = np.random.default_rng(4)
    for picture, finder in blots(rng, 60):
        around = Surroundings.of(picture, finder)
        assert around is None or len(find_left_ends(picture, around)) <= 2
        version = VERSIONS[int(rng.integers(32))]
        rows, _ = modules_of(version) or (0, 0)
        corners = (oblong(LEFT, rows) * finder.module + finder.centre) + rng.uniform(-1, 1, (4, 2)) * finder.module
        place = follow(picture, LeftEnd(corners, rows, 1.0, finder.inverted), version)
        assert place is None or place.agreement >= LEAST_AGREEMENT


def test_a_version_of_another_height_is_refused() -> None:
    picture, _ = rectangular_picture(rectangular_modules("R13x77", "H", "1234"), pixels=6, blur=0.4, noise=5)
    left_end = find_left_ends(picture, surroundings(picture)[0])[0]
    with pytest.raises(ValueError, match="no left end of 13 rows"):
        follow(picture, left_end, "R11x77")
