import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.gates import Gates
from app.pipeline.locating.registering import Registration, register
from app.pipeline.qrcode.patterns import dimension
from tests.support.codes import encode, photograph, square_at

MODULE = 5.0


def tilted(version: int) -> NDArray[np.float64]:
    """Outer corners of a symbol in slight perspective, about MODULE pixels a module."""
    side = dimension(version) * MODULE
    middle = np.array([side, side]) * 0.5 + 60
    angle = np.deg2rad(13)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    bent = np.array([[0.02, -0.01], [-0.03, 0.02], [0.01, 0.03], [0.0, -0.02]]) * side
    quad: NDArray[np.float64] = (square_at(-side / 2, -side / 2, side) + bent) @ turn + middle
    return quad


def picture_of(version: int, corners: NDArray[np.float64], *, inverted: bool = False) -> NDArray[np.uint8]:
    side = int(dimension(version) * MODULE + 120)
    return photograph(
        encode(f"version {version}", version=version, error="l"),
        corners,
        (side, side),
        dark=200 if inverted else 40,
        light=50 if inverted else 210,
    )


def shaken(corners: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """The corners, each displaced by 0.8 module in another direction."""
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, 4)
    return corners + 0.8 * MODULE * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def farthest(found: Registration, corners: NDArray[np.float64]) -> float:
    """The error of the worst corner, in modules."""
    return float(np.linalg.norm(found.corners - corners, axis=1).max()) / MODULE


@pytest.mark.parametrize("start", range(4))
@pytest.mark.parametrize("version", [1, 2, 5, 7, 10])
def test_corners_and_version_are_found_from_any_starting_corner(version: int, start: int) -> None:
    corners = tilted(version)
    guess = np.roll(shaken(corners, seed=10 * version + start), -start, axis=0)
    best = register(picture_of(version, corners), guess, dimension(version))[0]
    assert best.version == version
    assert farthest(best, corners) < 0.35
    assert 0.8 < best.agreement <= 1
    assert not best.inverted


@pytest.mark.parametrize("version", [2, 7])
def test_inverted_symbols_are_recognised(version: int) -> None:
    corners = tilted(version)
    best = register(picture_of(version, corners, inverted=True), shaken(corners, seed=1), dimension(version))[0]
    assert best.inverted
    assert best.version == version
    assert farthest(best, corners) < 0.35
    assert best.agreement > 0.8


@pytest.mark.parametrize("shape", [(1.0, 0.25), (0.25, 1.0)], ids=["flat", "narrow"])
def test_symbols_in_steep_perspective_agree_as_well_as_frontal_ones(shape: tuple[float, float]) -> None:
    """A module is four times as long as wide; patterns are compared after rectification."""
    front = tilted(3)
    aside = (front - front.mean(axis=0)) * np.array(shape) * 1.5 + front.mean(axis=0)
    guess = aside + (shaken(front, seed=6) - front) * np.array(shape)
    best, seen_in_front = (
        register(picture_of(3, quad), rough, dimension(3))[0] for quad, rough in ((aside, guess), (front, front))
    )
    assert best.version == 3
    assert best.agreement > seen_in_front.agreement - 0.08
    assert np.abs((best.corners - aside) / np.array(shape)).max() < 0.5 * 1.5 * MODULE


@pytest.mark.parametrize("version", [1, 4, 8, 15])
def test_unknown_versions_are_found_out(version: int) -> None:
    corners = tilted(version)
    best = register(picture_of(version, corners), shaken(corners, seed=2), None)[0]
    assert best.version == version
    assert farthest(best, corners) < 0.5  # compared at a scale that does not fit the version


@pytest.mark.parametrize("offset", [-2, -1, 1, 2])
def test_a_version_off_by_up_to_two_is_corrected(offset: int) -> None:
    corners = tilted(6)
    best = register(picture_of(6, corners), shaken(corners, seed=3), dimension(6 + offset))[0]
    assert best.version == 6
    assert farthest(best, corners) < 0.35


def test_corners_may_come_anticlockwise() -> None:
    corners = tilted(3)
    best = register(picture_of(3, corners), shaken(corners, seed=4)[::-1], dimension(3))[0]
    assert best.version == 3
    assert farthest(best, corners) < 0.35


def test_noise_agrees_with_nothing() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (240, 240), dtype=np.uint8)
    for modules in (None, 25, 45):
        found = register(noise, square_at(50, 50, 140), modules)
        assert all(registration.agreement < 0.5 for registration in found)


def test_flat_pictures_agree_with_nothing() -> None:
    found = register(np.full((200, 200), 90, np.uint8), square_at(40, 40, 100), 25)
    assert all(registration.agreement < 0.1 for registration in found)


