"""How much a place of a scene looks like a code."""

from collections.abc import Iterable, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import function_patterns
from app.pipeline.quad import homography
from training.data.degrade import Image
from training.data.scenes import SceneCode

_STEPS: Final = ((1, 0), (-1, 0), (0, 1), (0, -1))


def likeness(image: Image, code: SceneCode, *, shift: tuple[int, int] = (0, 0), turn: int = 0) -> float:
    """Correlation of the picture at the code's place with the patterns that its version fixes, whatever the polarity;
    with the place shifted by so many modules, or turned by so many corners."""
    patterns = function_patterns((code.modules - 17) // 4)
    rows, columns = np.nonzero(patterns.known)
    centres = np.stack([columns + 0.5 + shift[0], rows + 0.5 + shift[1]], axis=1)[None]
    corners = np.roll(code.corners, turn, axis=0)
    at = cv2.perspectiveTransform(centres, homography(corners, code.modules))[0].astype(np.float32) - 0.5
    inside = ((at > 0) & (at < np.array(image.shape[::-1]) - 1)).all(axis=1)
    values = cv2.remap(image, at[inside, :1], at[inside, 1:], cv2.INTER_LINEAR)[:, 0]
    return abs(float(np.corrcoef(values, patterns.dark[rows, columns][inside])[0, 1])) if values.std() else 0.0


def likeness_beside(image: Image, code: SceneCode, *, modules: int = 1) -> float:
    """The highest likeness of the four places so many modules beside the code's."""
    return max(likeness(image, code, shift=(modules * x, modules * y)) for x, y in _STEPS)


def likenesses(
    scenes: Iterable[tuple[Image, Sequence[SceneCode]]], *, pixels: float, modules: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the codes that lie whole in their scenes, with modules of more than so many ``pixels``: the likeness at their
    places, and the highest of those so many ``modules`` beside."""
    pairs = [
        (likeness(image, code), likeness_beside(image, code, modules=modules))
        for image, codes in scenes
        for code in codes
        if ((code.corners > 0) & (code.corners < image.shape[::-1])).all()
        and cv2.contourArea(code.corners.astype(np.float32)) ** 0.5 > pixels * code.modules
    ]
    there, beside = np.array(pairs).reshape(-1, 2).T
    return there, beside
