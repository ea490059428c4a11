"""Creased sheets show every point where they say, and light their facets apart."""

import cv2
import numpy as np
import pytest

from training.data.creases import Sheet, crumpled, folded

SIDE, MODULE = 240, 8.0


def sheet(seed: int, amplitude: float = 6.0) -> Sheet:
    return Sheet.random(np.random.default_rng(seed), SIDE, amplitude=amplitude, module=MODULE)


@pytest.mark.parametrize("seed", range(8))
def test_points_are_seen_where_they_are_said_to_be(seed: int) -> None:
    """Spots on the sheet come to lie at `seen_at`."""
    creased = sheet(seed)
    spots = np.array([[60.0, 60.0], [180.0, 60.0], [180.0, 180.0], [60.0, 180.0], [120.0, 120.0]])
    places = creased.seen_at(spots)
    assert np.abs(places - spots).max() > 0.2
    for spot, place in zip(spots.astype(int), places, strict=True):
        image = np.zeros((SIDE, SIDE), np.float32)
        image[spot[1] - 3 : spot[1] + 3, spot[0] - 3 : spot[0] + 3] = 1
        seen = creased.see(image)
        rows, columns = np.indices(seen.shape) + 0.5
        centre = np.array([(columns * seen).sum(), (rows * seen).sum()]) / seen.sum()
        assert np.linalg.norm(centre - place) < 1.5


def test_a_larger_amplitude_moves_farther_but_hides_nothing() -> None:
    points = np.random.default_rng(1).uniform(20, SIDE - 20, (200, 2))
    for seed in range(8):
        small, large = (np.std(sheet(seed, amplitude).seen_at(points) - points) for amplitude in (1.0, 4.0))
        assert large >= small
        relief = sheet(seed, 60.0)
        slopes = np.hypot(*np.gradient(relief.relief)) * np.linalg.norm(relief.tilt)
        assert np.quantile(slopes, 0.98) < 0.62


def test_reliefs_have_no_plane_and_unit_deviation() -> None:
    for seed in range(4):
        for relief in (folded(np.random.default_rng(seed), SIDE, 3), crumpled(np.random.default_rng(seed), SIDE, 20)):
            assert relief.mean() == pytest.approx(0, abs=1e-3)
            assert relief.std() == pytest.approx(1, abs=1e-3)
            y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
            assert abs((relief * x).mean()) + abs((relief * y).mean()) < 1e-3


def test_folds_are_flat_between_their_creases() -> None:
    """Second differences are 0 but at few places."""
    for make, count in ((folded, 2), (crumpled, 12)):
        relief = make(np.random.default_rng(5), SIDE, count)
        bend = np.abs(cv2.Laplacian(relief, cv2.CV_32F))[2:-2, 2:-2]
        assert np.quantile(bend, 0.75) < 1e-3
        assert bend.max() > 0.01


def test_facets_are_lit_apart() -> None:
    spread = [float(sheet(seed, 12.0).shading.std()) for seed in range(12)]
    assert np.median(spread) > 0.03
    flat = Sheet(np.zeros((9, 9), np.float32), np.zeros(2), np.array([0.6, 0.0, 0.8]))
    assert flat.shading == pytest.approx(np.ones((9, 9)))
