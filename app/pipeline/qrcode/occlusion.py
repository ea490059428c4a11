"""Finds what lies on a symbol, such as a logo or a sticker of one tone, where a reader took it for modules."""

from typing import Final

import numpy as np

from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import Bits

_PATCH: Final = 5  # modules a side of a square that no symbol shows in one tone: chance does in one place of 2^24
_EDGE: Final = 3  # modules a side of the squares of the same tone that a patch continues in
_STEPS: Final = 3  # modules that it continues by, at most: a disc does by about that


def leave_out_patches(log_odds: LogOdds) -> LogOdds | None:
    """The log-odds (M, M) with 0 where a patch of one tone covers modules; None if there is no patch.

    A patch is a square of 5 x 5 modules of one sign, with the squares of 3 x 3 around it that have the same. Masks
    break up areas of one tone, so that modules under a patch are unknown: half of them are wrong.
    """
    covered = np.zeros(log_odds.shape, dtype=np.bool_)
    for tone in (np.asarray(log_odds > 0), np.asarray(log_odds < 0)):
        patch = _squares(tone, _PATCH)
        if patch.any():
            edge = _squares(tone, _EDGE)
            for _ in range(_STEPS):
                patch = np.asarray(patch | _dilated(patch) & edge)
            covered |= patch
    return np.where(covered, np.float32(0), log_odds) if covered.any() else None


def _squares(tone: Bits, side: int) -> Bits:
    """Where (M, M) squares of ``side`` modules lie that have this tone throughout."""
    squares = np.asarray(np.lib.stride_tricks.sliding_window_view(tone, (side, side)).all(axis=(2, 3)))
    places = len(squares)
    inside = np.zeros_like(tone)
    for row, column in np.ndindex(side, side):
        inside[row : row + places, column : column + places] |= squares
    return inside


def _dilated(patch: Bits) -> Bits:
    """The patch and its neighbours above, below and beside it."""
    around = np.pad(patch, 1)
    return patch | around[:-2, 1:-1] | around[2:, 1:-1] | around[1:-1, :-2] | around[1:-1, 2:]
