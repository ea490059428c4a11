"""Pictures of one code each of the kinds that readers give up on, as they are met in the field.

Symbols hold random texts that fill 60 to 95 % of them. Photographs have a slight perspective, any rotation in four of
ten, blur, noise and JPEG; the others are exports: upright, of whole pixels a module.
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import QUIET_ZONE
from app.pipeline.quad import square
from training.data import degrade
from training.data.creases import Sheet
from training.data.degrade import Image
from training.data.labels import PIXELS, Label, facing, move, put, symbol_label, transform
from training.data.styles import STYLES
from training.data.symbols import EncodedSymbol, draw_symbol, random_text_symbol
from training.measure.many.pallet import INVERSE
from training.measure.many.picture import Picture, PlacedCode

_FINDER = 7  # modules a side
_EXPORT, _PHOTOGRAPH = "export", "photograph"


def dark_page(rng: Generator, index: int) -> Picture:
    """An export without quiet zone on a page of the ink's own tone: dark modules on a dark page or, every other
    picture, light modules on a light page; 3-12 px a module, versions 1-8."""
    symbol = random_text_symbol(rng, int(rng.integers(1, 9)))
    return _bare(rng, symbol, inverse=index % 2 == 1, module=float(rng.integers(3, 13)))


def soft_dark_page(rng: Generator, index: int) -> Picture:
    """As `dark_page`, slightly soft: any size of 3-10 px a module, gaussian blur of 0.25-0.6 module, half of them
    turned a little, noise of 0-4 grey levels, JPEG 60-95."""
    symbol = random_text_symbol(rng, int(rng.integers(1, 9)))
    return _bare(rng, symbol, inverse=index % 2 == 1, module=rng.uniform(3, 10), soft=True)


def _bare(rng: Generator, symbol: EncodedSymbol, *, inverse: bool, module: float, soft: bool = False) -> Picture:
    drawn = draw_symbol(symbol.modules, pixels=PIXELS)
    label = symbol_label(drawn, quiet_zone=0)
    dark, light = rng.uniform(0, 0.12), rng.uniform(0.8, 1.0)
    ink, paper = (light, dark) if inverse else (dark, light)
    label = Label(np.asarray(ink + (paper - ink) * label.image, dtype=np.float32), label.corners)
    page = float(np.clip(ink + rng.normal(0, 0.02), 0, 1)) if rng.random() < 0.5 else ink
    traits = (INVERSE,) if inverse else ("dark",)
    size = drawn.shape[0] / PIXELS * module
    width, height = (round(size + module * rng.uniform(4, 24)) for _ in range(2))
    picture = np.full((height, width), page, dtype=np.float32)
    if not soft:
        whole = cv2.resize(label.image, (round(size),) * 2, interpolation=cv2.INTER_NEAREST)
        left, top = ((extent - round(size)) // 2 for extent in (width, height))
        picture[top : top + round(size), left : left + round(size)] = whole
        corners = square(round(size)) + np.array([left, top])
        return Picture(degrade.to_uint8(picture), (PlacedCode(symbol, corners, traits),))
    turn = rng.normal(0, 0.06) if rng.random() < 0.5 else 0.0
    target = label.frame - label.frame.mean(axis=0)
    target = target @ degrade.rotation(turn).T * (module / PIXELS)
    matrix = cv2.getPerspectiveTransform(label.frame.astype(np.float32), target.astype(np.float32))
    centre = np.array([width, height]) / 2 + rng.uniform(-0.5, 0.5, 2)
    corners = put(picture, label, move(np.asarray(matrix, dtype=np.float64), *centre.tolist()))
    picture = _expose(rng, picture, sigma=rng.uniform(0.25, 0.6) * module, noise=rng.uniform(0, 4), quality=(60, 96))
    return Picture(degrade.to_uint8(picture), (PlacedCode(symbol, corners, traits),))


def _expose(rng: Generator, picture: Image, *, sigma: float, noise: float, quality: tuple[int, int]) -> Image:
    """Gaussian blur of ``sigma`` pixels, noise in grey levels, JPEG."""
    picture = degrade.gaussian(picture, sigma=sigma)
    picture = picture + np.float32(noise / 255) * rng.standard_normal(picture.shape, dtype=np.float32)
    return degrade.jpeg(np.clip(picture, 0, 1), quality=int(rng.integers(*quality)))


def _shoot(
    rng: Generator, symbol: EncodedSymbol, label: Label, *, blur: tuple[float, float] = (0.2, 0.5), trait: str = ""
) -> Picture:
    """A photograph of a label on a plain or cluttered table, 3.5-9 px a module; ``blur`` in modules."""
    module = rng.uniform(3.5, 9)
    matrix = facing(rng, label, module=module, jitter=0.04)
    outline = transform(label.frame, matrix)
    extent = np.ptp(outline, axis=0) + rng.uniform(1, 8) * module
    width, height = (round(one) for one in extent)
    picture = np.full((height, width), rng.uniform(0.05, 0.95), dtype=np.float32)
    for _ in range(rng.integers(0, 5)):
        low = rng.uniform(-0.2, 1, 2) * extent
        high = low + rng.uniform(0.1, 0.5, 2) * extent
        cv2.rectangle(picture, low.astype(int).tolist(), high.astype(int).tolist(), float(rng.random()), -1)
    centre = np.array([width, height]) / 2 - (outline.max(axis=0) + outline.min(axis=0)) / 2
    corners = put(picture, label, move(matrix, *centre.tolist()))
    picture = degrade.shade(picture, rng)
    sigma = rng.uniform(*blur) * module
    picture = _expose(rng, picture, sigma=sigma, noise=rng.uniform(1, 5), quality=(70, 96))
    return Picture(
        degrade.to_uint8(picture), (PlacedCode(symbol, corners, (_PHOTOGRAPH, trait) if trait else (_PHOTOGRAPH,)),)
    )


def _export(rng: Generator, symbol: EncodedSymbol, label: Label, *, trait: str = "") -> Picture:
    """The label alone, upright, 3-10 whole pixels a module."""
    module = int(rng.integers(3, 11))
    size = label.image.shape[1] * module // PIXELS, label.image.shape[0] * module // PIXELS
    picture = cv2.resize(label.image, size, interpolation=cv2.INTER_AREA)
    corners = label.corners * (module / PIXELS)
    traits = (_EXPORT, trait) if trait else (_EXPORT,)
    return Picture(degrade.to_uint8(np.asarray(picture, np.float32)), (PlacedCode(symbol, corners, traits),))


def _export_or_shoot(rng: Generator, index: int, symbol: EncodedSymbol, label: Label, *, trait: str = "") -> Picture:
    """Every other picture is a photograph."""
    return (_shoot if index % 2 else _export)(rng, symbol, label, trait=trait)


def _strong_symbol(rng: Generator) -> EncodedSymbol:
    """A symbol of level H, versions 2-7."""
    return random_text_symbol(rng, int(rng.integers(2, 8)), level="H")


def logo(rng: Generator, index: int) -> Picture:
    """A logo over 15-25 % of a symbol; see `_with_logo`."""
    return _with_logo(rng, index, (0.15, 0.25))


def large_logo(rng: Generator, index: int) -> Picture:
    """A logo over 25-32 % of a symbol; see `_with_logo`."""
    return _with_logo(rng, index, (0.25, 0.32))


def _with_logo(rng: Generator, index: int, share: tuple[float, float]) -> Picture:
    """A logo over a share of the area of a symbol of level H, three quarters of them in the middle, the others anywhere
    between the finder patterns and the opposite corner; dark, light or grey, square, round or with round corners, half
    of them on cleared paper, most with a letter in another tone."""
    symbol = _strong_symbol(rng)
    label = symbol_label(draw_symbol(symbol.modules, pixels=PIXELS))
    side = symbol.modules.shape[0] * PIXELS
    reach = rng.uniform(*share) ** 0.5 * side
    shape = int(rng.integers(3))
    if shape == 1:
        reach *= (4 / np.pi) ** 0.5
    farthest = side - reach / 2
    middle = np.full(2, side / 2) if rng.random() < 0.75 else rng.uniform(side / 2, farthest, 2)
    tone = float(rng.choice([0.0, rng.uniform(0, 0.3), rng.uniform(0.3, 0.7), 1.0], p=[0.35, 0.3, 0.25, 0.1]))
    canvas = np.rint(label.image * 255).astype(np.uint8)
    centre = middle + QUIET_ZONE * PIXELS
    if rng.random() < 0.5:
        _draw_shape(canvas, shape, centre, reach, 255)
        reach *= 0.85
    _draw_shape(canvas, shape, centre, reach, round(tone * 255))
    other = round(255 * (1 - tone))
    letter, scale = chr(rng.integers(65, 91)), reach / 45
    at = centre + np.array([-0.25, 0.25]) * reach
    if rng.random() < 0.6:
        cv2.putText(canvas, letter, at.astype(int).tolist(), 0, scale, other, max(1, round(scale * 4)), cv2.LINE_AA)
    return _export_or_shoot(rng, index, symbol, Label(degrade.to_float(canvas), label.corners))


def _draw_shape(canvas: NDArray[np.uint8], shape: int, centre: NDArray[np.float64], reach: float, grey: int) -> None:
    """A square, a disc or a square with round corners, ``reach`` pixels wide, in place."""
    low, high = (np.rint(centre + step * reach / 2).astype(int).tolist() for step in (-1, 1))
    if shape == 1:
        cv2.circle(canvas, np.rint(centre).astype(int).tolist(), round(reach / 2), grey, -1, cv2.LINE_AA)
    elif shape == 0:
        cv2.rectangle(canvas, low, high, grey, -1)
    else:
        corner = round(reach / 5)
        for dx, dy in ((corner, 0), (0, corner)):
            cv2.rectangle(canvas, (low[0] + dx, low[1] + dy), (high[0] - dx, high[1] - dy), grey, -1)
        for x in (low[0] + corner, high[0] - corner):
            for y in (low[1] + corner, high[1] - corner):
                cv2.circle(canvas, (x, y), corner, grey, -1, cv2.LINE_AA)


def cut(rng: Generator, index: int) -> Picture:
    """A symbol of level H of which one to five columns or rows lie beyond the picture's edge; every other picture is
    blurred by up to 0.4 module, noisy, and compressed."""
    symbol = _strong_symbol(rng)
    label = symbol_label(draw_symbol(symbol.modules, pixels=PIXELS))
    module = float(rng.integers(3, 11)) if index % 2 == 0 else rng.uniform(3, 10)
    scaled = round(label.image.shape[0] * module / PIXELS)
    picture = degrade.resize(label.image, scaled)
    lost, side = int(rng.integers(1, 6)), int(rng.integers(4))
    gone = round((QUIET_ZONE + lost) * module)
    left, top = (gone if side == 0 else 0), (gone if side == 1 else 0)
    right, bottom = (scaled - gone if side == 2 else scaled), (scaled - gone if side == 3 else scaled)
    picture = rng.uniform(0, 0.15) + 0.8 * np.ascontiguousarray(picture[top:bottom, left:right])
    if index % 2:
        sigma = rng.uniform(0.1, 0.4) * module
        picture = _expose(rng, picture.astype(np.float32), sigma=sigma, noise=rng.uniform(0, 5), quality=(70, 96))
    corners = label.corners * (scaled / label.image.shape[0]) - np.array([left, top])
    traits = ("soft" if index % 2 else "crisp", f"{lost} lost")
    return Picture(degrade.to_uint8(picture.astype(np.float32)), (PlacedCode(symbol, corners, traits),))


def finder_gone(rng: Generator, index: int) -> Picture:
    """A symbol of level H with one finder pattern painted over, in any tone, over 7-8.5 modules from the corner."""
    symbol = _strong_symbol(rng)
    label = symbol_label(draw_symbol(symbol.modules, pixels=PIXELS))
    side, reach = symbol.modules.shape[0] * PIXELS, rng.uniform(7, 8.5) * PIXELS
    image = label.image.copy()
    row, column = ((0, 0), (0, 1), (1, 0))[rng.integers(3)]
    low = np.array([row, column]) * (side - reach) + QUIET_ZONE * PIXELS
    top, left = (round(one) for one in low)
    tone = float(rng.choice([0.0, 1.0, rng.uniform(0, 1)]))
    image[top : top + round(reach), left : left + round(reach)] = tone
    return _export_or_shoot(rng, index, symbol, Label(image, label.corners))


def faint_dots(rng: Generator, index: int) -> Picture:
    """Separate dots of 0.4-0.7 module on brushed metal, dark or, every other picture, light; 10-36 grey levels of
    contrast, streaks and noise of 8-20 % of it; levels M to H, versions 1-5, 5-12 px a module, blur of 0.05-0.25
    module."""
    level = "MQH"[rng.integers(3)]
    symbol = random_text_symbol(rng, int(rng.integers(1, 6)), level=level)
    pixels = 16
    side = symbol.modules.shape[0]
    canvas = np.zeros(((side + 2 * QUIET_ZONE) * pixels,) * 2, dtype=np.uint8)
    radius = rng.uniform(0.2, 0.35) * pixels
    for row, column in np.argwhere(symbol.modules):
        x, y = (np.array([column, row]) + QUIET_ZONE + 0.5 + rng.normal(0, 0.03, 2)) * pixels
        cv2.circle(canvas, (round(x * 16), round(y * 16)), round(radius * 16), 255, -1, cv2.LINE_AA, 4)
    module = rng.uniform(5, 12)
    size = round(canvas.shape[0] * module / pixels)
    dots = degrade.resize(degrade.to_float(canvas), size)
    dots = degrade.gaussian(dots, sigma=rng.uniform(0.05, 0.25) * module)
    contrast = rng.uniform(10, 36) / 255
    sign = 1 if index % 2 else -1
    metal = rng.uniform(0.25, 0.75) + rng.uniform(0.08, 0.2) * contrast * rng.standard_normal((size, 1))
    metal = metal + rng.uniform(0.08, 0.2) * contrast * rng.standard_normal((size, size))
    picture = degrade.shade((metal + sign * contrast * dots).astype(np.float32), rng)
    corners = (square(side) + QUIET_ZONE) * (size / canvas.shape[0] * pixels)
    traits = (INVERSE,) if index % 2 else ("dark",)
    return Picture(degrade.to_uint8(picture), (PlacedCode(symbol, corners, traits),))


def creased(rng: Generator, index: int) -> Picture:
    """A photograph of a folded or crumpled sheet whose points are displaced by 0.3-1.2 modules (standard deviation)
    from the best plane; lit from one side; any level, versions 2-7."""
    symbol = random_text_symbol(rng, int(rng.integers(2, 8)))
    flat = symbol_label(0.08 + 0.8 * draw_symbol(symbol.modules, pixels=PIXELS))
    image = np.where(flat.image > 0.9, 0.88, flat.image).astype(np.float32)
    sheet = Sheet.random(rng, image.shape[0], amplitude=rng.uniform(0.3, 1.2) * PIXELS, module=PIXELS)
    label = Label(np.clip(sheet.see(image), 0, 1), sheet.seen_at(flat.corners))
    return _shoot(rng, symbol, label, blur=(0.15, 0.4), trait=f"level {symbol.level.upper()}")


def artistic(rng: Generator, index: int) -> Picture:
    """A photograph, with a blur of 0.3-0.6 module, of a symbol of level H over a picture, as a halftone or blended with
    a picture."""
    symbol = _strong_symbol(rng)
    style = ("over picture", "halftone", "blended")[index % 3]
    drawn = STYLES[style](rng, symbol.modules, PIXELS)
    return _shoot(rng, symbol, symbol_label(0.05 + 0.9 * drawn), blur=(0.3, 0.6), trait=style)


def halftone(rng: Generator, index: int) -> Picture:
    """A symbol of level H as a halftone: 3 x 3 cells a module, the middle one true, the others a dithered picture; a
    photograph with a blur of 0.05-0.3 module, or, every other picture, the label alone, 1-3 pixels a cell."""
    symbol = _strong_symbol(rng)
    pixels = PIXELS if index % 2 else 3 * int(rng.integers(1, 4))
    label = symbol_label(0.05 + 0.9 * STYLES["halftone"](rng, symbol.modules, pixels), pixels=pixels)
    if index % 2:
        return _shoot(rng, symbol, label, blur=(0.05, 0.3))
    return Picture(degrade.to_uint8(label.image), (PlacedCode(symbol, label.corners, (_EXPORT,)),))


KINDS: Final[dict[str, Callable[[Generator, int], Picture]]] = {
    "dark": dark_page,
    "darksoft": soft_dark_page,
    "logo": logo,
    "biglogo": large_logo,
    "cut": cut,
    "finder": finder_gone,
    "faint": faint_dots,
    "creased": creased,
    "artistic": artistic,
    "halftone": halftone,
}
"""By name, what makes a picture of each kind from its random numbers and its index."""
