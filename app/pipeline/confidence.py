"""How likely another picture of a code, taken in the same way, is read as well."""

from math import exp
from typing import Final

from app.pipeline.results import Found

GROUPS: Final = (("direct", "variants"), ("rectified", "modules"), ("soft", "flattened"))
"""Rungs by how much of the ladder is left to fall back on. The others read too seldom to be measured."""
WEIGHTS: Final = (3.717, 0.590, -0.667, -0.999, 2.995)
"""Weights of `features`, in logits: logistic regression on the 646 QR codes that read in 900 pictures of seed 1, and on
64 small ones in 400, ``python -m training.measure.confidence --fit --count 900 --small 400``. What error correction had
left, the size of a module, the version and the evidence of soft decoding were tried, too, and told no more of codes
left out (docs/measurements.md).
"""


def features(found: Found) -> tuple[float, ...] | None:
    """What the confidence of a code depends on: which of the `GROUPS` of rungs read it, or whether it is a small one,
    which climbs no rungs (1 for that and 0 for the others), and how well its function patterns were seen, 0 to 1. None
    where that is not measured: the codewords are not known, or the rung is in no group."""
    contents = found.symbol.contents
    if contents is None or not any(found.rung in group for group in GROUPS):
        return None
    is_small = contents.small_version is not None
    groups = [not is_small and found.rung in group for group in GROUPS]
    return *map(float, groups), float(is_small), contents.agreement


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
