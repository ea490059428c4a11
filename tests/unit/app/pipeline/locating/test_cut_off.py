"""Candidates that the picture's edge cuts off become square again."""

import numpy as np
import pytest

from app.pipeline.locating.candidates import candidate_of
from app.pipeline.locating.cut_off import completed
from tests.support.codes import square_at

SHAPE = (300, 400)
SEEN = {
    "left": ([[0, 50], [160, 50], [160, 250], [0, 250]], square_at(-40, 50, 200)),
    "top": ([[100, 0], [300, 0], [300, 160], [100, 160]], square_at(100, -40, 200)),
    "right": ([[240, 50], [400, 50], [400, 250], [240, 250]], square_at(240, 50, 200)),
    "bottom": ([[100, 140], [300, 140], [300, 300], [100, 300]], square_at(100, 140, 200)),
}


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("side", SEEN)
def test_an_oblong_at_the_edge_is_made_square_beyond_it(side: str, turn: int) -> None:
    seen, whole = (np.roll(np.array(quad, dtype=np.float64), turn, axis=0) for quad in SEEN[side])
    found = completed(candidate_of(seen, 29, 0.9), SHAPE)
    assert found is not None
    assert np.allclose(found.corners, whole)
    assert found.dimension is None
    assert found.score == 0.9


@pytest.mark.parametrize(
    "quad",
    [
        [[100, 50], [260, 50], [260, 250], [100, 250]],  # nowhere near the edge
        square_at(0, 50, 200),  # square already
        [[100, 0], [260, 0], [260, 200], [100, 200]],  # longer across the edge than along it
        [[0, 20], [60, 20], [60, 280], [0, 280]],  # too little is left
    ],
    ids=["inside", "square", "upright", "strip"],
)
def test_others_are_left_alone(quad: list[list[float]]) -> None:
    assert completed(candidate_of(np.array(quad, dtype=np.float64), 29, 0.9), SHAPE) is None
