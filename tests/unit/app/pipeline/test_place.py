"""Places, and the order in which the last rungs try them."""

from dataclasses import replace

import numpy as np

from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import Registration
from app.pipeline.place import Place, by_version
from app.pipeline.quad import Quad
from tests.support.codes import square_at

SQUARE = square_at(10, 10, 100)


def place(version: int, agreement: float) -> Place:
    registration = Registration(SQUARE, version=version, agreement=agreement, inverted=False)
    region = Region(registration, np.zeros((8, 8), np.uint8))
    return Place(Candidate(Quad.of(SQUARE), 25, 1.0), [region])


def test_the_most_credible_place_of_each_version_comes_first() -> None:
    places = [place(5, 0.6), place(5, 0.63), place(4, 0.57), place(6, 0.61), place(4, 0.58)]
    assert [(one.version, one.agreement) for one in by_version(places)] == [
        (5, 0.63),
        (6, 0.61),
        (4, 0.58),
        (5, 0.6),
        (4, 0.57),
    ]


def test_a_place_without_a_region_has_no_version() -> None:
    bare = replace(place(5, 0.6), regions=[])
    assert bare.version is None
    assert by_version([bare, place(2, 0.1)])[0].version == 2
