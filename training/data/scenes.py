"""Synthetic scenes for the locator: codes among clutter and things that look like codes, in poor photographs.

Images are float32 (S, S) in [0, 1]; positions (x, y) are in pixels from the outer edge.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import VERSIONS, dimension
from app.pipeline.quad import oblong, square
from training.data import degrade
from training.data.degrade import Image
from training.data.symbols import draw_dots, draw_symbol, random_symbol

_SHARE_WITHOUT = 0.12  # scenes without a code
_SHARE_CLOSE = 0.4  # scenes with one code that fills most of the window, as in the locator's second pass
MIN_VISIBLE = 0.6
"""Of a code's area: codes that show less are left out of the loss."""
MAX_CODES = 16
"""Codes of a scene, at most."""


@dataclass(frozen=True)
class SceneCode:
    """A code in a scene: its outer corners (4, 2), from its own top left clockwise as seen, and its modules per side.

    ``visible``: whether enough of it lies inside the scene.
    """

    corners: NDArray[np.float64]
    modules: int
    visible: bool


def scene(rng: Generator, side: int = 256, *, empty: bool | None = None) -> tuple[Image, list[SceneCode]]:
    """Draws a synthetic scene of ``side`` x ``side`` pixels; returns it and the codes in it; ``empty`` forces none or
    at least an attempt at one.

    By default ``_SHARE_WITHOUT`` of the scenes are empty.
    """
    image = draw_background(rng, side)
    for _ in range(rng.integers(0, 6)):
        image = paste(image, draw_distractor(rng), rng)
    codes: list[SceneCode] = []
    unit = float(rng.uniform(2, 8))
    if not (rng.random() < _SHARE_WITHOUT if empty is None else empty):
        image, codes = add_codes(image, rng)
        if codes:
            unit = min(blur_unit(code) for code in codes)
    return expose(image, rng, unit), codes


def add_codes(image: Image, rng: Generator) -> tuple[Image, list[SceneCode]]:
    """Puts one to four codes on a square scene; returns it and those that found a place."""
    side, codes = image.shape[0], list[SceneCode]()
    close = rng.random() < _SHARE_CLOSE
    for _ in range(1 if close or rng.random() < 0.75 else rng.integers(2, 5)):
        reach = side * (rng.uniform(0.55, 0.95) if close else 10 ** rng.uniform(np.log10(0.11), np.log10(0.8)))
        image, code = _add_code(image, rng, reach=float(reach), close=close, others=codes)
        if code:
            codes.append(code)
    return image, codes


def add_steep_code(image: Image, rng: Generator, *, reach: float) -> tuple[Image, SceneCode]:
    """Puts a code of about ``reach`` x ``reach`` pixels of area, seen from far aside, on a scene; returns it and the
    code."""
    tilt = float(rng.uniform(0.9, 1.3))
    version, corners = _place_code(rng, image.shape[0], reach=reach, close=False, tilt=tilt)
    return _print_code(image, rng, version, corners, reach=reach)


def blur_unit(code: SceneCode) -> float:
    """Pixels per module, the unit of blur; larger for codes of more than 41 modules a side."""
    return float(cv2.contourArea(code.corners.astype(np.float32)) ** 0.5) / min(code.modules, 41)


