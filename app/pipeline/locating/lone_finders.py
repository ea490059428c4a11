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
    responses,
    same_finder,
)
from app.pipeline.locating.pyramid import TEMPLATE_PIXELS

_STEP: Final = 2 ** (-1 / 3)
_TURNS: Final = 8  # within a quarter turn, over which the template is averaged
_CLOSER_SIZES: Final = (0.84, 1.0, 1.19)  # times the size of a peak, at which it is looked at again
_CLOSER_TURNS: Final = 4
_REACH: Final = 7.5  # modules around a peak that a closer look sees
# On 800 blurred Micro QR codes (training.measure.many, micro-M1 to micro-M4) 99 % of the peaks have 0.45 or more, and
# of the closer looks 0.5 or more.
_LEAST_PEAK: Final = 0.44
_LEAST_RESPONSE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Reach:
    """How far to look: from which ``module``, in pixels; at most at so many ``pixels`` of the picture; at so many
    ``peaks``, the strongest first."""

    module: float
    pixels: int
    peaks: int


GLANCE: Final = Reach(module=2.5, pixels=500_000, peaks=4)
"""3 ms of the processor for a picture of 0.3 megapixels."""
PATIENT: Final = Reach(module=1.5, pixels=1_500_000, peaks=12)


def find_lone_finders(image: GreyImage, reach: Reach) -> NDArray[np.float64]:
    """The finder patterns (N, 4) of a picture, strongest first: x, y, module size in pixels, and response, -1 to 1,
    negative if inverted."""
    seen = [one for peak in _peaks(image, reach) if (one := _look_closer(image, peak)) is not None]
    return np.array(sorted(seen, key=lambda one: -abs(one[3]))).reshape(-1, 4)


@cache
def _template() -> NDArray[np.float32]:
    """(9, 9): zero mean, unit norm."""
    mean = np.mean([draw_finder(turn, 1.0) for turn in np.linspace(0, np.pi / 2, _TURNS, endpoint=False)], axis=0)
    mean -= mean.mean()
    return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)


def _peaks(image: GreyImage, reach: Reach) -> NDArray[np.float64]:
    found = np.concatenate([np.empty((0, 4)), *_peaks_by_size(image, reach)])
    found = found[np.argsort(-np.abs(found[:, 3]), kind="stable")]
    kept: list[NDArray[np.float64]] = []
    while len(found) and len(kept) < reach.peaks:
        kept.append(found[0])
        found = found[~same_finder(found[0], found)]
    return np.array(kept).reshape(-1, 4)


def _peaks_by_size(image: GreyImage, reach: Reach) -> Iterator[NDArray[np.float64]]:
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
        y, x = np.nonzero((strength >= _LEAST_PEAK) & (strength == cv2.dilate(strength, np.ones((3, 3), np.uint8))))
        at = np.stack([x + 0.5, y + 0.5, np.ones(x.shape)], axis=1) / (factor * scale)
        yield np.column_stack([at, response[y, x]])
        scale *= _STEP
        picture = resize(largest, scale)


def _look_closer(image: GreyImage, peak: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The finder pattern at a peak, in finer detail, or None."""
    x, y, module, _ = peak
    left, top = (max(0, int(each - _REACH * module)) for each in (x, y))
    right, bottom = (int(each + _REACH * module) + 1 for each in (x, y))
    patch = np.ascontiguousarray(image[top:bottom, left:right])
    best = np.zeros(4)
    for size in _CLOSER_SIZES:
        seen = resize(patch, TEMPLATE_PIXELS / (module * size))
        if min(seen.shape) <= RINGS * TEMPLATE_PIXELS:
            continue
        response = responses(seen, _CLOSER_TURNS)
        row, column = np.unravel_index(np.abs(response).argmax(), response.shape)
        if abs(response[row, column]) > abs(best[3]):
            half = RINGS * TEMPLATE_PIXELS / 2
            back = patch.shape[1] / seen.shape[1], patch.shape[0] / seen.shape[0]
            at = left + (column + half) * back[0], top + (row + half) * back[1]
            best = np.array([*at, module * size, response[row, column]])
    return best if abs(best[3]) >= _LEAST_RESPONSE else None
