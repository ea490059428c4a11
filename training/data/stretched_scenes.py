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
STRETCHED_DATA = {"stretched scenes": "15 %: one code, tilted by 52-75 degrees, stretched to twice its width"}
"""Describes these scenes in checkpoints' provenance."""


def stretched_scene(rng: Generator, side: int) -> tuple[NDArray[np.float32], list[SceneCode]]:
    """A window as the locator sees it, (``side``, ``side``), zero mean and unit deviation, and the codes in it."""
    image = draw_background(rng, side)
    image, code = add_steep_code(image, rng, reach=float(np.exp(rng.uniform(*np.log(_REACHES)))))
    codes = [code] if code else []
    image = expose(image, rng, min([blur_unit(one) for one in codes], default=2.0))
    if codes and np.ptp(codes[0].corners[:, 0]) > np.ptp(codes[0].corners[:, 1]):  # stretched across its length
        image = np.ascontiguousarray(image.T)
        mirrored = codes[0].corners[:, ::-1]
        codes = [SceneCode(np.ascontiguousarray(mirrored[[0, 3, 2, 1]]), codes[0].modules, codes[0].visible)]
    middle = codes[0].corners[:, 0].mean() if codes else side / 2
    left = float(np.clip(middle - side / 4 + rng.uniform(-0.1, 0.1) * side, 0, side / 2))
    # Of pixels' centres: x' + 0.5 = 2 (x + 0.5 - left).
    matrix = np.array([[_STRETCH, 0, _STRETCH * (0.5 - left) - 0.5], [0, 1, 0]])
    seen = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    shown = []
    for one in codes:
        corners = (one.corners - [left, 0]) * [_STRETCH, 1]
        shown.append(SceneCode(corners, one.modules, visible_share(corners, side) >= MIN_VISIBLE))
    return standardise(to_uint8(np.asarray(seen, dtype=np.float32))), shown