def expose(image: Image, rng: Generator, unit: float, *, worst_noise: float = 0.2) -> Image:
    """Light, blur, low resolution, noise and JPEG, each in a share of the scenes."""
    if rng.random() < 0.6:
        image = degrade.shade(image, rng)
    if rng.random() < 0.25:
        image = degrade.glare(image, rng)
    if rng.random() < 0.7:
        image = degrade.blur(image, rng, module=unit, reach=rng.uniform(0.2, 0.9))
    if rng.random() < 0.15:
        factor = min(1.0, rng.uniform(1.0, 2.5) / unit)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(small, image.shape[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return np.clip(degrade.sensor(np.clip(image, 0, 1), rng, worst_noise=worst_noise), 0, 1)


# --- background and distractors -------------------------------------------------------------------------------------


def _octaves(rng: Generator, side: int) -> Image:
    """Noise of six octaves that fills [0, 1]."""
    field = np.zeros((side, side), dtype=np.float32)
    for octave in range(1, 7):
        grid = rng.random((2**octave, 2**octave), dtype=np.float32)
        field += cv2.resize(grid, (side, side), interpolation=cv2.INTER_LINEAR) * np.float32(
            rng.uniform(0.3, 1) / 1.6**octave
        )
    return np.asarray((field - field.min()) / max(float(np.ptp(field)), 1e-6), dtype=np.float32)


def draw_background(rng: Generator, side: int) -> Image:
    """Uniform grey, octave noise, or dead leaves: overlapping shapes of all sizes (Lee et al., IJCV 2001)."""
    kind = rng.random()
    if kind < 0.2:
        return np.full((side, side), rng.random(), dtype=np.float32)
    low, high = np.sort(rng.random(2))
    image = np.asarray(low + (high - low) * _octaves(rng, side), dtype=np.float32)
    if kind < 0.45:
        return image
    for _ in range(rng.integers(8, 70)):
        centre = tuple(int(v) for v in rng.uniform(0, side, 2))
        size = side * 0.5 * rng.random() ** 3 + 2
        axes = tuple(int(v) for v in size * rng.uniform(0.3, 1.5, 2) + 1)
        grey = float(rng.random())
        if rng.random() < 0.4:
            cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, grey, -1, cv2.LINE_AA)
        else:
            box = cv2.boxPoints((centre, axes, float(rng.uniform(0, 180)) if rng.random() < 0.6 else 0.0))
            cv2.fillConvexPoly(image, np.rint(box).astype(np.int32), grey, cv2.LINE_AA)
    return image


def _stripes(rng: Generator) -> Image:
    """A bar code or, with equal widths, stripes."""
    widths = rng.integers(1, 5, 60) if rng.random() < 0.7 else np.full(60, rng.integers(1, 4))
    row = np.repeat(np.arange(60) % 2, widths).astype(np.float32)
    return np.repeat(row[None], max(8, int(len(row) * rng.uniform(0.2, 0.8))), axis=0)


def _modules(rng: Generator) -> Image:
    """Random modules as in other matrix codes: with the border of a Data Matrix, the bull's eye of an Aztec code, a
    chessboard, or neither."""
    count = int(rng.integers(8, 40))
    cells = (rng.random((count, count)) < rng.uniform(0.3, 0.7)).astype(np.float32)
    kind = rng.random()
    if kind < 0.3:
        cells[:, 0] = cells[-1] = 0
        cells[0], cells[:, -1] = np.arange(count) % 2, np.arange(count) % 2
    elif kind < 0.5:
        cells = np.indices((count, count)).sum(axis=0).astype(np.float32) % 2
    elif kind < 0.6:
        y, x = np.abs(np.indices((count, count)) - count // 2)
        ring = np.maximum(x, y)
        cells = np.where(ring < 6, ring % 2, cells).astype(np.float32)
    return np.pad(np.kron(cells, np.ones((3, 3), dtype=np.float32)), 4, constant_values=1)


def _squares(rng: Generator) -> Image:
    """Finder patterns without a code: one, or two in a row."""
    ring = np.maximum(*np.abs(np.indices((9, 9)) - 4))
    finder = np.isin(ring, (2, 4)).astype(np.float32)
    row = np.hstack([finder] * int(rng.integers(1, 3)))
    return np.kron(row, np.ones((4, 4), dtype=np.float32))


def _text(rng: Generator) -> Image:
    """A few lines of letters."""
    image = np.ones((96, 160), dtype=np.float32)
    scale = float(rng.uniform(0.3, 1.2))
    for y in range(int(18 * scale) + 4, 96, int(26 * scale) + 4):
        letters = "".join(chr(c) for c in rng.integers(33, 123, 24))
        cv2.putText(image, letters, (2, y), int(rng.integers(0, 8)), scale, 0.0, int(rng.integers(1, 3)), cv2.LINE_AA)
    return image


def _windows(rng: Generator) -> Image:
    """A grid of boxes, as on a façade or in a table."""
    rows, columns = rng.integers(2, 10, 2)
    cell = np.ones((12, 12), dtype=np.float32)
    height, width = rng.integers(3, 11, 2)
    cell[1 : 1 + height, 1 : 1 + width] = 0
    return np.asarray(np.tile(cell, (rows, columns)), dtype=np.float32)


_DISTRACTORS: tuple[Callable[[Generator], Image], ...] = (_stripes, _modules, _squares, _text, _windows)


def draw_distractor(rng: Generator) -> Image:
    """Draws one of the things that resemble a code, of any size, in [0, 1]."""
    return _DISTRACTORS[rng.integers(len(_DISTRACTORS))](rng)


def paste(image: Image, patch: Image, rng: Generator) -> Image:
    """Pastes a patch in random greys at a random position, size and rotation."""
    side = image.shape[0]
    corners = tilted_square(rng, aspect=patch.shape[0] / patch.shape[1], tilt=rng.uniform(0, 0.8))
    corners = corners * side * 10 ** rng.uniform(-0.9, -0.2) + rng.uniform(0, side, 2)
    dark, light = rng.random(2)
    return compose(image, (dark + (light - dark) * patch).astype(np.float32), corners)


def compose(image: Image, patch: Image, corners: NDArray[np.float64], mask: Image | None = None) -> Image:
    """Warps ``patch`` so that its outer corners lie at ``corners`` (4, 2), and puts it over ``image`` where ``mask``,
    warped alike, is 1."""
    height, width = patch.shape
    frame = oblong(width, height).astype(np.float32)
    matrix = degrade.pixel_centre_homography(cv2.getPerspectiveTransform(frame, corners.astype(np.float32)))
    scale = float(np.sqrt(cv2.contourArea(corners.astype(np.float32)) / (width * height)))
    if scale < 1:
        patch = degrade.gaussian(patch, sigma=0.45 / max(scale, 0.1))
    cover = np.ones_like(patch) if mask is None else mask
    size = image.shape[::-1]
    warped = cv2.warpPerspective(patch, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = np.asarray(cv2.warpPerspective(cover, matrix, size, flags=cv2.INTER_LINEAR), dtype=np.float32)
    return np.asarray(image + cover * (warped - image), dtype=np.float32)


def tilted_square(rng: Generator, *, aspect: float, tilt: float) -> NDArray[np.float64]:
    """Corners, (4, 2), of a flat rectangle of area 1 around the origin, rotated at random, tilted by ``tilt`` radians
    about a random axis and seen from a distance of 1.5 to 6 times its size."""
    width = aspect**-0.5
    corners = np.array([[-width, -1 / width], [width, -1 / width], [width, 1 / width], [-width, 1 / width]]) / 2
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.6 else rng.normal(0, 0.05) + rng.integers(4) * np.pi / 2
    corners = corners @ degrade.rotation(turn).T
    axis = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(axis), np.sin(axis)])
    depth = corners @ along
    flat = corners + np.outer(depth * (np.cos(tilt) - 1), along)
    seen = flat / (1 + depth * np.sin(tilt) / rng.uniform(1.5, 6))[:, None]
    seen -= seen.mean(axis=0)
    return np.asarray(seen / cv2.contourArea(seen.astype(np.float32)) ** 0.5, dtype=np.float64)


# --- codes ----------------------------------------------------------------------------------------------------------


def _label(rng: Generator, modules: NDArray[np.bool_], pixels: int) -> tuple[Image, Image, float]:
    """A printed symbol, the mask of where it is opaque, and its margin in modules."""
    drawn = draw_dots(rng, modules, pixels=pixels) if rng.random() < 0.08 else draw_symbol(modules, pixels=pixels)
    quiet = float(rng.uniform(0.5, 6)) if rng.random() < 0.7 else 4.0
    margin = round(quiet * pixels)
    label = np.pad(drawn, margin, constant_values=1)
    if rng.random() < 0.1:
        cv2.rectangle(label, (0, 0), (label.shape[1] - 1, label.shape[0] - 1), 0.0, max(1, round(0.7 * pixels)))
    if rng.random() < 0.1:  # a logo
        middle, reach = label.shape[0] / 2, 0.5 * drawn.shape[0] * rng.uniform(0.1, 0.35)
        low, high = int(middle - reach), int(middle + reach)
        label[low:high, low:high] = rng.random()
    if rng.random() < 0.06:
        label = 1 - label
    cover = np.ones_like(label) if rng.random() < 0.9 else np.asarray(np.abs(label - np.median(label)))
    return degrade.ink(label, rng, module=pixels), np.asarray(cover, dtype=np.float32), quiet


def _add_code(
    image: Image, rng: Generator, *, reach: float, close: bool, others: list[SceneCode]
) -> tuple[Image, SceneCode | None]:
    """Adds a code of about ``reach`` x ``reach`` pixels of area to the scene; adds None where it would overlap others.

    ``close`` centres it and keeps it inside the scene.
    """
    version, corners = _place_code(rng, image.shape[0], reach=reach, close=close)
    if any(_overlap(corners, other.corners) for other in others):
        return image, None
    return _print_code(image, rng, version, corners, reach=reach)


def _place_code(
    rng: Generator, side: int, *, reach: float, close: bool, tilt: float | None = None
) -> tuple[int, NDArray[np.float64]]:
    """The version and the outer corners (4, 2) of a code of about ``reach`` x ``reach`` pixels of area in a scene.

    ``tilt``: in radians; None draws one.
    """
    weights = 1 / (np.array(VERSIONS) + 2.0)
    version = int(rng.choice(VERSIONS, p=weights / weights.sum()))
    size = dimension(version)
    while reach / size < 1.0 and version > 1:  # modules under a pixel: nothing could read it, so nothing should find it
        version = int(rng.integers(1, version))
        size = dimension(version)
    if tilt is None:
        tilt = rng.uniform(0.6, 1.2) if rng.random() < 0.3 else rng.uniform(0, 0.6)
    quad = tilted_square(rng, aspect=1.0, tilt=tilt) * reach
    if close:
        extent = np.ptp(quad, axis=0).max()
        quad *= min(1.0, 0.97 * side / extent)
        place = side / 2 + rng.uniform(-0.12, 0.12, 2) * side
    else:
        half = np.ptp(quad, axis=0) / 2
        spare = -0.3 * half if rng.random() < 0.15 else half
        place = rng.uniform(np.minimum(spare, side / 2), np.maximum(side - spare, side / 2))
    return version, np.asarray(quad + place, dtype=np.float64)


def _print_code(
    image: Image, rng: Generator, version: int, corners: NDArray[np.float64], *, reach: float
) -> tuple[Image, SceneCode]:
    """Puts a label with a code of about ``reach`` x ``reach`` pixels of area on the scene, its outer corners there
    unless the label bends; returns the scene and the code."""
    size = dimension(version)
    pixels = int(np.clip(np.ceil(1.3 * reach / size), 2, 10))
    label, cover, quiet = _label(rng, random_symbol(rng, version), pixels)
    far = quiet + size
    inner = np.array([[quiet, quiet], [far, quiet], [far, far], [quiet, far]], dtype=np.float64)
    matrix = np.asarray(
        cv2.getPerspectiveTransform(inner.astype(np.float32), corners.astype(np.float32)), dtype=np.float64
    )
    if rng.random() < 0.3:
        label, cover, corners = _bend(label, cover, rng, np.asarray(inner * pixels, dtype=np.float64), matrix, pixels)
    if rng.random() < 0.2:
        label = degrade.occlude(label, rng, module=pixels * size / 25)
    outer = cv2.perspectiveTransform(square(size + 2 * quiet)[None], matrix)[0]
    image = compose(image, label, np.asarray(outer, dtype=np.float64), cover)
    return image, SceneCode(corners, size, visible_share(corners, image.shape[0]) >= MIN_VISIBLE)


def _bend(
    label: Image, cover: Image, rng: Generator, inner: NDArray[np.float64], matrix: NDArray[np.float64], pixels: int
) -> tuple[Image, Image, NDArray[np.float64]]:
    """Displaces label and mask along two waves; also returns where the corners lie in the scene then."""
    side = label.shape[0]
    amplitude, frequency = rng.uniform(0, 0.05, 2) * side, rng.uniform(0.4, 1.6, (2, 2)) * 2 * np.pi / side
    phase = rng.uniform(0, 2 * np.pi, 2)

    def shift(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        dx, dy = (amplitude[i] * np.sin(x * frequency[i, 0] + y * frequency[i, 1] + phase[i]) for i in (0, 1))
        return dx, dy

    y, x = np.mgrid[0:side, 0:side].astype(np.float64)
    dx, dy = shift(x, y)
    at = (x + dx).astype(np.float32), (y + dy).astype(np.float32)
    label, cover = (
        np.asarray(cv2.remap(part, *at, cv2.INTER_LINEAR, borderMode=border), dtype=np.float32)
        for part, border in ((label, cv2.BORDER_REPLICATE), (cover, cv2.BORDER_CONSTANT))
    )
    places = inner.copy()
    for _ in range(8):  # solves place + shift(place) = corner
        places = inner - np.stack(shift(places[:, 0], places[:, 1]), axis=1)
    return label, cover, np.asarray(cv2.perspectiveTransform((places / pixels)[None], matrix)[0], dtype=np.float64)


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether the circles around two quads come closer than 15 % of their radii."""
    distance = np.linalg.norm(one.mean(axis=0) - other.mean(axis=0))
    radii = [np.linalg.norm(quad - quad.mean(axis=0), axis=1).max() for quad in (one, other)]
    return bool(distance < 1.15 * sum(radii))


def visible_share(corners: NDArray[np.float64], side: int, height: int | None = None) -> float:
    """Share of a quad's area that lies inside a scene of ``side`` x ``side`` pixels, or of ``side`` x ``height``."""
    window = oblong(side, side if height is None else height).astype(np.float32)
    quad = corners.astype(np.float32)
    shared, _ = cv2.intersectConvexConvex(quad, window)
    return float(shared / max(cv2.contourArea(quad), 1e-6))
