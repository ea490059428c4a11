"""Paints a restored code back into the picture it was cut out of: same place, same slant, the paper's own greys."""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.gridding import module_means
from app.pipeline.imaging import GreyImage
from app.pipeline.rectifying import crop_to_picture, surroundings
from app.pipeline.regions import Region
from app.pipeline.symbology import QUIET_ZONE, dimension

_RIM = 1  # modules of quiet zone that are painted, too
_INK, _PAPER = 10, 90  # percentiles of a code's module means that are taken for its dark and its light


def paint(image: GreyImage, region: Region, symbol: GreyImage) -> GreyImage:
    """A picture (H, W) with a region's code, and one module around it, painted over.

    ``symbol`` (S, S) shows the code dark on light with its quiet zone, at any whole number of pixels a module; its 0
    becomes the ink of the code in the picture, its 255 the paper. It is laid on by the region's homography alone: bends
    of the paper that flattening took out are not put in again.
    """
    size = dimension(region.version)
    symbol = _shrunk(symbol, size, region.module)
    pixels = symbol.shape[0] / (size + 2 * QUIET_ZONE)
    box, (left, top) = surroundings(image, region.corners, (_RIM + 1) * region.module)
    matrix = crop_to_picture(np.array(region.corners) - (left, top), size, pixels=pixels, margin=QUIET_ZONE)

    def laid(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        flags, border = cv2.INTER_LINEAR, cv2.BORDER_CONSTANT
        warped = cv2.warpPerspective(picture, matrix, box.shape[::-1], flags=flags, borderMode=border)
        return np.asarray(warped, dtype=np.float32)

    ink, paper = _levels(region)
    painted = ink + (paper - ink) / 255 * laid(symbol.astype(np.float32))
    whole = image.copy()
    covered = laid(_cover(symbol.shape[0], pixels))
    blended = covered * painted + (1 - covered) * box
    whole[top : top + box.shape[0], left : left + box.shape[1]] = np.rint(blended).astype(np.uint8)
    return whole


def _shrunk(symbol: GreyImage, size: int, module: float) -> GreyImage:
    """A symbol brought down to about the size at which it is painted: warping alone would pick pixels out."""
    side = max(2, round(module)) * (size + 2 * QUIET_ZONE)
    if symbol.shape[0] <= side:
        return symbol
    return np.asarray(cv2.resize(symbol, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _cover(side: int, pixels: float) -> NDArray[np.float32]:
    """1 on what is painted, 0 on the rest of the quiet zone, (S, S)."""
    margin = round((QUIET_ZONE - _RIM) * pixels)
    cover = np.zeros((side, side), dtype=np.float32)
    cover[margin:-margin, margin:-margin] = 1
    return cover


def _levels(region: Region) -> tuple[float, float]:
    """Grey of the code's dark and of its light as it lies in the picture."""
    inner = slice(QUIET_ZONE - _RIM, _RIM - QUIET_ZONE)
    ink, paper = np.percentile(module_means(region.crop, region.version)[inner, inner], (_INK, _PAPER))
    return (255 - ink, 255 - paper) if region.registration.inverted else (float(ink), float(paper))
