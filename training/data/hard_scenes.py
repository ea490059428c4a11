"""Scenes for the locator that hold hard codes: on dark pages without quiet zone, cut off, hidden in part, styled,
faint, creased, and several on a sheet that touch each other.

A sheet is printed with one code or a grid of them, worn, and put into a scene.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.imaging import standardise
from app.pipeline.qrcode.patterns import VERSIONS, dimension
from app.pipeline.quad import oblong, square
from training.data import degrade
from training.data.creases import Sheet
from training.data.degrade import Image, to_uint8
from training.data.occluders import Ground, occlude
from training.data.scenes import (
    MAX_CODES,
    MIN_VISIBLE,
    SceneCode,
    blur_unit,
    compose,
    draw_background,
    draw_distractor,
    expose,
    paste,
    tilted_square,
    visible_share,
)
from training.data.styles import draw_styled
from training.data.symbols import draw_symbol, random_symbol

_SMALLEST = 28  # pixels a side of a code that the locator is to see
_FINEST_STYLED = 4  # pixels a module at which styles are drawn
_STEEP = 0.2  # share of sheets that are seen from far aside
_LAYOUTS = {"one": 0.35, "cut by window": 0.14, "cut by picture": 0.21, "grid": 0.3}
HARD_DATA = {
    "hard scenes": "45 %: one code (35 %), one cut off (35), grids of up to 4 x 4 codes 0-8 modules apart (30)",
    "hard codes": "no quiet zone on a page of the ink's tone 35 % (40 % of them inverted, 12 % of others), styled "
    "30 %, hidden in part 35 % (logos, stickers, tears, painted finder patterns), creased 15 %, faint 15 %",
    "cut off": "40 % by the window, to 60-98 %; 60 % by the picture's end, 2-30 % of the code's reach lost",
    "picture's end": "15 % of the others: beyond it nothing, or its border repeated",
}
"""Describes the hard scenes in checkpoints' provenance."""


@dataclass(frozen=True)
class _Print:
    """A printed sheet: its picture (H, W), the outer corners of its codes in it, (4, 2) each, the modules per side of a
    code, and the reflectance of the page around them."""

    image: Image
    codes: list[NDArray[np.float64]]
    modules: int
    page: float


def hard_scene(rng: Generator, side: int) -> tuple[NDArray[np.float32], list[SceneCode]]:
    """A window as the locator sees it, (``side``, ``side``), zero mean and unit deviation, and the codes in it."""
    layout = rng.choice(list(_LAYOUTS), p=list(_LAYOUTS.values()))
    rows, columns = (rng.integers(1, 5, 2).tolist()) if layout == "grid" else (1, 1)
    if layout == "grid":
        smallest, largest = _SMALLEST, min(150.0, 1.8 * side / max(rows, columns))
        reach = float(np.exp(rng.uniform(np.log(smallest), np.log(max(largest, smallest + 1)))))
    elif rng.random() < 0.45:
        reach = side * rng.uniform(0.55, 0.95)
    else:
        reach = side * 10 ** rng.uniform(np.log10(0.11), np.log10(0.8))
    sheet = _print(rng, reach, rows, columns)
    is_plain = rng.random() < 0.45
    image = np.full((side, side), sheet.page, dtype=np.float32) if is_plain else draw_background(rng, side)
    for _ in range(rng.integers(0, 4)):
        image = paste(image, draw_distractor(rng), rng)
    corners = _place(rng, sheet, reach, side, cut=layout == "cut by window")
    image = compose(image, sheet.image, corners)
    matrix = cv2.getPerspectiveTransform(_frame(sheet.image), corners.astype(np.float32))
    seen = [np.asarray(cv2.perspectiveTransform(code[None], matrix)[0], dtype=np.float64) for code in sheet.codes]
    codes = [SceneCode(quad, sheet.modules, True) for quad in seen]
    faint = rng.random() < 0.15
    if faint:
        image = (rng.uniform(0.1, 0.9) + rng.uniform(0.04, 0.25) * (image - image.mean())).astype(np.float32)
    unit = min(blur_unit(code) for code in codes) * (0.5 if faint else 0.8)
    exposed = expose(image, rng, unit, worst_noise=0.02 if faint else 0.15)
    return (cut_by_picture if layout == "cut by picture" else end_of_picture)(rng, exposed, codes)


