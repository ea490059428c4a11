"""The corpus of encoded texts, ``corpus.npz``; ``python -m training.data.corpus`` writes it, which needs segno."""

import argparse
import importlib
import random
import string
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import dimension
from training.data.symbols import TEXT, EncodedSymbol

CORPUS = Path(__file__).with_name("corpus.npz")
_PER_POOL = 300
_LEVELS = "lmqh"


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
    alphabet = rng.choice((string.digits, TEXT, string.ascii_uppercase))
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
    parser = argparse.ArgumentParser(prog="python -m training.data.corpus", description="Encode the corpus.")
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
