"""Squares of texture: a quick hint that a picture shows another code beside one that was read."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage, shrink
from app.pipeline.quad import Quad
from app.pipeline.tiles import means, shows_square, variances

# These find all of 26 small codes beside a large one, many of them blurred, faint or light on dark, and more than the
# code in 7 of 185 photographs of one.
_SIDE: Final = 320  # pixels of the longest side at which texture is looked for
_TILE: Final = 8  # of these pixels
_LEAST_DEVIATION: Final = 6.0  # grey levels in a tile
_AROUND: Final = 5  # tiles a side of which the slopes are taken together: a code has edges along both axes in each
_LEAST_ACROSS: Final = 0.2  # energy of the slopes along one axis to that along the other; lines have less
_LEAST_FILLED: Final = 0.6  # of the square
_FEWEST: Final = 9  # tiles
_OUTLINE: Final = 1.12  # sides of the code that was read: its edge may be soft


def shows_square_beside(image: GreyImage, code: Quad) -> bool:
    """Whether a picture shows a square of texture, such as a code, besides a ``code`` that was read."""
    factor = min(1.0, _SIDE / max(image.shape))
    picture = shrink(image, factor)
    if min(picture.shape) < _TILE:
        return False
    textured = variances(picture, _TILE) >= _LEAST_DEVIATION**2
    outline = code.centre + _OUTLINE * (np.asarray(code) - code.centre)
    is_left = np.ones(textured.shape, np.uint8)
    cv2.fillConvexPoly(is_left, np.floor(outline * (factor / _TILE)).astype(np.int32), 0)
    textured &= is_left.astype(np.bool_)
    if np.count_nonzero(textured) < _FEWEST:
        return False
    return shows_square(textured & _varies_both_ways(picture, is_left), least_filled=_LEAST_FILLED)


def _varies_both_ways(picture: GreyImage, is_left: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tiles around which the picture varies along both axes, of those that are left."""
    slopes = (cv2.Sobel(picture, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    energies = (means(slope * slope, _TILE) * is_left for slope in slopes)
    across, down = (cv2.blur(each, (_AROUND, _AROUND), borderType=cv2.BORDER_REPLICATE) for each in energies)
    return np.asarray(np.minimum(across, down) >= _LEAST_ACROSS * np.maximum(across, down), np.bool_)
