"""How likely another picture of a code, taken in the same way, is read as well."""

from math import exp
from typing import Final

from app.pipeline.results import Found

GROUPS: Final = (("direct", "variants"), ("rectified", "modules"), ("soft", "flattened"))
"""Rungs by how much of the ladder is left to fall back on. The others read too seldom to be measured."""
WEIGHTS: Final = (3.683, 0.553, -0.693, 3.039)
"""Weights of `features`, in logits: logistic regression on the 646 codes that read in 900 pictures of seed 1,
``python -m training.measure.confidence --fit --count 900``. With what error correction had left, the size of a module
and the version beside them, cross-validation got no better (docs/measurements.md).
"""


def features(found: Found) -> tuple[float, ...] | None:
    """What the confidence of a code depends on: which of the `GROUPS` of rungs read it, 1 for that and 0 for the
    others, and how well its function patterns were seen, 0 to 1. None where that is not measured: the codewords are not
    known, the rung is in no group, or the code is a Micro QR or rMQR code, whose chances came out otherwise each time.
    """
    contents = found.symbol.contents
    if contents is None or contents.version is None or not any(found.rung in group for group in GROUPS):
        return None
    return *(float(found.rung in group) for group in GROUPS), contents.agreement


def confidence(found: Found) -> float | None:
    """The chance, 0 to 1, that another picture of the code reads as well, with the same payload, at balanced effort and
    without a budget: one that shows it in the same place, of the same size, in the same light, with as much blur and
    noise, but blur and noise drawn anew.

    None where `features` are.
    """
    given = features(found)
    if given is None:
        return None
    return 1 / (1 + exp(-sum(weight * value for weight, value in zip(WEIGHTS, given, strict=True))))
