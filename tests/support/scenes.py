"""Pictures of many codes: sheets of labels, and what a camera makes of them."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import homography
from tests.support.codes import Modules, encode


def labels(count: int, *, version: int = 2) -> list[Modules]:
    """Symbols whose texts are "label 000", "label 001" and so on."""
    return [encode(text, version=version) for text in label_texts(count)]


def label_texts(count: int) -> list[str]:
    return [f"label {number:03}" for number in range(count)]


def sheet(symbols: Sequence[Modules], columns: int, *, pixels: int = 4) -> GreyImage:
    """Symbols row by row, each with a quiet zone of its own, black on white; their number fills the rows."""
    tiles = [render(modules, pixels=pixels) for modules in symbols]
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.asarray(np.vstack(rows), dtype=np.uint8)


def row_of(symbols: Sequence[Modules], *, gap: int, pixels: int = 4) -> GreyImage:
    """Symbols of one size side by side, ``gap`` modules apart, in one quiet zone."""
    parts = [np.pad(modules, ((0, 0), (0, gap))) for modules in symbols[:-1]]
    return render(np.hstack([*parts, symbols[-1]]), pixels=pixels)


def camera(
    picture: GreyImage, *, seed: int = 0, tilt: float = 0.03, blur: float = 0.8, noise: float = 3.0
) -> tuple[GreyImage, NDArray[np.float64]]:
    """A photograph of a printed picture, of its size, and the matrix (3, 3) from the picture to it.

    Each corner moves inwards by at most ``tilt`` of the side; ``blur`` is a deviation in pixels, ``noise`` one in grey
    levels.
    """
    rng = np.random.default_rng(seed)
    height, width = picture.shape
    side = np.array([width, height])
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * side
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    matrix = homography(corners + inwards * rng.uniform(0, tilt, (4, 2)) * side, 1.0) @ np.diag([*(1 / side), 1])
    grey = (40 + picture * (170 / 255)).astype(np.float32)
    seen = cv2.warpPerspective(grey, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=210)
    seen = cv2.GaussianBlur(seen, (0, 0), blur) + rng.normal(0, noise, picture.shape)
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8), matrix
