"""Paints into the picture of a code: the restored code in its old place, slant and greys, or the outlines of codes."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import crop_to_picture, surroundings
from app.pipeline.crops.redrawing import module_means
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.regions import Region
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension
from app.pipeline.quad import Quad

_RIM = 1  # modules of quiet zone that are painted as well
_SHADING = 4.0  # sigma, in modules, of the blur that estimates the light on the code
_INK, _PAPER = 10, 90  # percentiles of a code's module means taken for its ink and its paper
_LEAST_CONTRAST = 48  # grey levels between the painted ink and paper; zxing-cpp sees no modules in blocks with under 24
_READ, _UNREAD, _CASING = (160, 242, 29), (107, 181, 255), (26, 35, 4)  # blue, green, red: the page's green and orange
_LINE = 0.004  # of the shorter side: width of an outline
_FRACTION = 4  # bits of the fraction of a pixel with which lines are drawn


def paint(image: GreyImage, region: Region, symbol: GreyImage) -> GreyImage:
    """Paints over a region's code, and one module around it, in a copy of a picture (H, W).

    ``symbol`` (S, S) shows the code dark on light with its quiet zone, at any whole number of pixels a module. Its 0
    becomes the ink of the code in the picture and its 255 the paper, both shaded as the code is there; where these are
    nearly alike, they are set apart, so that decoders see them. The region's homography alone places it: bends of the
    paper that flattening removed are not put back.
    """
    size = dimension(region.version)
    symbol = _shrink(symbol, size, region.module)
    pixels = symbol.shape[0] / (size + 2 * QUIET_ZONE)
    box, (left, top) = surroundings(image, region.corners, (_RIM + 1) * region.module)
    matrix = crop_to_picture(np.array(region.corners) - (left, top), size, pixels=pixels, margin=QUIET_ZONE)

    def warp(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        flags, border = cv2.INTER_LINEAR, cv2.BORDER_CONSTANT
        warped = cv2.warpPerspective(picture, matrix, box.shape[::-1], flags=flags, borderMode=border)
        return np.asarray(warped, dtype=np.float32)

    painted = warp(_match_greys(symbol, region))
    whole = image.copy()
    coverage = warp(_coverage(symbol.shape[0], pixels))
    blended = coverage * painted + (1 - coverage) * box
    whole[top : top + box.shape[0], left : left + box.shape[1]] = np.rint(blended).astype(np.uint8)
    return whole


def _shrink(symbol: GreyImage, size: int, module: float) -> GreyImage:
    """Averages a symbol down to about the size at which it is painted; warping alone would skip pixels."""
    side = max(2, round(module)) * (size + 2 * QUIET_ZONE)
    if symbol.shape[0] <= side:
        return symbol
    return np.asarray(cv2.resize(symbol, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _coverage(side: int, pixels: float) -> NDArray[np.float32]:
    """Mask (S, S): 1 on what is painted, 0 on the rest of the quiet zone."""
    margin = round((QUIET_ZONE - _RIM) * pixels)
    mask = np.zeros((side, side), dtype=np.float32)
    mask[margin:-margin, margin:-margin] = 1
    return mask


def _match_greys(symbol: GreyImage, region: Region) -> NDArray[np.float32]:
    """Draws a symbol (S, S) in the ink and paper of the code in the picture, shaded as that is."""
    rim = slice(QUIET_ZONE - _RIM, _RIM - QUIET_ZONE)
    seen = module_means(region.crop, region.version)[rim, rim]
    ink, paper = np.percentile(seen, (_INK, _PAPER))
    spread = max(0.0, _LEAST_CONTRAST - float(paper - ink)) / 2
    ink, paper = ink - spread, paper + spread
    if region.registration.inverted:
        seen, ink, paper = 255 - seen, 255 - ink, 255 - paper
    drawn = ink + (paper - ink) / np.float32(255) * symbol
    even = _drawn_means(drawn, region)[rim, rim]
    light, even_light = (cv2.GaussianBlur(values, (0, 0), _SHADING) for values in (seen, even))
    shade = np.pad(light / np.maximum(even_light, 1), QUIET_ZONE - _RIM, mode="edge").astype(np.float32)
    return np.asarray(np.clip(drawn * cv2.resize(shade, symbol.shape[::-1]), 0, 255), dtype=np.float32)


def _drawn_means(drawn: NDArray[np.float32], region: Region) -> NDArray[np.float32]:
    """Mean grey of each module of a drawn symbol, quiet zone included, (M, M)."""
    size = dimension(region.version) + 2 * QUIET_ZONE
    return np.asarray(cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA), dtype=np.float32)


def outline(image: GreyImage, *, read: Iterable[Quad], unread: Iterable[Quad]) -> NDArray[np.uint8]:
    """Draws outlines of codes into a coloured copy (H, W, 3; blue, green, red) of a picture (H, W): green around codes
    that were read, orange around those that were not, each on a dark rim."""
    drawn = np.ascontiguousarray(np.repeat(image[:, :, None], 3, axis=2))
    width = max(1, round(_LINE * min(image.shape)))
    for quads, colour in ((unread, _UNREAD), (read, _READ)):
        for quad in quads:
            points = np.rint((np.array(quad) - 0.5) * (1 << _FRACTION)).astype(np.int32)
            for tone, thickness in ((_CASING, 3 * width), (colour, width)):
                cv2.polylines(drawn, [points], True, tone, thickness, cv2.LINE_AA, _FRACTION)
    return drawn
