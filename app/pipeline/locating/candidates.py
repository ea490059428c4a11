"""Candidates: places where locators suppose codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.quad import Quad

Points = NDArray[np.float64]
"""(N, 2) positions, x before y."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a code may be.

    `dimension`: modules a side, None if unknown. `score`: the locator's confidence, 0 to 1; locators that compare with
    the known function patterns give the magnitude of their correlation.
    """

    corners: Quad
    dimension: int | None
    score: float


class Locator(Protocol):
    """What a locator does: proposes candidates, best first, perhaps none."""

    def locate(self, image: GreyImage) -> list[Candidate]: ...


def candidate_of(quad: Points, modules: int | None, score: float) -> Candidate:
    """Makes a candidate of corners as an array (4, 2)."""
    return Candidate(Quad.of(quad), modules, score)


def suppress_overlapping(candidates: Iterable[Candidate], *, limit: int, least: float) -> list[Candidate]:
    """Non-maximum suppression of candidates: at most `limit` with a score of `least` or more, best first.

    Drops candidates whose intersection over union with a better one is 0.5 or more.
    """
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda candidate: -candidate.score):
        if len(kept) == limit or candidate.score < least:
            break
        if all(candidate.corners.overlap(other.corners) < 0.5 for other in kept):
            kept.append(candidate)
    return kept
