"""Measures how often soft decoding makes a false read of an rMQR code: python -m training.measure.rmqr_inventions.

As `training.measure.inventions`, with log-odds that show the function patterns and the format information of a random
version and level. Three kinds take turns:

- noise: gaussian log-odds of a random scale;
- random bits: random codewords with confident log-odds, 0 to 30 % of their modules inverted;
- damaged: a symbol with a message, 10 to 50 % of its modules inverted, all of them or those of one block, with log-odds
  there that are weaker, equal or stronger at random. A read of the original symbol is right and no false one.
"""

import argparse
from collections.abc import Callable, Sequence
from time import process_time

import numpy as np
from numpy.random import Generator

from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import Bits
from app.pipeline.qrcode.small.contents import small_blocks
from app.pipeline.qrcode.small.patterns import small_patterns, small_zigzag
from app.pipeline.qrcode.small.rectangular import decode_rectangular
from app.pipeline.qrcode.small.versions import RECTANGULAR_VERSIONS, SmallSymbol, modules_of, rectangular_symbol
from training.measure.inventions import Count, magnitudes, print_table, signed
from training.measure.many.rectangular import rectangular_symbol_of

Made = tuple[LogOdds, Bits | None]
"""Log-odds (H, W) and, if they come from a symbol with a message, its modules."""


def noise(rng: Generator, symbol: SmallSymbol) -> Made:
    """Gaussian log-odds behind true function patterns."""
    modules = _modules(rng, symbol)
    scale = np.exp(rng.uniform(np.log(0.1), np.log(20)))
    values = (scale * rng.standard_normal(modules.shape)).astype(np.float32)
    return np.where(small_patterns(symbol.version).data, values, signed(modules, np.abs(values))), None


def random_bits(rng: Generator, symbol: SmallSymbol) -> Made:
    """Random codewords, 0 to 30 % of their modules inverted."""
    data, modules = small_patterns(symbol.version).data, _modules(rng, symbol)
    modules = np.where(data, rng.random(modules.shape) < 0.5, modules)
    turned = (rng.random(modules.shape) < rng.uniform(0, 0.3)) & data
    return signed(modules ^ turned, magnitudes(rng, modules.shape)), None


def damaged(rng: Generator, symbol: SmallSymbol) -> Made:
    """A symbol with a message, 10 to 50 % of its modules inverted, or of those of one block."""
    modules = _modules(rng, symbol)
    where = small_patterns(symbol.version).data
    if rng.random() < 0.5:
        where = _of_block(symbol, int(rng.integers(symbol.blocks)))
    turned = (rng.random(modules.shape) < rng.uniform(0.1, 0.5)) & where
    weakened = np.exp(rng.uniform(np.log(0.02), np.log(1.5)))
    strength = magnitudes(rng, modules.shape)
    log_odds = signed(modules ^ turned, np.where(turned, weakened * strength, strength))
    return log_odds.astype(np.float32), modules


def _modules(rng: Generator, symbol: SmallSymbol) -> Bits:
    return rectangular_symbol_of(rng, symbol.version, high=symbol.level == "H").modules


def _of_block(symbol: SmallSymbol, block: int) -> Bits:
    """The modules (H, W) that carry codewords of a block."""
    structure, (rows, columns) = small_blocks(symbol), small_zigzag(symbol.version)
    belongs = np.repeat(structure.stream // structure.length == block, 8)
    carried = np.zeros(modules_of(symbol.version) or (), dtype=np.bool_)
    carried[rows[: len(belongs)], columns[: len(belongs)]] = belongs
    return carried


KINDS: dict[str, Callable[[Generator, SmallSymbol], Made]] = {
    "noise": noise,
    "random bits": random_bits,
    "damaged": damaged,
}


def count_reads(count: int, *, seed: int = 0) -> dict[str, Count]:
    """Makes ``count`` attempts at soft decoding, the kinds in turn, and counts by kind."""
    names, rng = list(KINDS), np.random.default_rng(seed)
    counts = {name: Count() for name in names}
    for i in range(count):
        tally = counts[names[i % len(names)]]
        symbol = rectangular_symbol(int(rng.integers(len(RECTANGULAR_VERSIONS))), high=bool(rng.integers(2)))
        log_odds, truth = KINDS[names[i % len(names)]](rng, symbol)
        began = process_time()
        read = decode_rectangular(log_odds, symbol.version)
        tally.add(read.modules if read else None, truth, process_time() - began)
    return counts


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.rmqr_inventions", description="Count false reads of rMQR codes."
    )
    parser.add_argument("--count", type=int, default=30_000, help="number of attempts (default: 30000)")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    arguments = parser.parse_args(argv)
    print_table(count_reads(arguments.count, seed=arguments.seed))


if __name__ == "__main__":
    main()
