"""A picture at many sizes, and its agreement with function patterns."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage, resize, shrink
from app.pipeline.locating.candidates import Points
from app.pipeline.qrcode.patterns import dimension, function_patterns
from app.pipeline.quad import homography

_TOP_PIXELS = 1_000_000
ENLARGED_BELOW = 300_000
"""Pixels below which locators also search a picture enlarged, to twice its sides at most."""
_STEP = 2 ** (-1 / 3)
_SMALLEST_SIDE = 48
LEAST_AGREEMENT = 0.25
"""Agreement below which the locators that compare with function patterns drop a candidate."""
TEMPLATE_PIXELS = 2.0
"""Pixels a module at which function patterns are compared."""


class Pyramid:
    """The picture at sizes a third of an octave apart, the largest of about a megapixel at most.

    Small pictures are enlarged, to twice their sides at most, if ``enlarge`` says so. Each size is computed when it is
    first used.
    """

    def __init__(self, image: GreyImage, *, enlarge: bool = True) -> None:
        largest = 2.0 if enlarge and image.size < ENLARGED_BELOW else 1.0
        top = min(largest, (_TOP_PIXELS / image.size) ** 0.5)
        longest = max(1.0, top * max(image.shape))
        steps = max(1, int(np.log(_SMALLEST_SIDE / longest) / np.log(_STEP)) + 1)
        self.factors = [top * _STEP**i for i in range(steps)]
        self._image = image
        self._pictures: dict[int, GreyImage] = {}

    def picture(self, level: int) -> GreyImage:
        """The picture at ``factors[level]``."""
        if level not in self._pictures:
            largest = self.picture(0) if level else self._image
            made = resize(largest, _STEP**level) if level else shrink(largest, self.factors[0])
            self._pictures[level] = made
        return self._pictures[level]

    def sample(self, positions: NDArray[np.float32], module: float) -> NDArray[np.float32]:
        """Grey values (N,) at `positions` (N, 1, 2) of the original picture, averaged over about half a `module`.

        `module` is in pixels of the original picture.
        """
        level = round(np.log(TEMPLATE_PIXELS / module / self.factors[0]) / np.log(_STEP))
        level = min(max(level, 0), len(self.factors) - 1)
        at = positions * np.float32(self.factors[level]) - np.float32(0.5)
        picture = self.picture(level)
        values = cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(values, dtype=np.float32).ravel()


@cache
def _known_modules(version: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centres (N, 1, 2), in modules, of the modules that the version fixes, and their lightness (N,), zero mean and
    unit norm."""
    patterns = function_patterns(version)
    rows, columns = np.nonzero(patterns.known)
    light = np.where(patterns.dark[rows, columns], -1.0, 1.0)
    light -= light.mean()
    centres = np.stack([columns + 0.5, rows + 0.5], axis=1)[:, None, :]
    return centres.astype(np.float32), (light / np.linalg.norm(light)).astype(np.float32)


def agreement(pyramid: Pyramid, corners: Points, version: int) -> float:
    """Correlation, -1 to 1, of a pyramid's picture under a quad with the version's function patterns; negative if
    inverted."""
    centres, light = _known_modules(version)
    size = dimension(version)
    matrix = homography(corners, size)
    positions = np.asarray(cv2.perspectiveTransform(centres, matrix), dtype=np.float32)
    module = float(cv2.contourArea(corners.astype(np.float32))) ** 0.5 / size
    values = pyramid.sample(positions, module)
    values -= values.mean()
    norm = float(np.linalg.norm(values))
    return float(values @ light) / norm if norm > 0 else 0.0
