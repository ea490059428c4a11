"""Codes inside other codes: which codes may be, and the picture without them, in which the outer code shows as if a
light logo lay on it."""

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.quad import Quad, side_length

_REACH: Final = 1.9  # of the way from the centre to a side, where its surroundings are looked at
_PART: Final = 0.2  # of the code's side, half of what is looked at there
_AS_VARIED: Final = 0.5  # of the code's deviation, which modules around it have, too


def may_be_inside(image: GreyImage, corners: Quad) -> bool:
    """Whether what lies beyond each of a code's sides, its quiet zone left out, varies as modules do."""
    quad, half = np.asarray(corners), round(_PART * side_length(corners))
    centre, deviation = quad.mean(axis=0), _deviation(image, quad.mean(axis=0), 2 * half)
    middles = centre + _REACH * ((quad + np.roll(quad, -1, axis=0)) / 2 - centre)
    return all(_deviation(image, middle, half) >= max(_AS_VARIED * deviation, 1.0) for middle in middles)


def painted_over(image: GreyImage, quads: Iterable[Quad]) -> GreyImage:
    """The picture with codes painted over in their light tone."""
    painted = image.copy()
    for quad in quads:
        outline = np.rint(np.asarray(quad)).astype(np.int32)
        left, top, width, height = cv2.boundingRect(outline)
        inside = image[max(top, 0) : top + height, max(left, 0) : left + width]
        cv2.fillConvexPoly(painted, outline, float(np.percentile(inside, 90)) if inside.size else 255.0, cv2.LINE_AA)
    return painted


def _deviation(image: GreyImage, at: NDArray[np.float64], half: int) -> float:
    """Of the pixels in a square of ``2 half`` around a point; 0 where the square ends outside the picture."""
    left, top = (round(each) for each in (at - half).tolist())
    height, width = image.shape
    if half < 1 or left < 0 or top < 0 or left + 2 * half > width or top + 2 * half > height:
        return 0.0
    return float(image[top : top + 2 * half, left : left + 2 * half].std())
