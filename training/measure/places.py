"""Counts reads by place, the field's own protocol for pictures with several codes (BoofCV's QR code benchmark).

A labelled code is hit if it holds the centre of an answer of its own. Answers left over are extra: they lie on no
labelled code, or on one that has its answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.pipeline.quad import Quad


@dataclass(frozen=True)
class PlaceCount:
    """Labelled codes, those of them that are hit, and extra answers; counts add up."""

    codes: int = 0
    hits: int = 0
    extras: int = 0

    def __add__(self, other: "PlaceCount") -> "PlaceCount":
        return PlaceCount(self.codes + other.codes, self.hits + other.hits, self.extras + other.extras)


def assign(quads: Sequence[Quad], answers: Sequence[Quad]) -> list[int | None]:
    """For each labelled outline, in their order, the index of the first answer left whose centre it holds, or None."""
    free = list(range(len(answers)))
    assigned: list[int | None] = []
    for quad in quads:
        own = next((index for index in free if quad.contains(answers[index].centre)), None)
        if own is not None:
            free.remove(own)
        assigned.append(own)
    return assigned


def count_places(quads: Sequence[Quad], answers: Sequence[Quad]) -> PlaceCount:
    """Counts the answers to one picture."""
    hits = sum(own is not None for own in assign(quads, answers))
    return PlaceCount(len(quads), hits, len(answers) - hits)
