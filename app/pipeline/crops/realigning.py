"""Aligns a registered code by what was read in it: moves the corners until the symbol, blurred as the picture is, fits
the picture best.

Motion smears the function patterns, and a registration by these alone follows the smear: it is shifted and stretched
along the path. An alignment by all modules, blurred with the centred kernel that fits best, is not.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.blur import REACH, SAMPLES, Comparison
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, crop_to_picture
from app.pipeline.imaging import GreyImage, enlarge, normalise
from app.pipeline.qrcode.patterns import QUIET_ZONE, complete_symbol, dimension
from app.pipeline.quad import square

_LEAST_WEIGHT = 0.1  # of the largest weight of a kernel; smaller ones are noise of the fit
_SOFTNESS = 0.8  # pixels of blur that smooth the steps between the kernel's samples
_COMPARED_MARGIN = 2  # modules of quiet zone that are compared
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-4)


def realign(
    corners: NDArray[np.float64], crop: GreyImage, dark: NDArray[np.float32], version: int
) -> NDArray[np.float64] | None:
    """Moves the corners (4, 2) that a canonical crop was cut by to where the picture agrees best with its reading.

    ``dark`` (M, M) is the probability that each module is dark. Maximises the enhanced correlation coefficient over
    homographies (Evangelidis and Psarakis, TPAMI 2008). None if it does not converge, or not to a convex quad.
    """
    size = dimension(version)
    expected, seen = _expected(crop, dark, version), normalise(crop)
    edge = (QUIET_ZONE - _COMPARED_MARGIN) * PIXELS_PER_MODULE
    compared = np.zeros(seen.shape, dtype=np.uint8)
    compared[edge:-edge, edge:-edge] = 1
    start = np.eye(3, dtype=np.float32)
    try:
        _, warp = cv2.findTransformECC(expected, seen, start, cv2.MOTION_HOMOGRAPHY, _STOP, compared, 1)
    except cv2.error:
        return None
    inner = (square(size) + QUIET_ZONE) * PIXELS_PER_MODULE - 0.5  # the symbol's corners in pixel coordinates
    to_picture = crop_to_picture(corners, size, pixels=PIXELS_PER_MODULE, margin=QUIET_ZONE)
    moved = cv2.perspectiveTransform(inner[None], to_picture @ warp.astype(np.float64))[0] + 0.5
    return np.asarray(moved, dtype=np.float64) if cv2.isContourConvex(moved.astype(np.float32)) else None


def _expected(crop: GreyImage, dark: NDArray[np.float32], version: int) -> NDArray[np.float32]:
    """What the crop should look like, (S, S): the reading blurred with the kernel that fits best, centred on its
    centroid."""
    comparison = Comparison.of(crop, dark, version)
    inner = np.zeros(comparison.seen.shape, dtype=np.bool_)
    edge = QUIET_ZONE * SAMPLES
    inner[edge:-edge, edge:-edge] = True
    rows, columns = np.nonzero(inner)
    kernel = np.maximum(comparison.kernel((rows, columns)), 0)
    kernel[kernel < _LEAST_WEIGHT * kernel.max()] = 0
    kernel /= max(float(kernel.sum()), 1e-6)
    along = np.arange(2 * REACH + 1)
    finer = PIXELS_PER_MODULE // SAMPLES
    reach = finer * REACH
    offset = [reach - finer * float((kernel.sum(axis=axis) * along).sum()) for axis in (0, 1)]
    matrix = np.array([[finer, 0, offset[0]], [0, finer, offset[1]]])
    fine = np.asarray(cv2.warpAffine(kernel, matrix, (2 * reach + 1,) * 2, flags=cv2.INTER_LINEAR), dtype=np.float32)
    fine /= np.float32(max(float(fine.sum()), 1e-6))
    light = enlarge(1 - complete_symbol(dark, version), PIXELS_PER_MODULE)
    blurred = cv2.filter2D(light, -1, fine, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.GaussianBlur(blurred, (0, 0), _SOFTNESS), dtype=np.float32)
