"""Codes of separate dots, sharp and large: dots that are small beside the gaps between them look like no code to the
locators, and run together in a smoothed picture."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage, shrink

_SIDE: Final = 640  # pixels of the longest side at which dots are counted
_NEIGHBOURHOOD: Final = 31  # pixels of that picture, whose mean a dot differs from
_LEAST_CONTRAST: Final = 4  # grey levels
_SOFT: Final = 1.0  # pixels of that picture, by which noise is smoothed
_AREA: Final = (4, 1000)  # pixels of a dot
_LEAST_FILLED: Final = 0.6  # of a dot's box; a disc fills 0.79 of it
_FEWEST: Final = 100  # dots; a code of version 1 has 220 dark modules
_MOST: Final = 4000
_EVEN: Final = 0.15  # of the pitch, by which the distance of neighbours may differ from it
# Of 46 pictures of dotted codes that no locator saw 42 have 0.7 or more, and of 510 photographs three.
_LEAST_EVEN: Final = 0.7  # of the dots
_MERGING: Final = 0.35  # of the pitch, the deviation of the blur that makes one area of adjacent dots
_PIXELS: Final = 8.0  # of the pitch, in a picture whose dots are merged, at most


def merge_dots(image: GreyImage) -> tuple[GreyImage, float] | None:
    """A picture whose dots are run together, and by what factor its sides were reduced; None if it shows no lattice of
    dots."""
    pitch = dot_pitch(image)
    if pitch is None:
        return None
    factor = min(1.0, _PIXELS / pitch)
    smooth = cv2.GaussianBlur(shrink(image, factor), (0, 0), _MERGING * pitch * factor)
    return np.asarray(smooth, dtype=np.uint8), factor


def dot_pitch(image: GreyImage) -> float | None:
    """The distance, in pixels, of dots that make up a lattice, dark or light ones; None if there are none."""
    factor = min(1.0, _SIDE / max(image.shape))
    soft = np.asarray(cv2.GaussianBlur(shrink(image, factor), (0, 0), _SOFT), dtype=np.uint8)
    lattices = [lattice for picture in (soft, ~soft) if (lattice := _lattice(_dots(picture)))]
    return max(lattices)[1] / factor if lattices else None


def _dots(picture: GreyImage) -> NDArray[np.float32]:
    """Centres (N, 2) of dark dots of one size, about as wide as high."""
    kind = cv2.ADAPTIVE_THRESH_GAUSSIAN_C
    dark = cv2.adaptiveThreshold(picture, 1, kind, cv2.THRESH_BINARY_INV, _NEIGHBOURHOOD, _LEAST_CONTRAST)
    _, _, found, centres = cv2.connectedComponentsWithStats(dark, connectivity=4)
    width, height, area = (found[1:, column] for column in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    is_round = (np.maximum(width, height) <= 1.6 * np.minimum(width, height) + 1) & (
        area >= _LEAST_FILLED * width * height
    )
    is_round &= (area >= _AREA[0]) & (area <= _AREA[1])
    usual = np.median(area[is_round]) if is_round.any() else 0
    return centres[1:][is_round & (area > usual / 2) & (area < 2 * usual)].astype(np.float32)


def _lattice(centres: NDArray[np.float32]) -> tuple[float, float] | None:
    """How many dots (N, 2) lie at the usual distance from the nearest one, and that distance; None if these are few, or
    too small a part."""
    if not _FEWEST <= len(centres) <= _MOST:
        return None
    distances, _ = cv2.batchDistance(centres, centres, cv2.CV_32F, normType=cv2.NORM_L2, K=2)
    nearest = np.asarray(distances)[:, 1]
    pitch = float(np.median(nearest))
    even = np.abs(nearest - pitch) <= _EVEN * pitch
    return (float(even.sum()), pitch) if even.mean() >= _LEAST_EVEN else None
