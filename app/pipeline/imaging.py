"""Grey pictures, and the arithmetic on them that the whole pipeline uses."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

GreyImage = NDArray[np.uint8]
"""(H, W), 0 black to 255 white."""


class Colours(Enum):
    """Where the colours of a picture are looked at."""

    NONE = auto()
    SQUARES = auto()
    """Only if the colours that grey hides make up a square, as a code does."""
    ALL = auto()
    """Wherever grey hides some."""


class LookAgain(Protocol):
    """Other grey pictures of what a grey picture shows, of the same size, made when they are asked for."""

    def __call__(self, *, colours: Colours) -> Iterator[GreyImage]:
        """Yields pictures that show what the first one may hide. With ``Colours.NONE`` only those of a transparent
        picture on other grounds, which cost next to nothing where there are none."""
        ...


def resize(image: GreyImage, factor: float) -> GreyImage:
    """Scales a grey picture by ``factor``, to at least one pixel a side; see `resize_to`."""
    height, width = (max(1, round(factor * side)) for side in image.shape)
    return image if factor == 1 else resize_to(image, width, height)


def resize_to(image: GreyImage, width: int, height: int) -> GreyImage:
    """Scales a grey picture to this size: area averages if either side shrinks, else cubic interpolation."""
    method = cv2.INTER_AREA if width < image.shape[1] or height < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def normalise(crop: GreyImage) -> NDArray[np.float32]:
    """Stretches the 2nd to 98th percentile of a grey picture over [0, 1], clipped; a flat one becomes 0.5."""
    low, high = np.percentile(crop, (2, 98))
    if high - low < 1:
        return np.full(crop.shape, 0.5, dtype=np.float32)
    stretched = (crop.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.asarray(np.clip(stretched, 0, 1), dtype=np.float32)


def standardise(picture: GreyImage) -> NDArray[np.float32]:
    """Shifts and scales a grey picture to zero mean and unit deviation; a flat picture becomes 0.

    Deviations below one grey level count as one.
    """
    values = picture.astype(np.float32)
    values -= values.mean()
    return np.asarray(values / max(float(values.std()), 1.0), dtype=np.float32)


def pad(crop: NDArray[np.float32], multiple: int) -> NDArray[np.float32]:
    """Pads a grey picture by repeating its right and bottom border until both sides are multiples of ``multiple``."""
    height, width = crop.shape
    return np.pad(crop, ((0, -height % multiple), (0, -width % multiple)), mode="edge")


def shrink(image: GreyImage, factor: float) -> GreyImage:
    """Scales a grey picture down as `resize` does, but halves it as often as possible first, which is several times
    faster."""
    while factor <= 0.5 and min(image.shape) > 1:
        height, width = (side // 2 * 2 for side in image.shape)
        image, factor = resize(image[:height, :width], 0.5), factor * 2
    return resize(image, factor)


def enlarge(cells: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Enlarges a picture of one value a cell: repeats each as a square of ``factor`` x ``factor``."""
    return np.kron(cells, np.ones((factor, factor), dtype=np.float32))


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Correlation of two vectors (N,), -1 to 1; 0 if one of them is constant."""
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm > 1e-6 else 0.0


def psnr(picture: GreyImage, truth: GreyImage) -> float:
    """Peak signal-to-noise ratio in dB, at most 100, which equal pictures have."""
    error = float(np.mean((picture.astype(np.float64) - truth) ** 2))
    return min(100.0, float(10 * np.log10(255**2 / error))) if error else 100.0
