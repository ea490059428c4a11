"""What every encoder offers to the tests."""

import numpy as np
from numpy.typing import NDArray

from tests.conformance.wanted import Wanted

Modules = NDArray[np.bool_]


class CannotSay(Exception):
    """The encoder has no way to say what is wanted; why, in words."""


class Encoder:
    """A real encoder. ``draw`` returns the modules (H, W), True is dark, without a quiet zone; it raises CannotSay.

    ``keeps_parts``: it writes the segments that it is told; others cut and choose modes as they like. ``said``: what is
    in the symbol when this message is wanted, where the encoder adds to it.
    """

    name: str
    keeps_parts = True

    def draw(self, wanted: Wanted) -> Modules:
        raise NotImplementedError

    def said(self, wanted: Wanted) -> Wanted:
        return wanted


def require(can: object, why: str) -> None:
    """Raises CannotSay unless ``can``."""
    if not can:
        raise CannotSay(why)
