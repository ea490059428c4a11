"""Locates codes that touch a code that was read, without the quiet zone between them that the standard asks for."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from app.pipeline.crops.rectifying import rectify
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.candidates import Candidate, candidate_of
from app.pipeline.quad import Quad, homography, is_sound, square

_PIXELS = 2  # a module
_REACH = 3  # modules of the strip along a side
_GUTTER = 1  # pixels next to the code and at the strip's ends that may blur into it
_SHIFTS = ((0, -1), (1, 0), (0, 1), (-1, 0))
_LEAST_CONTRAST = 0.4  # share of the code's contrast from which a strip is no quiet zone
# Of 259 photographs of one code that reads as it is, four have such a strip with room beside it, and 15 at 0.4.
_LEAST_CLOSE_CONTRAST = 0.55  # of a strip of one module
_USUAL = 29  # modules, if unknown
_SCORE = 1.0


def touching(image: GreyImage, corners: Quad, modules: int | None, *, is_close: bool = False) -> Iterator[Candidate]:
    """Yields a candidate of the same size beside each side of a code that has no quiet zone there. ``is_close``: only
    where modules follow at once, surely.

    ``corners`` are in pixels of the picture; the code has ``modules`` a side, None if unknown.
    """
    if not corners.is_sound:
        return
    across = modules or _USUAL
    crop = rectify(image, corners, across, pixels=_PIXELS, margin=_REACH).astype(np.float32)
    low, side = _REACH * _PIXELS, across * _PIXELS
    contrast = float(crop[low:-low, low:-low].std())
    within = np.s_[low + _GUTTER : low + side - _GUTTER]
    reach, least = (_PIXELS, _LEAST_CLOSE_CONTRAST) if is_close else (low - _GUTTER, _LEAST_CONTRAST)
    before, after = np.s_[low - reach : low - _GUTTER], np.s_[low + side + _GUTTER : low + side + reach]
    strips = (crop[before, within], crop[within, after], crop[after, within], crop[within, before])
    matrix = homography(corners, 1.0)
    for strip, shift in zip(strips, _SHIFTS, strict=True):
        if float(strip.std()) <= least * contrast:
            continue
        beside = cv2.perspectiveTransform((square(1) + np.array(shift))[None], matrix)[0]
        quad = np.asarray(beside, dtype=np.float64)
        if is_sound(quad) or is_sound(quad[::-1]):
            yield candidate_of(quad, modules, _SCORE)
