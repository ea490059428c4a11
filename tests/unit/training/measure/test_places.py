"""Reads are counted by place as the field counts them."""

from app.pipeline.quad import Quad, square
from training.measure.places import PlaceCount, assign, count_places


def box(left: float, top: float, side: float = 10) -> Quad:
    return Quad.of(square(side)).moved(left, top)


def test_each_code_takes_an_answer_of_its_own() -> None:
    quads = [box(0, 0), box(100, 0)]
    answers = [box(101, 1), box(2, 2), box(-1, 3)]
    assert assign(quads, answers) == [1, 0]
    assert count_places(quads, answers) == PlaceCount(codes=2, hits=2, extras=1)


def test_a_centre_beside_every_code_is_extra() -> None:
    quads = [box(0, 0), box(20, 0)]
    assert assign(quads, [box(10.5, 0)]) == [None, None]
    assert count_places(quads, [box(10.5, 0)]) == PlaceCount(codes=2, hits=0, extras=1)


def test_a_second_answer_on_a_code_is_extra() -> None:
    assert count_places([box(0, 0)], [box(0, 0), box(1, 1)]) == PlaceCount(codes=1, hits=1, extras=1)


def test_only_the_centre_counts_not_the_size() -> None:
    assert assign([box(0, 0)], [box(-45, -45, side=100)]) == [0]
    assert assign([box(0, 0, side=100)], [box(80, 80)]) == [0]


def test_counts_add_up() -> None:
    assert PlaceCount(3, 2, 1) + PlaceCount(4, 1, 0) == PlaceCount(7, 3, 1)
