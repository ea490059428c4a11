"""rMQR codes, and pictures of them."""

from functools import cache

import cv2
import numpy as np
import zint
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import Bits
from app.pipeline.quad import oblong

VERSIONS = (
    *("R7x43", "R7x59", "R7x77", "R7x99", "R7x139", "R9x43", "R9x59", "R9x77", "R9x99", "R9x139"),
    *("R11x27", "R11x43", "R11x59", "R11x77", "R11x99", "R11x139"),
    *("R13x27", "R13x43", "R13x59", "R13x77", "R13x99", "R13x139"),
    *("R15x43", "R15x59", "R15x77", "R15x99", "R15x139", "R17x43", "R17x59", "R17x77", "R17x99", "R17x139"),
)
_LEVELS = {"M": 2, "H": 4}
_ROW = 144  # bytes a row of zint's encoded_data
_PAGE = 8  # modules of the page around a symbol
_FINE = 8  # points a module at which a page is drawn


@cache
def rectangular_modules(version: str, level: str, payload: str) -> Bits:
    """The modules (H, W) of the symbol that zint draws, True is dark."""
    symbol = zint.Symbol()
    symbol.symbology, symbol.option_1 = zint.Symbology.RMQR, _LEVELS[level]
    symbol.option_2 = VERSIONS.index(version) + 1
    symbol.encode(payload)
    rows = np.frombuffer(bytes(symbol.encoded_data), np.uint8).reshape(-1, _ROW)[: symbol.rows]
    return np.unpackbits(rows, axis=1, bitorder="little")[:, : symbol.width].astype(np.bool_)


def rectangular_picture(
    modules: Bits,
    *,
    pixels: float,
    blur: float,
    noise: float,
    turn: float = 0.0,
    tilt: float = 0.0,
    bend: float = 0.0,
    mirrored: bool = False,
    seed: int = 0,
) -> tuple[GreyImage, NDArray[np.float64]]:
    """A faint photograph of a symbol, and its corners (4, 2), clockwise as seen, from its own top left.

    ``pixels`` a module; ``turn`` in degrees; ``tilt``: by which share modules are larger at the right end of the symbol
    than at the left one; ``bend``: modules by which the middle of the symbol is lower than its ends; sigmas of the blur
    in modules and of the noise in grey levels.
    """
    shown = modules[:, ::-1] if mirrored else modules
    height, width = shown.shape
    angle = np.deg2rad(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    perspective = np.array([[1, 0, 0], [0, 1, 0], [-tilt / width, 0, 1]])
    forward = np.diag([pixels, pixels, 1]) @ rotation @ perspective
    reach = np.array([width / 2 + _PAGE, height / 2 + _PAGE + bend])
    frame = cv2.perspectiveTransform((oblong(2, 2) - 1)[None] * reach, forward)[0]
    low, (across, down) = frame.min(axis=0), np.ceil(np.ptp(frame, axis=0)).astype(int)
    forward = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]]) @ forward

    y, x = np.indices((down, across), dtype=np.float64) + 0.5
    flat = cv2.perspectiveTransform(np.stack([x, y], axis=2), np.linalg.inv(forward))
    column, row = flat[..., 0], flat[..., 1] - bend * (1 - (flat[..., 0] / (width / 2)) ** 2)
    page = np.kron(np.pad(~shown, _PAGE, constant_values=True), np.ones((_FINE, _FINE), dtype=np.float32))
    page = cv2.GaussianBlur(page, (0, 0), max(_FINE / pixels / 3, 0.3))
    at = [
        ((each + extent / 2 + _PAGE) * _FINE - 0.5).astype(np.float32)
        for each, extent in ((column, width), (row, height))
    ]
    seen = cv2.remap(page, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=1.0)
    picture = cv2.GaussianBlur(60 + 150 * seen, (0, 0), max(blur * pixels, 0.01))
    noisy = picture + np.random.default_rng(seed).normal(0, noise, picture.shape)

    outline = oblong(width, height) - np.array([width, height]) / 2
    corners = cv2.perspectiveTransform(outline[None], forward)[0]
    return np.clip(noisy, 0, 255).astype(np.uint8), np.roll(corners, -1, axis=0) if mirrored else corners
