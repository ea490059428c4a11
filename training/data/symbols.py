"""Symbols for training and for measuring.

Training uses random modules. Measuring needs symbols that decode: random messages, or the corpus of encoded texts in
``corpus.npz``, which ``python -m training.data.symbols`` writes and which needs segno.
"""

import argparse
import importlib
import random
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import BYTE, PADDING, assemble, blocks
from app.pipeline.qrcode.messages import count_bits
from app.pipeline.qrcode.patterns import LEVELS, MASKS, QUIET_ZONE, Bits, dimension, function_patterns, render
from training.data import degrade

CORPUS = Path(__file__).with_name("corpus.npz")
PIXELS_DRAWN = 6  # pixels per module at which a symbol is drawn before it is degraded
_PER_POOL = 300
_LEVELS = "lmqh"
_TEXT = string.ascii_letters + string.digits + "-._:/?=&"
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
    payload = rng.choice(np.frombuffer(_TEXT.encode(), dtype=np.uint8), count)
    modules = assemble(_message(payload, version, level), version, level, int(rng.integers(len(MASKS))))
    return EncodedSymbol(payload.tobytes(), version, level.lower(), modules)


def corpus(pool: str) -> list[EncodedSymbol]:
    """One pool of the corpus, 300 symbols: "short" (8-60 characters), "long" (8-300) or "tiny" (versions 1 and 2).

    Raises KeyError for another name.
    """
    with np.load(CORPUS) as file:
        payloads, versions, levels, bits = (
            file[f"{pool}_{part}"] for part in ("payloads", "versions", "levels", "bits")
        )
    symbols, offset = [], 0
    for payload, version, level in zip(payloads, versions, levels, strict=True):
        count = dimension(int(version)) ** 2
        used = (count + 7) // 8
        modules = np.unpackbits(bits[offset : offset + used], count=count).astype(np.bool_)
        offset += used
        side = dimension(int(version))
        symbols.append(EncodedSymbol(bytes(payload), int(version), str(level), modules.reshape(side, side)))
    return symbols


def draw_from_corpus(rng: Generator, pool: str, count: int) -> list[EncodedSymbol]:
    """At most ``count`` symbols of a pool in random order, no two with the same payload. Raises KeyError as
    `corpus`."""
    symbols = list({symbol.payload: symbol for symbol in corpus(pool)}.values())
    return [symbols[number] for number in rng.permutation(len(symbols))[:count]]


def _payload(rng: random.Random, longest: int) -> str:
    length = rng.randint(8, longest)
    alphabet = rng.choice((string.digits, _TEXT, string.ascii_uppercase))
    return "".join(rng.choices(alphabet, k=length))


def _encode(rng: random.Random, longest: int, highest_version: int) -> Iterator[EncodedSymbol]:
    segno = importlib.import_module("segno")
    while True:
        payload, level = _payload(rng, longest), rng.choice(_LEVELS)
        code = segno.make(payload, error=level, micro=False, boost_error=False)
        if code.version <= highest_version:
            modules = np.array([list(row) for row in code.matrix], dtype=np.bool_)
            yield EncodedSymbol(payload.encode(), int(code.version), level, modules)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.data.symbols", description="Encode the corpus.")
    parser.add_argument("--out", type=Path, default=CORPUS, help="file to write (default: the corpus itself)")
    options = parser.parse_args(argv)
    arrays: dict[str, NDArray[np.generic]] = {}
    for pool, longest, highest in (("short", 60, 40), ("long", 300, 40), ("tiny", 20, 2)):
        symbols = [
            symbol for symbol, _ in zip(_encode(random.Random(pool), longest, highest), range(_PER_POOL), strict=False)
        ]
        arrays[f"{pool}_payloads"] = np.array([symbol.payload for symbol in symbols])
        arrays[f"{pool}_versions"] = np.array([symbol.version for symbol in symbols], dtype=np.uint8)
        arrays[f"{pool}_levels"] = np.array([symbol.level for symbol in symbols])
        arrays[f"{pool}_bits"] = np.concatenate([np.packbits(symbol.modules) for symbol in symbols])
    np.savez_compressed(options.out, **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()


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


def draw_dots(rng: Generator, modules: NDArray[np.bool_], *, pixels: int = PIXELS_DRAWN) -> degrade.Image:
    """Draws discs of a random radius for the dark modules outside the finder patterns, otherwise as ``draw_symbol``."""
    centre = (np.arange(pixels) + 0.5) / pixels - 0.5
    inside = np.hypot(centre[:, None], centre) - rng.uniform(0.33, 0.5)
    disc = np.clip(0.5 - inside * pixels, 0, 1).astype(np.float32)
    square = np.zeros_like(modules)
    square[:7, :7] = square[:7, -7:] = square[-7:, :7] = True
    ones = np.ones((pixels, pixels), dtype=np.float32)
    return np.asarray(1 - np.kron(modules & square, ones) - np.kron(modules & ~square, disc), dtype=np.float32)
