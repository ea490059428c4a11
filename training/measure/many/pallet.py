"""Photographs of pallets: 10 to 25 labels on cardboard, each with its own size, blur and light.

The degradations are capped so that a careful reader gets about 98 % of the codes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import dimension
from training.data import degrade
from training.data.corpus import draw_from_corpus
from training.data.degrade import Image
from training.data.labels import (
    PIXELS,
    Label,
    add_strip,
    facing,
    move,
    print_bars,
    print_text,
    put,
    symbol_label,
    transform,
)
from training.data.scenes import draw_distractor
from training.data.symbols import EncodedSymbol, draw_dots, draw_symbol
from training.measure.many.picture import Picture, PlacedCode

WIDTH, HEIGHT = 3000, 2250
MODULE: Final = (2.2, 7.0)
"""Smallest and largest module, in pixels."""
_GAP = 10  # pixels between labels, at least
_CORRECTABLE = {"l": 0.07, "m": 0.15, "q": 0.25, "h": 0.30}  # share of codewords that each level mends
_HARDEST_PLAIN = {"l": 0.8, "m": 0.9, "q": 1.0, "h": 1.0}  # strength of blur that the level still mends
INVERSE: Final = "inverse"
"""The trait of light symbols on dark paper."""
_DIFFICULTIES = ("", "dots", "dark paper", INVERSE, "glare")
_DIFFICULTY_ODDS = (0.64, 0.09, 0.09, 0.06, 0.12)
_BLURS = ("sharp", "defocus", "motion", "soft")
_BLUR_ODDS = (0.3, 0.2, 0.2, 0.3)


def pallet(rng: Generator, index: int) -> Picture:
    """3000 x 2250 pixels; modules of 2.2-7 px; light or dark paper, separate dots, glare; defocus, motion or a soft
    blur of sigma 0.45-1.0 module; noise of 1-5 grey levels, JPEG 70-95."""
    picture = _cardboard(rng)
    symbols = draw_from_corpus(rng, "short", count=300)[: rng.integers(10, 26)]
    sides = rng.uniform(90, 260, 3)  # printed sizes, in pixels
    codes: list[PlacedCode] = []
    taken: list[NDArray[np.float64]] = []
    for symbol in symbols:
        module = float(np.clip(rng.choice(sides) * rng.uniform(0.85, 1.15) / dimension(symbol.version), *MODULE))
        sticker = _stick(rng, symbol, module)
        matrix = _find_room(rng, sticker, taken)
        if matrix is None:
            continue
        corners = put(picture, sticker.label, matrix, blur=sticker.blur, reach=6 * module)
        codes.append(PlacedCode(symbol, corners, sticker.traits))
    picture = _light(rng, picture)
    picture = np.clip(picture + rng.uniform(1, 5) / 255 * rng.standard_normal(picture.shape, dtype=np.float32), 0, 1)
    return Picture(degrade.to_uint8(degrade.jpeg(picture, quality=int(rng.integers(70, 96)))), tuple(codes))


@dataclass(frozen=True)
class _Sticker:
    """A label before it is put on the pallet: the homography around its middle and its blur, in pixels there."""

    label: Label
    matrix: NDArray[np.float64]
    blur: Callable[[Image], Image] | None
    traits: tuple[str, ...]


def _stick(rng: Generator, symbol: EncodedSymbol, module: float) -> _Sticker:
    """Prints a symbol, and draws its difficulty, rotation and blur; labels with a difficulty are blurred less."""
    difficulty = str(rng.choice(_DIFFICULTIES, p=_DIFFICULTY_ODDS))
    kind = str(rng.choice(_BLURS, p=_BLUR_ODDS))
    label = _print(rng, symbol, difficulty)
    strength = rng.uniform(0, 0.6 if difficulty else _HARDEST_PLAIN[symbol.level])
    matrix = facing(rng, label, module=module, jitter=0.05)
    traits = (kind, difficulty) if difficulty else (kind,)
    return _Sticker(label, matrix, _blur(rng, kind, module, strength), traits)


def _print(rng: Generator, symbol: EncodedSymbol, difficulty: str) -> Label:
    """The label in its greys, four in ten with text or a bar code below the symbol."""
    if difficulty == "dots":
        label = symbol_label(draw_dots(rng, symbol.modules, pixels=PIXELS))
    else:
        label = symbol_label(draw_symbol(symbol.modules, pixels=PIXELS))
    width = label.image.shape[1]
    extra = rng.random()
    if extra < 0.25:
        label = add_strip(label, print_text(rng, (width // 3, width), height=width / 9))
    elif extra < 0.4:
        label = add_strip(label, print_bars(rng, (width // 3, width)))
    if difficulty == "glare":
        image = _spot(rng, _tone(rng, label.image, dark=(0.02, 0.15), light=(0.6, 0.8)), symbol)
    elif difficulty == "dark paper":
        image = _tone(rng, label.image, dark=(0.03, 0.1), light=(0.3, 0.42))
    elif difficulty == INVERSE:
        image = _tone(rng, 1 - label.image, dark=(0.05, 0.2), light=(0.6, 0.9))
    else:
        image = _tone(rng, label.image, dark=(0.02, 0.2), light=(0.6, 0.9))
    return Label(image, label.corners)


def _tone(rng: Generator, image: Image, *, dark: tuple[float, float], light: tuple[float, float]) -> Image:
    """Random reflectances of ink and paper."""
    low, high = rng.uniform(*dark), rng.uniform(*light)
    return np.asarray(low + (high - low) * image, dtype=np.float32)


def _spot(rng: Generator, image: Image, symbol: EncodedSymbol) -> Image:
    """A bright spot on the symbol, washing out 15 to 35 % of what the symbol's level can mend."""
    side = dimension(symbol.version) * PIXELS
    area = _CORRECTABLE[symbol.level] * side**2 * rng.uniform(0.15, 0.35)
    aspect = rng.uniform(0.6, 1.6)
    radii = np.sqrt(area / np.pi * np.array([aspect, 1 / aspect]))
    x, y = (image.shape[1] - side) / 2 + rng.uniform(0.3, 0.9, 2) * side
    across, down = np.meshgrid(*(np.arange(size, dtype=np.float32) for size in image.shape[::-1]))
    distance = ((across - x) / radii[0]) ** 2 + ((down - y) / radii[1]) ** 2
    strength = rng.uniform(0.8, 1.2) * np.exp(-np.maximum(distance - 0.5, 0) / 1.2)
    return np.asarray(image + np.clip(strength, 0, 1) * (1.05 - image), dtype=np.float32)