def _frame(image: Image) -> NDArray[np.float32]:
    return oblong(*image.shape[::-1]).astype(np.float32)


def _print(rng: Generator, reach: float, rows: int, columns: int) -> _Print:
    """A sheet with ``rows`` x ``columns`` codes of one version, a code about ``reach`` pixels wide in the scene."""
    size = _draw_size(rng, reach)
    pixels = int(np.clip(np.ceil(1.3 * reach / size), 2, 10))
    bare, styled = rng.random() < 0.35, rng.random() < 0.3 and pixels >= _FINEST_STYLED
    gap = round(pixels * (rng.uniform(0, 1) if rng.random() < 0.35 else rng.uniform(0, 4 if bare else 8)))
    margin = round(pixels * (rng.uniform(0.5, 8) if bare else rng.uniform(0, 5)))
    pitch = size * pixels + gap
    shape = rows * pitch - gap + 2 * margin, columns * pitch - gap + 2 * margin
    image = np.full(shape, rng.normal(0, 0.07) if bare else 1.0, dtype=np.float32)
    codes = []
    for row, column in np.ndindex(rows, columns):
        if rows * columns > 2 and rng.random() < 0.08:
            continue
        modules = random_symbol(rng, (size - 17) // 4)
        drawn = draw_styled(rng, modules, pixels=pixels) if styled else draw_symbol(modules, pixels=pixels)
        top, left = margin + row * pitch, margin + column * pitch
        image[top : top + size * pixels, left : left + size * pixels] = drawn
        codes.append(square(size * pixels) + np.array([left, top], dtype=np.float64))
    if not codes:
        return _print(rng, reach, rows, columns)
    if rng.random() < (0.4 if bare else 0.12):
        image = 1 - image
    image = degrade.ink(image, rng, module=0.0 if styled else pixels)
    page = float(image[0, 0])
    return _wear(rng, _Print(image, codes, size, page), pixels)


def _draw_size(rng: Generator, reach: float) -> int:
    """Modules a side, at least a pixel each."""
    weights = 1 / (np.array(VERSIONS) + 2.0)
    version = int(rng.choice(VERSIONS, p=weights / weights.sum()))
    while reach / dimension(version) < 1.0 and version > 1:
        version = int(rng.integers(1, version))
    return dimension(version)


def _wear(rng: Generator, sheet: _Print, pixels: int) -> _Print:
    """Hides parts of some codes, and creases the sheet."""
    image, codes = sheet.image, sheet.codes
    if rng.random() < 0.35:
        for corners in codes if rng.random() < 0.5 else codes[:1]:
            image = _hide(rng, image, corners, pixels)
    if rng.random() < 0.15:
        side = max(image.shape)
        whole = np.pad(image, ((0, side - image.shape[0]), (0, side - image.shape[1])), mode="edge")
        creased = Sheet.random(rng, side, amplitude=rng.uniform(0.3, 1.5) * pixels, module=pixels)
        image = np.ascontiguousarray(creased.see(whole)[: image.shape[0], : image.shape[1]])
        codes = [creased.seen_at(corners) for corners in codes]
    return _Print(image, codes, sheet.modules, sheet.page)


def _hide(rng: Generator, image: Image, corners: NDArray[np.float64], pixels: int) -> Image:
    """Puts an occluder on one code of a sheet; it may reach two modules beyond the code."""
    around = 2 * pixels
    (left, top), (right, bottom) = corners[0].astype(int) - around, corners[2].astype(int) + around
    wide = np.pad(image, around, mode="edge")
    part = wide[top + around : bottom + around, left + around : right + around]
    ink, paper = np.quantile(part, (0.05, 0.95))
    ground = Ground(part.shape[0], around, part.shape[0] - around, pixels, float(ink), float(paper))
    wide[top + around : bottom + around, left + around : right + around] = occlude(rng, part, ground)[0]
    return np.ascontiguousarray(wide[around:-around, around:-around])


def _place(rng: Generator, sheet: _Print, reach: float, side: int, *, cut: bool) -> NDArray[np.float64]:
    """Where the outer corners (4, 2) of a sheet lie in the scene; if ``cut``, a part of its code lies outside."""
    height, width = sheet.image.shape
    steep = rng.random() < _STEEP
    flat = tilted_square(rng, aspect=height / width, tilt=rng.uniform(0.5, 1.1) if steep else rng.uniform(0, 0.5))
    scale = reach / float(np.linalg.norm(sheet.codes[0][1] - sheet.codes[0][0])) * (height * width) ** 0.5
    quad = flat * scale
    half = np.ptp(quad, axis=0) / 2
    matrix = cv2.getPerspectiveTransform(_frame(sheet.image), quad.astype(np.float32))
    code = cv2.perspectiveTransform(sheet.codes[0][None], matrix)[0]
    for _ in range(40):
        if cut:
            place = rng.uniform(-half, side + half)
            if MIN_VISIBLE < visible_share(code + place, side) < 0.98:
                break
        else:
            spare = np.minimum(half * rng.uniform(0.3, 1.0), side / 2)
            place = rng.uniform(spare, side - spare)
            if visible_share(code + place, side) >= MIN_VISIBLE:
                break
    else:
        place = np.full(2, side / 2)
    return np.asarray(quad + place, dtype=np.float64)


def end_of_picture(rng: Generator, image: Image, codes: list[SceneCode]) -> tuple[NDArray[np.float32], list[SceneCode]]:
    """The window of a picture that may end inside it, to the right or below, where the service pads windows or, in
    closer looks, repeats the border; and the codes, with what shows of them."""
    side = image.shape[0]
    right, bottom = side, side
    if rng.random() < 0.15:
        last = int(rng.integers(side * 5 // 8, side))
        right, bottom = (last, side) if rng.random() < 0.5 else (side, last)
    return _ended(rng, image, codes, (0, 0, right, bottom))


def cut_by_picture(rng: Generator, image: Image, codes: list[SceneCode]) -> tuple[NDArray[np.float32], list[SceneCode]]:
    """The window of a picture that ends, on any one side, inside the first of the codes; and the codes, with what shows
    of them. Only windows of closer looks begin to the left of a picture or above it; its border is repeated there."""
    side = image.shape[0]
    low, high = codes[0].corners.min(axis=0), codes[0].corners.max(axis=0)
    axis, at_the_start = int(rng.integers(2)), rng.random() < 0.5
    lost = rng.uniform(0.02, 0.3) * (high[axis] - low[axis])
    box = [0, 0, side, side]
    end = low[axis] + lost if at_the_start else high[axis] - lost
    box[axis + (0 if at_the_start else 2)] = int(np.clip(np.rint(end), 0 if at_the_start else 1, side - at_the_start))
    return _ended(rng, image, codes, (box[0], box[1], box[2], box[3]))


def _ended(
    rng: Generator, image: Image, codes: list[SceneCode], box: tuple[int, int, int, int]
) -> tuple[NDArray[np.float32], list[SceneCode]]:
    """The window of a picture that fills the ``box`` (left, top, right, bottom) of ``image``; and the codes."""
    side, (left, top, right, bottom) = image.shape[0], box
    seen = to_uint8(image)[top:bottom, left:right]
    beyond = ((top, side - bottom), (left, side - right))
    is_empty = left == top == 0 and rng.random() < 0.5
    window = np.pad(standardise(seen), beyond) if is_empty else standardise(np.pad(seen, beyond, mode="edge"))
    begin = np.array([left, top])
    shares = [visible_share(code.corners - begin, right - left, bottom - top) for code in codes]
    shown = [
        SceneCode(code.corners, code.modules, share >= MIN_VISIBLE)
        for code, share in zip(codes, shares, strict=True)
        if share > 0
    ]
    return window, shown[:MAX_CODES]
