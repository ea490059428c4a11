"""Registers Micro QR codes: where around a finder pattern the timing patterns and the quiet zone that belong to it
agree with the picture.

Each hypothesis (version, direction) predicts the known modules and the quiet zone around the finder pattern. The best
are refined as parallelograms: one finder pattern and two timing patterns in one corner of the symbol do not determine a
perspective, and to follow one cost four of 200 blurred M1 codes.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.locating.small_fits import fit
from app.pipeline.locating.surroundings import TURNS, Beginnings, Surroundings
from app.pipeline.qrcode.small.patterns import small_patterns
from app.pipeline.qrcode.small.versions import MICRO_VERSIONS
from app.pipeline.quad import Quad, side_length

# Of 600 codes, blurred (micro-M1, -M3, -M4) or sharp (cleanmicro-M1, -M3, -M4), 99 % of those found in their true size
# start with 0.83 or more, at most 0.13 below the best hypothesis, and end with 0.92 or more; of 31 finder patterns in
# 100 scenes without a code three in four start with 0.68 or less, and the best ends with 0.895.
_LEAST_START: Final = 0.8  # agreement of the best hypothesis before it is refined
_RIVAL_START: Final = 0.15  # below the best, from which others are not refined
_STARTS: Final = 4  # hypotheses that are refined
LEAST_AGREEMENT: Final = 0.9
"""Agreement with the picture below which there is no Micro QR code: the error correction of M1 alone is no evidence."""


@dataclass(frozen=True, slots=True)
class MicroPlace:
    """Where a Micro QR code of ``version`` may be: outer ``corners`` (4, 2) in picture pixels, clockwise from its own
    top left; ``agreement`` is the correlation, 0 to 1, of known modules and quiet zone with the picture; ``inverted``:
    light and dark are exchanged."""

    corners: NDArray[np.float64]
    version: str
    agreement: float
    inverted: bool

    @property
    def module(self) -> float:
        """Pixels a module."""
        return side_length(self.corners) / micro_side(self.version)

    @property
    def quad(self) -> Quad:
        return Quad.of(self.corners)


def micro_side(version: str) -> int:
    """Modules a side of "M1" to "M4"."""
    return len(small_patterns(version).known)


@cache
def _beginnings() -> Beginnings:
    return Beginnings.of([(version, None) for version in MICRO_VERSIONS])


def register_micro(image: GreyImage, around: Surroundings) -> list[MicroPlace]:
    """The hypotheses, at most ``_STARTS``, that agree best with the picture around a finder pattern; best first, or
    none."""
    scores = around.agreements(_beginnings())[:TURNS]
    starts = around.promising(scores, least=_LEAST_START, rival=_RIVAL_START, most=_STARTS)
    found = [_refine(image, around, direction, MICRO_VERSIONS[number]) for direction, number in starts]
    found = [place for place in found if place.agreement >= LEAST_AGREEMENT]
    return sorted(found, key=lambda place: -place.agreement)


def _refine(image: GreyImage, around: Surroundings, direction: int, version: str) -> MicroPlace:
    side = micro_side(version)
    start = around.corners(direction, side, side)
    best = fit(image, start, version, (0, side), around.sign, affine=True)
    return MicroPlace(best.corners, version, best.agreement, around.sign < 0)
