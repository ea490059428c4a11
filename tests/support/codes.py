"""Symbols: their modules, and pictures of them whose place is known exactly."""

import io

import cv2
import numpy as np
import segno
from numpy.typing import ArrayLike, NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import QUIET_ZONE, function_patterns

Modules = NDArray[np.bool_]
_SUBSAMPLES = 4


def symbol_picture(symbol: segno.QRCode, *, scale: int = 6) -> GreyImage:
    """A symbol with its quiet zone, black on white, ``scale`` pixels a module."""
    buffer = io.BytesIO()
    symbol.save(buffer, kind="png", scale=scale, border=4)
    return np.asarray(cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def qr_picture(content: str | bytes, *, scale: int = 6, error: str = "m") -> GreyImage:
    """A symbol that decodes to ``content``, drawn as by `symbol_picture`."""
    return symbol_picture(segno.make(content, error=error, micro=False), scale=scale)


def encode(content: str, *, version: int | None = None, error: str = "m", mask: int | None = None) -> Modules:
    """The modules of a symbol that decodes to ``content``; True is dark."""
    code = segno.make(content, version=version, error=error, mask=mask, micro=False, boost_error=False)
    return np.array([list(row) for row in code.matrix], dtype=np.bool_)


def scrambled(modules: Modules, *, seed: int = 0) -> Modules:
    """A symbol that registers like ``modules`` but never decodes: all its codeword modules are random."""
    data = function_patterns((modules.shape[0] - 17) // 4).data
    return np.where(data, np.random.default_rng(seed).random(modules.shape) < 0.5, modules)


def square_at(left: float, top: float, side: float) -> NDArray[np.float64]:
    """The corners (4, 2) of a square, clockwise from the top left."""
    return np.array([[left, top], [left + side, top], [left + side, top + side], [left, top + side]])


def photograph(
    modules: Modules,
    corners: ArrayLike,
    shape: tuple[int, int],
    *,
    dark: int = 30,
    light: int = 220,
    paper: GreyImage | None = None,
) -> GreyImage:
    """A picture of (H, W) with the symbol's outer corners exactly at ``corners`` (x, y from the picture's outer edge).

    Each pixel is the mean of a grid of points that are looked up in the symbol, without any of the code under test.
    ``paper``, or else ``light``, surrounds the quiet zone.
    """
    size = modules.shape[0]
    whole = np.array([[0, 0], [size, 0], [size, size], [0, size]], dtype=np.float32)
    inverse = cv2.getPerspectiveTransform(np.asarray(corners, dtype=np.float32), whole)
    height, width = shape
    y, x = ((np.arange(n * _SUBSAMPLES) + 0.5) / _SUBSAMPLES for n in (height, width))
    points = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1).reshape(1, -1, 2)
    column, row = np.moveaxis(np.floor(cv2.perspectiveTransform(points, inverse)[0]).astype(int), 1, 0)
    symbol = np.pad(modules, QUIET_ZONE)
    inside = (np.minimum(column, row) >= -QUIET_ZONE) & (np.maximum(column, row) < size + QUIET_ZONE)
    values = np.where(
        symbol[np.where(inside, row + QUIET_ZONE, 0), np.where(inside, column + QUIET_ZONE, 0)], dark, light
    )
    under = np.full(shape, light, np.uint8) if paper is None else paper
    behind = under.repeat(_SUBSAMPLES, axis=0).repeat(_SUBSAMPLES, axis=1).ravel()
    fine = np.where(inside, values, behind).reshape(height, _SUBSAMPLES, width, _SUBSAMPLES)
    return np.rint(fine.mean(axis=(1, 3))).astype(np.uint8)
