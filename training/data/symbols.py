"""Symbols for training and for measuring, and how they are drawn.

Training uses random modules. Measuring needs symbols that decode: random messages, or those of `training.data.corpus`.
"""

import string
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import BYTE, PADDING, assemble, blocks
from app.pipeline.qrcode.messages import count_bits
from app.pipeline.qrcode.patterns import LEVELS, MASKS, QUIET_ZONE, Bits, dimension, function_patterns, render
from training.data import degrade

PIXELS_DRAWN = 6  # pixels per module at which a symbol is drawn before it is degraded
TEXT: Final = string.ascii_letters + string.digits + "-._:/?=&"
"""The characters of random texts."""
SURROUND = 4  # modules of clutter drawn around the quiet zone


def random_symbol(rng: Generator, version: int) -> NDArray[np.bool_]:
    """Modules (True is dark) of a symbol with all function patterns and fair random bits everywhere else.

    Masked codewords look like fair bits, so a network learns the same as from encoded texts, without repetition.
    The symbol does not decode.
    """
    patterns = function_patterns(version)
    size = dimension(version)
    return np.where(patterns.known, patterns.dark, rng.random((size, size)) < 0.5)


def random_message(rng: Generator, version: int, level: str) -> NDArray[np.uint8]:
    """Data codewords of random bytes in byte mode that fill 40 to 95 % of the symbol, with terminator and padding."""
    count = max(1, int(rng.uniform(0.4, 0.95) * _capacity(version, level)))
    return _message(rng.integers(0, 256, count, dtype=np.uint8), version, level)


def _capacity(version: int, level: str) -> int:
    """The most bytes that a symbol holds in byte mode."""
    return (8 * blocks(version, level).data_codewords - 4 - count_bits(version, BYTE)) // 8


def _message(payload: NDArray[np.uint8], version: int, level: str) -> NDArray[np.uint8]:
    """Data codewords of a payload in byte mode, with terminator and padding."""
    total, width = blocks(version, level).data_codewords, count_bits(version, BYTE)
    header = np.array([(BYTE << width | len(payload)) >> i & 1 for i in range(3 + width, -1, -1)], dtype=np.uint8)
    message = np.packbits(np.concatenate([header, np.unpackbits(payload), np.zeros(4, dtype=np.uint8)]))
    return np.concatenate([message, np.resize(np.array(PADDING, dtype=np.uint8), total - len(message))])


def random_message_symbol(rng: Generator, version: int, level: str) -> Bits:
    """The modules of a symbol that holds a `random_message`, with a random mask."""
    return assemble(random_message(rng, version, level), version, level, int(rng.integers(8)))


@dataclass(frozen=True)
class EncodedSymbol:
    """A symbol that decodes to ``payload``; ``modules`` (M, M) are True where dark, ``level`` is in lower case."""

    payload: bytes
    version: int
    level: str
    modules: NDArray[np.bool_]


def random_text_symbol(rng: Generator, version: int, *, level: str | None = None) -> EncodedSymbol:
    """A symbol that holds random ASCII letters, digits and punctuation in byte mode; of a random level by default.

    They fill 60 to 95 % of it, and at least seven characters: enough that no two texts are the same.
    """
    level = level or str(rng.choice(LEVELS))
    most = _capacity(version, level)
    count = max(min(7, most), int(rng.uniform(0.6, 0.95) * most))
    payload = rng.choice(np.frombuffer(TEXT.encode(), dtype=np.uint8), count)
    modules = assemble(_message(payload, version, level), version, level, int(rng.integers(len(MASKS))))
    return EncodedSymbol(payload.tobytes(), version, level.lower(), modules)


def _clutter(rng: Generator, size: int, module: float) -> degrade.Image:
    """A background (``size``, ``size``): octave noise, random modules, lines like those of text, or uniform grey."""
    field = np.zeros((size, size), dtype=np.float32)
    for octave in range(2, 6):
        grid = rng.random((2**octave, 2**octave), dtype=np.float32)
        field += cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC) / 2 ** (octave - 2)
    low, high = rng.uniform(0, 0.5), rng.uniform(0.5, 1)
    field = np.float32(low) + np.float32(high - low) * (field - field.min()) / np.ptp(field)
    kind = rng.random()
    if kind < 0.2:
        cells = max(2, round(size / module))
        check = (rng.random((cells, cells)) < 0.5).astype(np.float32)
        field = np.asarray(cv2.resize(check, (size, size), interpolation=cv2.INTER_NEAREST), dtype=np.float32)
    elif kind < 0.4:
        for row in range(0, size, max(3, round(rng.uniform(0.8, 2.5) * module))):
            row_ink = (rng.random(size // 3 + 1) < 0.5).repeat(3)[:size]
            field[row : row + max(1, round(0.5 * module)), row_ink] = rng.uniform(0, 0.4)
    elif kind < 0.7:
        field[:] = rng.uniform(0.0, 1.0)
    return np.asarray(field, dtype=np.float32)


def draw_symbol_on_label(rng: Generator, clean: degrade.Image, *, pixels: int = PIXELS_DRAWN) -> degrade.Image:
    """Draws a symbol's label, (S, S): the symbol ``clean``, drawn at ``pixels`` per module, in a quiet zone on a
    cluttered background.

    The margin is 4 + ``SURROUND`` modules, of which 1 to 4 are quiet zone.
    """
    margin = (QUIET_ZONE + SURROUND) * pixels
    size = clean.shape[0] + 2 * margin
    label = _clutter(rng, size, pixels)
    quiet = round(pixels * (rng.uniform(1, QUIET_ZONE) if rng.random() < 0.4 else QUIET_ZONE))
    label[margin - quiet : size - margin + quiet, margin - quiet : size - margin + quiet] = 1
    label[margin : size - margin, margin : size - margin] = clean
    return label


def draw_symbol(modules: NDArray[np.bool_], *, pixels: int = PIXELS_DRAWN) -> degrade.Image:
    """Draws square modules without quiet zone, (S, S) in {0, 1}, with ``pixels`` per module."""
    return degrade.to_float(render(modules, pixels=pixels, quiet_zone=0))


def finders_of(modules: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the three finder patterns lie, (M, M)."""
    inside = np.zeros_like(modules)
    inside[:7, :7] = inside[:7, -7:] = inside[-7:, :7] = True
    return inside


def draw_dots(rng: Generator, modules: NDArray[np.bool_], *, pixels: int = PIXELS_DRAWN) -> degrade.Image:
    """Draws discs of a random radius for the dark modules outside the finder patterns, otherwise as ``draw_symbol``."""
    centre = (np.arange(pixels) + 0.5) / pixels - 0.5
    inside = np.hypot(centre[:, None], centre) - rng.uniform(0.33, 0.5)
    disc = np.clip(0.5 - inside * pixels, 0, 1).astype(np.float32)
    finders = finders_of(modules)
    ones = np.ones((pixels, pixels), dtype=np.float32)
    return np.asarray(1 - np.kron(modules & finders, ones) - np.kron(modules & ~finders, disc), dtype=np.float32)
