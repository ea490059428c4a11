"""Pictures without a QR code that make a reader work: text, bar codes, boards, halftones, keyboards, finder patterns.

Pictures are float32 (H, W) in [0, 1].
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator

from training.data import degrade
from training.data.degrade import Image
from training.data.labels import Label, facing, move, print_bars, print_text, put

_SHAPE = (720, 960)
_A4_AT_150_DPI = (1754, 1240)


def draw_text(rng: Generator) -> Image:
    """A page of text, A4 at 150 dpi."""
    return print_text(rng, _A4_AT_150_DPI, height=rng.uniform(16, 40))


def draw_bar_codes(rng: Generator) -> Image:
    """Four to twelve bar codes of any rotation on grey."""
    picture = np.full(_SHAPE, rng.uniform(0.4, 0.9), dtype=np.float32)
    for _ in range(rng.integers(4, 13)):
        bars = print_bars(rng, (int(rng.integers(60, 200)), int(rng.integers(150, 500))))
        label = Label(bars, np.zeros((4, 2)))
        x, y = rng.uniform(0, _SHAPE[::-1])
        put(picture, label, move(facing(rng, label, module=rng.uniform(4, 10), jitter=0.03), float(x), float(y)))
    return picture


def draw_checkerboard(rng: Generator) -> Image:
    """A board of squares of 3 to 60 pixels."""
    cell = 10 ** rng.uniform(np.log10(3), np.log10(60))
    rows, columns = (np.arange(size) // cell for size in _SHAPE)
    return ((rows[:, None] + columns) % 2).astype(np.float32)


def draw_halftone(rng: Generator) -> Image:
    """A smooth picture printed in round dots of 4 to 12 pixels' pitch on a turned grid."""
    tone = cv2.resize(rng.random((6, 8), dtype=np.float32), _SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[0 : _SHAPE[0], 0 : _SHAPE[1]].astype(np.float32)
    turn, pitch = rng.uniform(0, np.pi / 2), rng.uniform(4, 12)
    wave = np.float32(2 * np.pi / pitch)
    along = (x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))) * wave
    across = (y * np.float32(np.cos(turn)) - x * np.float32(np.sin(turn))) * wave
    screen = 0.5 + 0.25 * (np.cos(along) + np.cos(across))
    return np.asarray(np.clip((tone - screen) * 4 + 0.5, 0, 1), dtype=np.float32)


def draw_keyboard(rng: Generator) -> Image:
    """Rows of square keys with a letter each."""
    dark, light = np.sort(rng.uniform(0, 1, 2)) + np.array([0.0, 0.2])
    if rng.random() < 0.5:
        dark, light = light, dark
    picture = np.full(_SHAPE, dark, dtype=np.float32)
    pitch = int(rng.integers(24, 90))
    key = round(pitch * rng.uniform(0.7, 0.92))
    for row in range(_SHAPE[0] // pitch + 1):
        for left in range(round(pitch * 0.25 * (row % 4)) - pitch, _SHAPE[1], pitch):
            top = row * pitch
            cv2.rectangle(picture, (left, top), (left + key, top + key), float(light), -1)
            letter = chr(rng.integers(65, 91))
            place = (left + key // 5, top + 3 * key // 5)
            cv2.putText(picture, letter, place, 0, key / 60, float(dark), max(1, key // 25), cv2.LINE_AA)
    return picture


def draw_finder_wallpaper(rng: Generator) -> Image:
    """Finder patterns side by side, in rows or at random, of 2 to 9 pixels a module."""
    ring = np.maximum(*np.abs(np.indices((9, 9)) - 4))
    finder = np.isin(ring, (2, 4)).astype(np.float32)
    pixels = int(rng.integers(2, 10))
    gap = int(rng.integers(0, 12))
    tile = np.pad(np.kron(finder, np.ones((pixels, pixels), dtype=np.float32)), (0, gap * pixels), constant_values=1)
    repeats = [size // tile.shape[0] + 1 for size in _SHAPE]
    papered = np.tile(tile, repeats)[: _SHAPE[0], : _SHAPE[1]]
    if rng.random() < 0.5:  # at random: some are left out
        blank = rng.random(repeats) < rng.uniform(0.2, 0.7)
        hidden = np.kron(blank, np.ones_like(tile))[: _SHAPE[0], : _SHAPE[1]]
        papered = np.maximum(papered, hidden)
    return np.asarray(papered, dtype=np.float32)


LOOKALIKES: Final[dict[str, Callable[[Generator], Image]]] = {
    "text": draw_text,
    "bars": draw_bar_codes,
    "checkerboard": draw_checkerboard,
    "halftone": draw_halftone,
    "keyboard": draw_keyboard,
    "finders": draw_finder_wallpaper,
}
"""The kinds of pictures, none of which holds a QR code."""


def lookalike(rng: Generator, kind: str) -> Image:
    """A mild photograph of one of `LOOKALIKES`: light, blur of up to 1.2 px, noise of up to 6 grey levels, JPEG
    60-95. Raises KeyError for another kind."""
    image = degrade.shade(0.1 + 0.8 * LOOKALIKES[kind](rng), rng)
    image = degrade.gaussian(image, sigma=rng.uniform(0, 1.2))
    image += np.float32(rng.uniform(0, 6) / 255) * rng.standard_normal(image.shape, dtype=np.float32)
    return degrade.jpeg(image, quality=int(rng.integers(60, 96)))
