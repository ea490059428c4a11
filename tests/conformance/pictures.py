"""Pictures of symbols whose place is known: turned, clean or spoilt."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.quad import Quad
from tests.conformance.encoders.encoder import Modules

_SUBSAMPLES = 4
_DARK, _LIGHT = 30, 225


@dataclass(frozen=True)
class Scene:
    """A picture of one symbol: its outer ``corners``, clockwise from its own top left as in answers, and the degrees by
    which its top edge is turned."""

    image: GreyImage
    corners: Quad
    rotation: float


def take(
    modules: Modules,
    *,
    pixels: float = 4.0,
    turned: float = 0.0,
    mirrored: bool = False,
    inverted: bool = False,
    blur: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
) -> Scene:
    """A picture of ``modules`` (H, W) at ``pixels`` a module, turned clockwise by degrees; ``blur`` is the sigma in
    modules, ``noise`` that in grey levels."""
    height, width = modules.shape
    half = pixels * np.array([width, height]) / 2
    reach = float(np.hypot(*half)) + 5 * pixels
    angle = np.radians(turned)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    centre = np.ceil(reach - half) + half  # so that modules of an upright symbol begin where pixels do
    corners = square @ turn.T + centre
    side = int(np.ceil(2 * reach)) + 1
    image = _draw(modules, turn.T / pixels, np.array([width, height]) / 2 - turn.T @ centre / pixels, side)
    if blur:
        image = cv2.GaussianBlur(image, (0, 0), blur * pixels)
    if noise:
        image = image + np.random.default_rng(seed).normal(0, noise, image.shape)
    picture = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if inverted:
        picture = 255 - picture
    if mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
        corners = np.stack([side - corners[:, 0], corners[:, 1]], axis=1)[[0, 3, 2, 1]]
    top = corners[3 if mirrored else 1] - corners[0]
    return Scene(picture, Quad.of(corners), float(np.degrees(np.arctan2(top[1], top[0])) % 360))


def _draw(modules: Modules, scale: NDArray[np.float64], shift: NDArray[np.float64], side: int) -> NDArray[np.float32]:
    """A square picture of ``side`` pixels that shows at a point p the module at ``scale`` p + ``shift``: the mean of a
    grid of points a pixel, each looked up in the symbol, without any of the code under test."""
    half = np.full(2, 0.5)
    matrix = np.column_stack([scale / _SUBSAMPLES, shift + scale @ half / _SUBSAMPLES - half])
    fine = cv2.warpAffine(
        np.where(modules, _DARK, _LIGHT).astype(np.float32),
        matrix,
        (side * _SUBSAMPLES,) * 2,
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderValue=_LIGHT,
    )
    return np.asarray(cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA), np.float32)
