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

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import BYTE, PADDING, assemble, blocks
from app.pipeline.qrcode.messages import count_bits
from app.pipeline.qrcode.patterns import Bits, dimension, function_patterns

CORPUS = Path(__file__).with_name("corpus.npz")
_PER_POOL = 300
_LEVELS = "lmqh"


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
    total, width = blocks(version, level).data_codewords, count_bits(version, BYTE)
    capacity = (8 * total - 4 - width) // 8
    count = max(1, int(rng.uniform(0.4, 0.95) * capacity))
    header = np.array([(BYTE << width | count) >> i & 1 for i in range(3 + width, -1, -1)], dtype=np.uint8)
    payload = np.unpackbits(rng.integers(0, 256, count, dtype=np.uint8))
    message = np.packbits(np.concatenate([header, payload, np.zeros(4, dtype=np.uint8)]))
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


def _payload(rng: random.Random, longest: int) -> str:
    length = rng.randint(8, longest)
    alphabet = rng.choice((string.digits, string.ascii_letters + string.digits + "-._:/?=&", string.ascii_uppercase))
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