def _blur(rng: Generator, kind: str, module: float, strength: float) -> Callable[[Image], Image] | None:
    """A blur that grows with ``strength`` in [0, 1]; None for sharp labels."""
    if kind == "defocus":
        disc = degrade.disc_kernel(radius=(0.4 + 0.6 * strength) * module)
        return lambda image: degrade.convolve(image, disc)
    if kind == "motion":
        path = degrade.motion_kernel(rng, length=(0.8 + 1.7 * strength) * module)
        return lambda image: degrade.convolve(image, path)
    if kind == "soft":
        return lambda image: degrade.gaussian(image, sigma=(0.45 + 0.55 * strength) * module)
    return None


def _find_room(rng: Generator, sticker: _Sticker, taken: list[NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """Where the label overlaps no other, as a homography; adds its box (low x, low y, high x, high y) to ``taken``."""
    outline = transform(sticker.label.frame, sticker.matrix)
    low, high = outline.min(axis=0) - _GAP, outline.max(axis=0) + _GAP
    for _ in range(60):
        x, y = rng.uniform(-low, (WIDTH, HEIGHT) - high)
        box = np.concatenate([low, high]) + np.array([x, y, x, y])
        if all(box[2] < other[0] or other[2] < box[0] or box[3] < other[1] or other[3] < box[1] for other in taken):
            taken.append(box)
            return move(sticker.matrix, float(x), float(y))
    return None


def _cardboard(rng: Generator) -> Image:
    """Stacked boxes with gaps, tape and print: text, bar codes and other things that resemble codes."""
    picture = np.full((HEIGHT, WIDTH), rng.uniform(0.03, 0.15), dtype=np.float32)
    rows, columns = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    for row in range(rows):
        for column in range(columns):
            left, right = (round(WIDTH * at / columns) for at in (column, column + 1))
            top, bottom = (round(HEIGHT * at / rows) for at in (row, row + 1))
            gap = rng.integers(0, 25, 4)
            box = np.s_[top + gap[0] : bottom - gap[1], left + gap[2] : right - gap[3]]
            picture[box] = rng.uniform(0.35, 0.62)
            if rng.random() < 0.6:  # tape
                middle = round((top + bottom) / 2 + rng.uniform(-0.1, 0.1) * (bottom - top))
                picture[middle : middle + 60, left:right] += rng.uniform(-0.08, 0.15)
    picture += _grain(rng)
    for _ in range(rng.integers(12, 30)):
        _print_on(rng, picture)
    return np.clip(picture, 0, 1)


def _grain(rng: Generator) -> Image:
    """The uneven tone of paper and flutes, around 0."""
    coarse = rng.normal(0, 0.02, (HEIGHT // 150, WIDTH // 150)).astype(np.float32)
    fine = rng.normal(0, 0.012, (HEIGHT // 3, WIDTH // 6)).astype(np.float32)
    size = (WIDTH, HEIGHT)
    parts = [cv2.resize(part, size, interpolation=cv2.INTER_LINEAR) for part in (coarse, fine)]
    return np.asarray(parts[0] + parts[1], dtype=np.float32)


def _print_on(rng: Generator, picture: Image) -> None:
    """Prints a text, a bar code or another thing that resembles a code on the boxes, in place."""
    kind = rng.random()
    if kind < 0.4:
        patch = print_text(rng, (160, int(rng.integers(150, 700))), height=40)
    elif kind < 0.6:
        patch = print_bars(rng, (int(rng.integers(80, 200)), int(rng.integers(250, 600))))
    else:
        patch = draw_distractor(rng)
    if rng.random() < 0.5:  # on the cardboard itself
        patch = np.asarray(0.12 + 0.4 * patch, dtype=np.float32)
    label = Label(patch, np.zeros((4, 2)))
    matrix = facing(rng, label, module=PIXELS * rng.uniform(0.5, 2.0), jitter=0.04)
    x, y = rng.uniform(0, (WIDTH, HEIGHT))
    put(picture, label, move(matrix, float(x), float(y)))


def _light(rng: Generator, picture: Image) -> Image:
    """A gradient of light over the picture and, in a third of the pictures, a soft shadow."""
    height, width = picture.shape
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    light = 1 + np.float32(rng.uniform(0, 0.4)) * along
    if rng.random() < 0.33:
        edge = 0.5 + 0.5 * np.tanh((along - np.float32(rng.uniform(-0.4, 0.4))) * np.float32(rng.uniform(5, 60)))
        light = light * (1 - np.float32(rng.uniform(0.1, 0.45)) * edge)
    return np.asarray(picture * light, dtype=np.float32)
