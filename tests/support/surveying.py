"""Climbs whose surveys tests make, with a locator that sees what a test says."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.pipeline.climb import Climb
from app.pipeline.engines.symbol import Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.candidates import Candidate
from app.pipeline.quad import Quad
from app.pipeline.reading import Read
from app.pipeline.results import Effort
from app.pipeline.surveys import surveys
from tests.support.bench import Bench, bench


def blank(longest: int) -> GreyImage:
    return np.full((longest * 3 // 4, longest), 220, np.uint8)


def climb_of(picture: GreyImage, made: Bench, *, effort: Effort = Effort.BALANCED, **tools: object) -> Climb:
    return Climb(picture, effort, replace(made.tools, **tools) if tools else made.tools)


def blind() -> Bench:
    made = bench()
    made.windows.quads = ()
    return made


def read_at(climb: Climb, *quads: NDArray[np.float64]) -> None:
    """Takes codes as read there."""
    symbols = [
        Symbol(str(number).encode(), str(number), "Text", "QRCode", 2, "M", "fake", Quad.of(quad))
        for number, quad in enumerate(quads)
    ]
    climb.take([Read(one) for one in symbols], "direct")


def candidate(quad: NDArray[np.float64], score: float = 1.0) -> Candidate:
    return Candidate(Quad.of(quad), 25, score)


def surveyed(climb: Climb, sighted: Sequence[Candidate] = ()) -> list[str]:
    """Makes every survey and registers its places; returns the names of the surveys that found candidates."""
    names = []
    for survey in surveys(climb, sighted):
        climb.register(survey)
        if survey.candidates:
            names.append(survey.name)
    return names
