"""Scenes for the locator as its look at a stretched picture shows them: codes in steep perspective, seen at twice the
width, so that they are nearly square."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.imaging import standardise
from training.data.degrade import to_uint8
from training.data.scenes import (
    MIN_VISIBLE,
    SceneCode,
    add_steep_code,
    blur_unit,
    draw_background,
    expose,
    visible_share,
)

_STRETCH = 2
_REACHES = (40.0, 150.0)  # pixels, the square root of a code's area, before it is stretched
STRETCHED_DATA = {"stretched scenes": "10 %: one code, tilted by 52-75 degrees, stretched to twice its width"}
"""Describes these scenes in checkpoints' provenance."""


def stretched_scene(rng: Generator, side: int) -> tuple[NDArray[np.float32], list[SceneCode]]:
    """A window as the locator sees it, (``side``, ``side``), zero mean and unit deviation, and the code in it."""
    image = draw_background(rng, side)
    image, code = add_steep_code(image, rng, reach=float(np.exp(rng.uniform(*np.log(_REACHES)))))
    image, corners = expose(image, rng, blur_unit(code)), code.corners
    if np.ptp(corners[:, 0]) > np.ptp(corners[:, 1]):  # it is stretched across its length
        image, corners = np.ascontiguousarray(image.T), corners[[0, 3, 2, 1], ::-1]
    left = float(np.clip(corners[:, 0].mean() - side / 4 + rng.uniform(-0.1, 0.1) * side, 0, side / 2))
    # Of pixels' centres: x' + 0.5 = 2 (x + 0.5 - left).
    matrix = np.array([[_STRETCH, 0, _STRETCH * (0.5 - left) - 0.5], [0, 1, 0]])
    seen = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    corners = (corners - [left, 0]) * [_STRETCH, 1]
    shown = SceneCode(corners, code.modules, visible_share(corners, side) >= MIN_VISIBLE)
    return standardise(to_uint8(np.asarray(seen, dtype=np.float32))), [shown]
