"""The outline of a code: arithmetic, point tests, and the guarantees that other modules rely on."""

import pickle

import numpy as np
import pytest

from app.pipeline.quad import Quad, elongation

SLANTED = Quad.of([(10, 20), (110, 30), (100, 140), (5, 120)])


def test_any_form_of_four_points_makes_the_same_quad() -> None:
    flat = Quad.of([10, 20, 110, 30, 100, 140, 5, 120])
    assert flat == SLANTED == Quad.of(SLANTED) == Quad.of(SLANTED.as_tuple)
    assert hash(flat) == hash(SLANTED)
    assert Quad.of(SLANTED.array + 1e-9) != SLANTED
    assert SLANTED.as_tuple != SLANTED
    with pytest.raises(ValueError, match="reshape"):
        Quad.of([(0, 0), (1, 0), (1, 1)])


def test_a_quad_cannot_be_changed() -> None:
    corners = np.array([[0.0, 0], [9, 0], [9, 9], [0, 9]])
    quad = Quad.of(corners)
    corners[0] = 5
    assert quad.as_tuple[0] == (0, 0)
    with pytest.raises(ValueError, match="read-only"):
        quad.array[0] = 5


def test_a_quad_may_be_scaled_and_then_moved() -> None:
    moved = Quad.of([(8, 4), (20, 4), (20, 16), (8, 16)]).scaled(0.25).moved(100, 50)
    assert moved.as_tuple == ((102, 51), (105, 51), (105, 54), (102, 54))


def test_the_centre_is_the_mean_of_the_corners() -> None:
    assert SLANTED.centre == (225 / 4, 310 / 4)


def test_the_outline_belongs_to_the_inside() -> None:
    square = Quad.of([(0, 0), (10, 0), (10, 10), (0, 10)])
    assert square.contains((5, 5))
    assert square.contains((10, 5))
    assert not square.contains((10.01, 5))


def test_overlap_is_intersection_over_union() -> None:
    square = Quad.of([(0, 0), (10, 0), (10, 10), (0, 10)])
    assert square.overlap(square) == pytest.approx(1)
    assert square.overlap(square.moved(5, 0)) == pytest.approx(1 / 3)
    assert square.overlap(square.moved(10.5, 0)) == 0
    assert Quad.of(np.zeros((4, 2))).overlap(Quad.of(np.zeros((4, 2)))) == 0


def test_bounds_and_area_are_those_of_the_outline() -> None:
    assert SLANTED.bounds == (5, 20, 110, 140)
    assert SLANTED.area == pytest.approx(10350)
    assert Quad.of(SLANTED.array[::-1]).area == pytest.approx(10350)
    assert Quad.of([(0, 0), (9, 0), (9, 0), (0, 0)]).area == 0


def test_the_share_inside_another_counts_its_own_area_only() -> None:
    square = Quad.of([(0, 0), (10, 0), (10, 10), (0, 10)])
    large = Quad.of([(-20, -20), (5, -20), (5, 30), (-20, 30)])
    assert square.share_inside(large) == pytest.approx(0.5)
    assert large.share_inside(square) == pytest.approx(50 / 1250)
    assert square.share_inside(square.scaled(3)) == pytest.approx(1)
    assert square.share_inside(square.moved(10, 0)) == 0
    assert Quad.of(np.zeros((4, 2))).share_inside(square) == 0


def test_quads_whose_bounds_meet_may_still_be_apart() -> None:
    """Two triangles-like halves of a square, a step apart along the diagonal."""
    lower = Quad.of([(0, 2), (8, 10), (0, 10), (0, 6)])
    upper = Quad.of([(2, 0), (10, 0), (10, 8), (6, 4)])
    assert lower.overlap(upper) == pytest.approx(0, abs=1e-6)
    assert lower.share_inside(upper) == pytest.approx(0, abs=1e-6)


def test_points_may_be_moved_towards_the_centre() -> None:
    square = Quad.of([(0, 0), (10, 0), (10, 10), (0, 10)])
    assert square.towards_centre(0) == square.as_tuple
    assert square.towards_centre(0.2) == ((1, 1), (9, 1), (9, 9), (1, 9))
    assert square.towards_centre(1) == ((5, 5),) * 4


def test_numpy_accepts_a_quad_as_an_array() -> None:
    assert np.asarray(SLANTED, dtype=np.float32).dtype == np.float32
    copy = np.array(SLANTED)
    copy += 1
    assert np.array_equal(copy, SLANTED.array + 1)


def test_a_quad_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(SLANTED)) == SLANTED


def test_a_sound_quad_is_convex_in_either_direction_and_large_enough() -> None:
    assert SLANTED.is_sound
    assert Quad.of(SLANTED.array[::-1]).is_sound
    assert not SLANTED.scaled(0.05).is_sound
    assert not Quad.of(SLANTED.array[[0, 2, 1, 3]]).is_sound
    assert not Quad.of([(10, 20), (110, 30), (30, 40), (5, 120)]).is_sound


def test_elongation_is_the_same_whichever_side_is_longer() -> None:
    assert elongation([(0, 0), (30, 0), (30, 10), (0, 10)]) == pytest.approx(3)
    assert elongation([(0, 0), (10, 0), (10, 30), (0, 30)]) == pytest.approx(3)
    assert elongation([(0, 0), (10, 0), (10, 10), (0, 10)]) == pytest.approx(1)
