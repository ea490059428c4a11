"""Finds single finder patterns at little cost: a map at a pixel a module, then a closer look at its few peaks.

The map correlates the picture, at sizes a third of an octave apart, with the mean of the finder pattern over all turns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage, resize, shrink
from app.pipeline.locating.finder_patterns import (
    CONTRAST_FLOOR,
    RINGS,
    draw_finder,
    each_response,
    finder_templates,
    strongest,
)
from app.pipeline.locating.pyramid import TEMPLATE_PIXELS

_STEP: Final = 2 ** (-1 / 3)
_TURNS: Final = 8  # within a quarter turn
_CLOSER_SIZES: Final = (1.0, 0.84, 1.19)  # times the size of a peak, at which it is looked at again
# A finder pattern may be seen best at a wrong size: the whole of a blurred M1 code resembles one of 1.6 times its size.
# Up to 1.6, and not 1.3, four of 200 sharp M1 codes and two blurred ones were found at wrong sizes only (now one), and
# 38 instead of 40 finder patterns in 200 scenes without a code.
_ALIKE: Final = 1.3  # factor between sizes from which on both are looked at
_REACH: Final = 7.5  # modules around a peak that a closer look sees
# Of 80 blurred Micro QR codes in any rotation (as training.measure.many draws micro-M2 and micro-M4) these find 77, and
# 0.4 places in a picture without a code; 0.44 and 0.5 find 60, and 0.13.
_LEAST_PEAK: Final = 0.42
_LEAST_RESPONSE: Final = 0.42


@dataclass(frozen=True, slots=True)
class Reach:
    """How far to look: from which ``module``, in pixels; at most at so many ``pixels`` of the picture; at so many
    ``peaks``, the strongest first."""

    module: float
    pixels: int
    peaks: int


GLANCE: Final = Reach(module=2.5, pixels=500_000, peaks=4)
"""Where nothing was read."""
PATIENT: Final = Reach(module=1.5, pixels=1_500_000, peaks=12)
"""Where Micro QR codes are asked for, or the effort is thorough; takes twice as long."""


@dataclass(frozen=True, slots=True)
class LoneFinder:
    """A finder pattern: its ``centre`` (x, y), the size of a ``module``, both in pixels, its ``turn``, clockwise as
    seen, in eighths of a quarter turn, 0 to 7, and the ``response``, 0 to 1.

    ``inverted``: light and dark are exchanged.
    """

    centre: tuple[float, float]
    module: float
    turn: int
    response: float
    inverted: bool

    @property
    def angle(self) -> float:
        """The turn in radians."""
        return self.turn * np.pi / 2 / _TURNS


def find_lone_finders(image: GreyImage, reach: Reach) -> list[LoneFinder]:
    """The finder patterns of a picture, strongest first."""
    peaks = strongest(_peaks(image, reach), most=reach.peaks, alike=_ALIKE)
    seen = [_look_closer(image, peak) for peak in peaks]
    return sorted((one for one in seen if one is not None), key=lambda one: -one.response)


@cache
def _template() -> NDArray[np.float32]:
    """(9, 9): zero mean, unit norm."""
    mean = np.mean([draw_finder(turn, 1.0) for turn in np.linspace(0, np.pi / 2, _TURNS, endpoint=False)], axis=0)
    mean -= mean.mean()
    return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)


def _peaks(image: GreyImage, reach: Reach) -> Iterator[NDArray[np.float64]]:
    if image.size == 0:
        return
    factor = min(1 / reach.module, (reach.pixels / image.size) ** 0.5)
    largest, scale = shrink(image, factor), 1.0
    picture = largest
    while min(picture.shape) > RINGS:
        pixels = picture.astype(np.float32)
        mean, square = (each(pixels, -1, (RINGS, RINGS)) for each in (cv2.boxFilter, cv2.sqrBoxFilter))
        spread = np.sqrt(np.maximum(square - mean * mean, 0) + CONTRAST_FLOOR**2)
        response = cv2.filter2D(pixels, -1, _template(), borderType=cv2.BORDER_REPLICATE) / (spread * RINGS)
        strength = np.abs(response)
        if strength.max() >= _LEAST_PEAK:
            is_peak = strength == cv2.dilate(strength, np.ones((3, 3), np.uint8))
            y, x = np.nonzero(is_peak & (strength >= _LEAST_PEAK))
            at = np.stack([x + 0.5, y + 0.5, np.ones(x.shape)], axis=1) / (factor * scale)
            yield np.column_stack([at, response[y, x]])
        scale *= _STEP
        picture = resize(largest, scale)


def _look_closer(image: GreyImage, peak: NDArray[np.float64]) -> LoneFinder | None:
    """The finder pattern at a peak, in finer detail and with its turn, or None."""
    x, y, module, _ = peak
    left, top = (max(0, int(each - _REACH * module)) for each in (x, y))
    right, bottom = (int(each + _REACH * module) + 1 for each in (x, y))
    patch = np.ascontiguousarray(image[top:bottom, left:right])
    best: LoneFinder | None = None
    for size in _CLOSER_SIZES:
        seen = resize(patch, TEMPLATE_PIXELS / (module * size))
        if min(seen.shape) <= RINGS * TEMPLATE_PIXELS:
            continue
        back = patch.shape[1] / seen.shape[1], patch.shape[0] / seen.shape[0]
        turns = range(_TURNS) if best is None else (best.turn - 1, best.turn, best.turn + 1)
        templates = [finder_templates(_TURNS)[turn % _TURNS] for turn in turns]
        for turn, response in zip(turns, each_response(seen, templates), strict=True):
            row, column = np.unravel_index(np.abs(response).argmax(), response.shape)
            strength = float(response[row, column])
            if best is None or abs(strength) > best.response:
                half = templates[0].shape[0] / 2
                centre = left + (int(column) + half) * back[0], top + (int(row) + half) * back[1]
                best = LoneFinder(centre, module * size, turn % _TURNS, abs(strength), strength < 0)
    return best if best is not None and best.response >= _LEAST_RESPONSE else None
