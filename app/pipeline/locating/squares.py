"""Squares of texture: a quick hint that a picture shows another code beside one that was read."""

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage, shrink
from app.pipeline.quad import Quad
from app.pipeline.tiles import means, shows_square, variances

# With these values all of 26 small codes beside a large one are found, many of them blurred, faint or light on dark. Of
# 185 photographs of one code 7 show a square beside it.
_SIDE: Final = 320  # pixels of the longest side at which texture is looked for
_TILE: Final = 8  # of these pixels
_AROUND: Final = 5  # tiles a side over which slopes are averaged: so much of a code has edges along both axes
_LEAST_ACROSS: Final = 0.2  # energy of the slopes along one axis to that along the other; lines have less
_FAINT: Final = (6.0, 0.6)
"""Least deviation of grey levels in a tile, and the least part of a square that such tiles fill."""
_PLAIN: Final = (12.0, 0.7)
"""The same of strong texture; 12 of 259 photographs of one code show such a square beside it."""
_FEWEST: Final = 9  # tiles
_OUTLINE: Final = 1.12  # sides of the code that was read: its edge may be soft


def shows_square_beside(image: GreyImage, codes: Iterable[Quad], *, plainly: bool = False) -> bool:
    """Whether a picture shows a square of texture, such as a code, besides these ``codes``; ``plainly``: strong
    texture, with few gaps."""
    least_deviation, least_filled = _PLAIN if plainly else _FAINT
    factor = min(1.0, _SIDE / max(image.shape))
    picture = shrink(image, factor)
    if min(picture.shape) < _TILE:
        return False
    textured = variances(picture, _TILE) >= least_deviation**2
    is_outside = np.ones(textured.shape, np.uint8)
    for code in codes:
        outline = code.centre + _OUTLINE * (np.asarray(code) - code.centre)
        cv2.fillConvexPoly(is_outside, np.floor(outline * (factor / _TILE)).astype(np.int32), 0)
    textured &= is_outside.astype(np.bool_)
    if np.count_nonzero(textured) < _FEWEST:
        return False
    return shows_square(textured & _varies_both_ways(picture, is_outside), least_filled=least_filled)


def _varies_both_ways(picture: GreyImage, is_outside: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tiles outside the codes around which the picture varies along both axes."""
    slopes = (cv2.Sobel(picture, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    energies = (means(slope * slope, _TILE) * is_outside for slope in slopes)
    across, down = (cv2.blur(each, (_AROUND, _AROUND), borderType=cv2.BORDER_REPLICATE) for each in energies)
    return np.asarray(np.minimum(across, down) >= _LEAST_ACROSS * np.maximum(across, down), np.bool_)
