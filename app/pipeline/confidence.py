"""How likely another picture of a code, taken in the same way, is read as well."""

from dataclasses import dataclass
from math import exp
from typing import Final

from app.pipeline.results import Found


@dataclass(frozen=True, slots=True)
class Chances:
    """What the chances of a kind of code depend on: ``groups`` of rungs, by how much of the ladder is left to fall back
    on, ``graded`` ones among them, whose chances depend on how well the function patterns were seen, and the
    ``weights`` of `features`, in logits. Other rungs read too seldom to be measured."""

    groups: tuple[tuple[str, ...], ...]
    graded: frozenset[int]
    weights: tuple[float, ...]


LARGE: Final = Chances(
    (("direct", "variants"), ("rectified", "modules"), ("soft", "flattened")),
    frozenset({1}),
    (8.213, -4.418, 1.321, 8.115),
)
"""Of QR codes: logistic regression on the 671 codes that read in 900 pictures of seed 1,
``python -m training.measure.confidence --fit --count 900``. With how well the function patterns of the other
groups were seen, cross-validation got no better (docs/measurements.md)."""
SMALL: Final = Chances((("direct", "variants"), ("micro",)), frozenset({0, 1}), (-17.002, -16.575, 19.740))
"""Of Micro QR and rMQR codes: the same on the 189 codes that read in 366 pictures of seed 1,
``python -m training.measure.confidence --fit --count 0 --small 366``."""


def chances_of(found: Found) -> Chances | None:
    """Those of its kind; None where the codewords are not known."""
    contents = found.symbol.contents
    if contents is None:
        return None
    return LARGE if contents.small_version is None else SMALL


def features(found: Found) -> tuple[float, ...] | None:
    """What the confidence of a code depends on: which of its groups of rungs read it, 1 for that and 0 for the others,
    and how well its function patterns were seen, 0 to 1, or 0 where that group is not graded. None where that is not
    measured: the codewords are not known, or the rung is in no group."""
    contents, chances = found.symbol.contents, chances_of(found)
    if contents is None or chances is None:
        return None
    reads = [found.rung in group for group in chances.groups]
    if not any(reads):
        return None
    return *map(float, reads), contents.agreement if reads.index(True) in chances.graded else 0.0


def confidence(found: Found) -> float | None:
    """The chance, 0 to 1, that another picture of the code reads as well, with the same payload, at balanced effort and
    without a budget: one that shows it in the same place, of the same size, in the same light, with as much blur and
    noise, but blur and noise drawn anew.

    None where `features` are.
    """
    given, chances = features(found), chances_of(found)
    if given is None or chances is None:
        return None
    return 1 / (1 + exp(-sum(weight * value for weight, value in zip(chances.weights, given, strict=True))))