@pytest.mark.parametrize(
    "quad",
    [
        [[50, 50]] * 4,
        square_at(50, 50, 10),
        [[20, 20], [120, 20], [120, 120], [100, 40]],  # not convex
        [[20, 20], [120, 120], [120, 20], [20, 120]],  # crossed
        [[20, 20], [80, 20], [140, 20], [200, 20]],  # a line
    ],
    ids=["point", "tiny", "dart", "crossed", "line"],
)
def test_degenerate_quads_give_nothing(quad: list[list[float]]) -> None:
    noise = np.random.default_rng(6).integers(0, 256, (220, 220), dtype=np.uint8)
    assert register(noise, quad, 25) == []


def test_the_best_come_first_and_their_number_is_bounded() -> None:
    corners = tilted(2)
    grain = np.random.default_rng(1).normal(0, 600, (245, 245))
    noisy = np.clip(picture_of(2, corners) + grain, 0, 255).astype(np.uint8)
    both = register(noisy, corners, 25, keep=2)
    assert len(both) == 2
    assert both[0].agreement > both[1].agreement
    only = register(noisy, corners, 25, keep=1)
    assert [found.agreement for found in only] == [both[0].agreement]


def test_a_place_is_returned_once() -> None:
    corners = tilted(3)
    found = register(picture_of(3, corners), shaken(corners, seed=8), dimension(3), keep=9)
    assert sum(one.version == 3 and farthest(one, corners) < 0.5 for one in found) == 1


# --- how much is tried ----------------------------------------------------------------------------------------------


def test_a_quad_that_agrees_too_little_where_it_starts_is_not_refined() -> None:
    corners = tilted(3)
    picture, guess = picture_of(3, corners), shaken(corners, seed=8)
    assert register(picture, guess, dimension(3), least_start=Gates().start)[0].agreement > 0.8
    assert register(picture, guess, dimension(3), least_start=0.99) == []
    noise = np.random.default_rng(9).integers(0, 256, picture.shape, dtype=np.uint8)
    assert register(noise, guess, dimension(3), least_start=Gates().start) == []


@pytest.mark.parametrize(("version", "seed"), [(2, 4), (2, 12), (2, 30), (2, 39), (2, 43), (7, 1)])
def test_patience_finds_what_the_most_promising_hypotheses_miss(version: int, seed: int) -> None:
    """Corners that are off by an eighth of the side: of 240 such quads these are all that need patience."""
    corners = tilted(version)
    off = np.random.default_rng(seed).normal(0, 0.12 * dimension(version) * MODULE, (4, 2))
    picture = picture_of(version, corners)
    hasty = register(picture, corners + off, dimension(version))
    assert all(one.agreement < 0.6 for one in hasty)
    best = register(picture, corners + off, dimension(version), is_patient=True)[0]
    assert best.agreement > 0.9
    assert farthest(best, corners) < 0.35


@pytest.mark.parametrize("modules", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("version", [27, 33, 40])
def test_a_large_symbol_whose_corners_are_right_is_found(version: int, modules: bool) -> None:
    """What agreed at once was lost: a few steps at the coarsest blur, as wide as several modules, moved it away."""
    corners = tilted(version)
    best = register(picture_of(version, corners), corners, dimension(version) if modules else None)[0]
    assert best.version == version
    assert farthest(best, corners) < 0.35
    assert best.agreement > 0.8


# --- without a quiet zone -------------------------------------------------------------------------------------------


def on_bare_page(version: int, corners: NDArray[np.float64], *, inverted: bool) -> NDArray[np.uint8]:
    """`picture_of`, with everything around the symbol in the tone of its dark modules."""
    picture = picture_of(version, corners, inverted=inverted)
    inside = np.zeros(picture.shape, dtype=np.uint8)
    cv2.fillConvexPoly(inside, np.rint(corners).astype(np.int32), 1)
    return np.where(inside > 0, picture, np.uint8(200 if inverted else 40))


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(("version", "error"), [(1, 0.9), (3, 0.4), (7, 0.4), (12, 0.6)])
def test_symbols_on_a_page_of_their_own_tone_are_found(version: int, error: float, inverted: bool) -> None:
    """Version 1 has no pattern near its fourth corner, so that nothing holds it but perspective."""
    corners = tilted(version)
    picture = cv2.GaussianBlur(on_bare_page(version, corners, inverted=inverted), (0, 0), 0.4 * MODULE)
    best = register(np.asarray(picture, np.uint8), shaken(corners, seed=version), dimension(version))[0]
    assert best.version == version
    assert best.bare
    assert best.inverted is inverted
    assert best.agreement > 0.7
    assert farthest(best, corners) < error


def test_symbols_with_a_quiet_zone_are_compared_with_it() -> None:
    corners = tilted(3)
    assert not any(one.bare for one in register(picture_of(3, corners), shaken(corners, seed=2), dimension(3)))
