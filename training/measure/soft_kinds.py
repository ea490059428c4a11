"""Measures soft decoding on symbols that lack something: python -m training.measure.soft_kinds.

First a table of symbols with a block of modules hidden somewhere, a rectangle of a share of the symbol: unknown, with
log-odds near 0, or wrongly dark. All other modules are clear. Then a table of symbols whose format information is lost,
in one of four ways, or that are padded otherwise than the standard says, beside those of the standard, after gaussian
noise that inverts a share of the modules. Every rate is of ``--count`` symbols a version.
"""

import argparse
from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator

from app.pipeline.qrcode.codewords import PADDING, assemble
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import LEVELS, Bits, dimension, format_positions
from app.pipeline.qrcode.segments import message_bits
from app.pipeline.qrcode.soft import decode_soft
from training.data.symbols import random_message, random_message_symbol
from training.measure.soft_gain import gaussian_channel

SHARES = (5, 10, 15, 20, 25, 30, 35, 40, 45)
"""Percentages of the symbol that are hidden."""
LOST = ("standard", "format unknown", "format light", "format dark", "format random")
PADDINGS: dict[str, tuple[int, ...]] = {"00": (0x00,), "EC only": (0xEC,), "FF": (0xFF,), "random": ()}
NOISE = {"1-M": (3, 7, 10), "2-L": (1, 3.5, 5.5), "2-M": (2, 7, 10), "4-Q": (3, 10, 12.5), "5-H": (3.5, 14, 16)}
"""Percentages of wrong modules: easy, hard, and such that a third is lost."""
_CLEAR = 6.0
_VERSIONS = (2, 4, 7, 10)


def hidden_block(rng: Generator, version: int, share: float) -> tuple[slice, slice]:
    """A rectangle somewhere in the symbol that covers this share of it."""
    size = dimension(version)
    height = min(size, round(size * (share * np.exp(rng.uniform(-0.4, 0.4))) ** 0.5))
    width = min(size, round(share * size * size / height))
    top, left = int(rng.integers(size - height + 1)), int(rng.integers(size - width + 1))
    return np.s_[top : top + height, left : left + width]


def hide(rng: Generator, modules: Bits, version: int, share: float, *, dark: bool) -> LogOdds:
    """Clear log-odds of a symbol with a hidden block."""
    log_odds = np.where(modules, _CLEAR, -_CLEAR).astype(np.float32)
    block = hidden_block(rng, version, share)
    log_odds[block] = _CLEAR if dark else 0.1 * rng.standard_normal(log_odds[block].shape)
    return log_odds


def lose_format(rng: Generator, log_odds: LogOdds, version: int, how: str) -> None:
    """Overwrites both copies of the format information as one of ``LOST`` says."""
    at = format_positions(version)
    if how == "format random":
        log_odds[at] = _CLEAR * rng.choice([-1, 1], (2, 15))
    elif how != "standard":
        log_odds[at] = {"format unknown": 0, "format light": -_CLEAR, "format dark": _CLEAR}[how]


def padded_symbol(rng: Generator, version: int, level: str, padding: Sequence[int]) -> Bits:
    """A symbol of random bytes in byte mode with other codewords after its terminator; none stands for random ones."""
    data = random_message(rng, version, level)
    begin = -(-((message_bits(data, version) or 0) + 4) // 8)
    data[begin:] = np.resize(padding, len(data) - begin) if padding else rng.integers(0, 256, len(data) - begin)
    return assemble(data, version, level, int(rng.integers(8)))


def read_rate(count: int, make: Callable[[Generator], tuple[LogOdds, Bits]], version: int, *, seed: int) -> float:
    """The share of symbols that are read. Raises AssertionError for a wrong read."""
    hits = 0
    for i in range(count):
        log_odds, modules = make(np.random.default_rng((seed, version, i)))
        read = decode_soft(log_odds, version)
        if read is not None and not np.array_equal(read.modules, modules):
            raise AssertionError("a wrong read")
        hits += read is not None
    return hits / count


def hidden_rates(level: str, count: int, *, dark: bool, seed: int = 1) -> list[float]:
    """Rates in % at each of ``SHARES``, over versions 2, 4, 7 and 10."""

    def rate(version: int, share: float) -> float:
        def make(rng: Generator) -> tuple[LogOdds, Bits]:
            modules = random_message_symbol(rng, version, level)
            return hide(rng, modules, version, share, dark=dark), modules

        return read_rate(count, make, version, seed=seed)

    return [100 * float(np.mean([rate(version, share / 100) for version in _VERSIONS])) for share in SHARES]


def kind_rate(kind: str, symbol: str, wrong: float, count: int, *, seed: int = 1) -> float:
    """The rate in % of a kind, one of ``LOST`` or ``PADDINGS``, with ``wrong`` % of its modules inverted by noise."""
    version, level = int(symbol[:-2]), symbol[-1]

    def make(rng: Generator) -> tuple[LogOdds, Bits]:
        modules = padded_symbol(rng, version, level, PADDINGS.get(kind, PADDING))
        log_odds = gaussian_channel(rng, modules, wrong / 100)
        if kind in LOST:
            lose_format(rng, log_odds, version, kind)
        return log_odds, modules

    return 100 * read_rate(count, make, version, seed=seed)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.soft_kinds",
        description="Measure soft decoding of symbols that lack something.",
    )
    parser.add_argument("--count", type=int, default=50, help="symbols of each version at each point (default: 50)")
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=LEVELS, help="default: all")
    parser.add_argument("--symbols", nargs="+", choices=NOISE, default=list(NOISE), help="default: all")
    options = parser.parse_args(argv)
    print(
        f"| hidden block, % of the symbol | {' | '.join(map(str, SHARES))} |",
        "|---" * (len(SHARES) + 1) + "|",
        sep="\n",
    )
    for dark in (False, True):
        for level in options.levels:
            rates = " | ".join(f"{rate:.0f}" for rate in hidden_rates(level, options.count, dark=dark))
            print(f"| {level}, {'wrongly dark' if dark else 'unknown'} | {rates} |", flush=True)
    kinds = (*LOST, *PADDINGS)
    print(f"\n| symbol, % wrong | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|", sep="\n")
    for symbol in options.symbols:
        for wrong in NOISE[symbol]:
            rates = " | ".join(f"{kind_rate(kind, symbol, wrong, options.count):.0f}" for kind in kinds)
            print(f"| {symbol}, {wrong:g} | {rates} |", flush=True)


if __name__ == "__main__":
    main()
