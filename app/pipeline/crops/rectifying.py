"""Cuts a code out of a picture and straightens it: from a quad to a crop at a fixed number of pixels a module.

Positions are in pixels from the picture's outer edge, so that pixel ``i`` covers ``[i, i + 1]``.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import QUIET_ZONE
from app.pipeline.quad import homography, side_length

PIXELS_PER_MODULE = 4
"""Scale of canonical crops, at which the networks are trained."""


def surroundings(image: GreyImage, corners: ArrayLike, reach: float) -> tuple[GreyImage, NDArray[np.int_]]:
    """Cuts out what rectifying looks at: the upright box around a quad with ``reach`` pixels to spare, clipped to the
    picture; returns it and its offset (x, y) in the picture.

    The box has at least one pixel, wherever the quad lies.
    """
    quad = np.asarray(corners, dtype=np.float64).reshape(4, 2)
    height, width = image.shape
    low = np.clip(np.floor(quad.min(axis=0) - reach), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(quad.max(axis=0) + reach), low + 1, (width, height)).astype(int)
    return image[low[1] : high[1], low[0] : high[0]], low


def crop_to_picture(
    corners: ArrayLike, modules: int, *, pixels: float, margin: float, rows: int | None = None
) -> NDArray[np.float64]:
    """The 3 x 3 matrix that rectifying samples by: from pixels of the rectified crop to pixels of the picture.

    In both, whole numbers are pixel centres, half a pixel from the outer edge. ``pixels`` a module, ``margin`` in
    modules.
    """
    to_modules = np.array([[1 / pixels, 0, 0.5 / pixels - margin], [0, 1 / pixels, 0.5 / pixels - margin], [0, 0, 1]])
    to_centres = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    return np.asarray(to_centres @ homography(corners, modules, rows) @ to_modules, dtype=np.float64)


def rectify(
    image: GreyImage,
    corners: ArrayLike,
    modules: int,
    *,
    pixels: int = PIXELS_PER_MODULE,
    margin: float = QUIET_ZONE,
    rows: int | None = None,
    displacement: NDArray[np.float32] | None = None,
) -> GreyImage:
    """Cuts out a code, straight and square, at ``pixels`` a module with ``margin`` modules around it: (S, S) uint8.

    A code that is not square has ``modules`` columns and ``rows``, and its crop is an oblong. ``corners`` (4, 2) are
    the symbol's outer corners, clockwise from its own top left. ``displacement`` (S, S, 2), x and y in pixels of a
    square crop, bends the grid on which the picture is sampled. Outside the picture its border is repeated. Pictures
    finer than the crop are first averaged down.
    """
    quad = np.asarray(corners, dtype=np.float64).reshape(4, 2)
    across, down = modules, modules if rows is None else rows
    step = side_length(quad) / ((across + down) / 2)
    region, offset = surroundings(image, quad, (margin + 1) * step)
    quad = quad - offset

    shrink = pixels / step
    if shrink < 0.7:
        size = (max(1, round(region.shape[1] * shrink)), max(1, round(region.shape[0] * shrink)))
        ratio = np.array([size[0] / region.shape[1], size[1] / region.shape[0]])
        region = np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        quad = quad * ratio

    matrix = crop_to_picture(quad, across, pixels=pixels, margin=margin, rows=down)
    side, height = (round((extent + 2 * margin) * pixels) for extent in (across, down))
    if displacement is None:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpPerspective(region, matrix, (side, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    else:
        bent = np.indices((side, side), dtype=np.float32)[::-1].transpose(1, 2, 0) + displacement
        at = cv2.perspectiveTransform(bent, matrix)
        crop = cv2.remap(region, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, dtype=np.uint8)
