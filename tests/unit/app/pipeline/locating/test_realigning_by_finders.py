"""Candidates whose corners are far off are found again by their finder patterns."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.locating.candidates import Candidate, candidate_of
from app.pipeline.locating.finder_patterns import realign_by_finders
from app.pipeline.locating.registering import register
from tests.support.codes import encode, photograph, square_at

SIDE = 125.0
PLACE = square_at(150.0, 140.0, SIDE)
DIRECTIONS = [0.0, 0.8, 2.1, 3.3, 4.6]


def picture() -> GreyImage:
    return photograph(encode("by its corners", version=2), PLACE, (420, 440), dark=40, light=210)


def shifted(share: float, direction: float, place: NDArray[np.float64] = PLACE) -> Candidate:
    """A candidate that is this share of the code's side away from it, in a direction in radians."""
    step = share * SIDE * np.array([np.cos(direction), np.sin(direction)])
    return candidate_of(place + step, 25, 0.9)


def off_by(candidate: Candidate) -> float:
    """The error of the worst corner, in modules of 5 pixels, whichever corner is first."""
    corners = np.asarray(candidate.corners)
    return min(float(np.linalg.norm(np.roll(corners, turn, axis=0) - PLACE, axis=1).max()) / 5 for turn in range(4))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_code_nearly_a_third_of_its_side_away_is_found(direction: float) -> None:
    candidate = shifted(0.3, direction)
    alone = register(picture(), candidate.corners, 25, is_patient=True)
    assert all(one.agreement < 0.62 for one in alone)
    best = realign_by_finders(picture(), candidate, limit=2, least=0.4)[0]
    assert best.dimension == 25
    registered = register(picture(), best.corners, best.dimension, is_patient=True)[0]
    assert registered.agreement > 0.9
    assert np.abs(registered.corners - PLACE).max() < 2.0


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_code_a_fifth_of_its_side_away_is_found_to_two_modules(direction: float) -> None:
    best = realign_by_finders(picture(), shifted(0.2, direction), limit=2, least=0.4)[0]
    assert off_by(best) < 2.0
    assert best.score > 0.7


def test_corners_may_come_anticlockwise() -> None:
    candidate = candidate_of(np.asarray(shifted(0.2, 0.8).corners)[::-1], 25, 0.9)
    assert off_by(realign_by_finders(picture(), candidate, limit=1, least=0.4)[0]) < 2.0


def test_only_better_candidates_come_of_it_and_their_number_is_bounded() -> None:
    candidate = shifted(0.2, 0.8)
    every = realign_by_finders(picture(), candidate, limit=9, least=0.0)
    assert [one.score for one in every] == sorted((one.score for one in every), reverse=True)
    assert all(one.score >= 0.4 for one in realign_by_finders(picture(), candidate, limit=9, least=0.4))
    assert realign_by_finders(picture(), candidate, limit=0, least=0.4) == []
    assert realign_by_finders(picture(), candidate, limit=9, least=1.01) == []


@pytest.mark.parametrize("grey", [0, 210])
def test_where_no_code_is_nothing_is_found(grey: int) -> None:
    assert realign_by_finders(np.full((420, 440), grey, np.uint8), shifted(0, 0), limit=2, least=0.4) == []
    noise = np.random.default_rng(grey).integers(0, 256, (420, 440), dtype=np.uint8)
    assert realign_by_finders(noise, shifted(0, 0), limit=2, least=0.4) == []


def test_quads_that_no_code_has_are_left_out() -> None:
    assert realign_by_finders(picture(), candidate_of(PLACE[[0, 2, 1, 3]], 25, 0.9), limit=2, least=0.0) == []
    assert realign_by_finders(picture(), candidate_of(square_at(150, 140, 5), 25, 0.9), limit=2, least=0.0) == []
