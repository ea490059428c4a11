"""Scenes for the locator that are filled with what looks like a code: pages of text, bar codes, boards, halftones,
keyboards, finder patterns; with codes on some of them."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.data import degrade
from training.data.degrade import Image
from training.data.hard_scenes import end_of_picture
from training.data.lookalikes import LOOKALIKES
from training.data.scenes import SceneCode, add_codes, blur_unit, expose

_KINDS = {
    "page": 0.45,
    "text": 0.1,
    "bars": 0.08,
    "checkerboard": 0.08,
    "halftone": 0.1,
    "keyboard": 0.1,
    "finders": 0.09,
}
_SEEN_SPACINGS = (3.0, 36.0)  # pixels from line to line in the scene
_DRAWN_SPACINGS = (14, 28)  # pixels from line to line as pages are drawn
_SPARE = 1.5  # times the side of the scene that is drawn, so that it may be turned
_LARGEST_PAGE = 1400  # pixels a side
_WITH_CODES = 0.4  # share of the scenes
_INVERTED = 0.15
LOOKALIKE_DATA = {
    "lookalikes": "12 %: pages of text 55 %, 3-40 px from line to line, keyboards, halftones, finder patterns, boards, "
    "bar codes; 15 % inverted, any turn 35 %; 60 % without a code",
}
"""Describes these scenes in checkpoints' provenance."""


def lookalike_scene(rng: Generator, side: int) -> tuple[NDArray[np.float32], list[SceneCode]]:
    """A window as the locator sees it, (``side``, ``side``), zero mean and unit deviation, and the codes in it."""
    image = _background(rng, side)
    codes: list[SceneCode] = []
    unit = float(rng.uniform(0.5, 4))
    if rng.random() < _WITH_CODES:
        image, codes = add_codes(image, rng)
        unit = min([blur_unit(code) for code in codes], default=unit)
    return end_of_picture(rng, expose(image, rng, unit), codes)


def _background(rng: Generator, side: int) -> Image:
    kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
    needed = _SPARE * side
    if kind == "page":
        from training.data.printed_pages import draw_page  # noqa: PLC0415 - other recipes do without its Matplotlib

        seen_spacing = float(np.exp(rng.uniform(*np.log(_SEEN_SPACINGS))))
        most = seen_spacing * _LARGEST_PAGE / needed
        spacing = round(max(min(float(rng.integers(_DRAWN_SPACINGS[0], _DRAWN_SPACINGS[1] + 1)), most), seen_spacing))
        factor = seen_spacing / spacing
        picture = draw_page(rng, (round(needed / factor),) * 2, spacing=spacing)
    else:
        picture = LOOKALIKES[kind](rng)
        factor = float(np.exp(rng.uniform(np.log(min(1.0, needed / min(picture.shape))), 0)))
    seen = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    dark, light = np.sort(rng.uniform(0, 1, 2)) * np.array([0.6, 0.6]) + np.array([0.0, 0.4])
    if rng.random() < _INVERTED:
        dark, light = light, dark
    return np.asarray(dark + (light - dark) * _turned(rng, np.asarray(seen, dtype=np.float32), side), dtype=np.float32)


def _turned(rng: Generator, picture: Image, side: int) -> Image:
    """A part of a picture, (``side``, ``side``), turned and seen a little from aside."""
    height, width = picture.shape[:2]
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.35 else rng.normal(0, 0.02) + rng.integers(4) * np.pi / 2
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2
    from_where = square @ degrade.rotation(turn).T + rng.uniform(-0.06, 0.06, (4, 2)) * side
    spare = np.maximum(np.array([width, height]) - side, 0) / 2
    from_where += np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * spare
    matrix = cv2.getPerspectiveTransform(from_where.astype(np.float32), (square + side / 2).astype(np.float32))
    warped = cv2.warpPerspective(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(warped, dtype=np.float32)
