"""Measures how often soft decoding makes a false read: python -m training.measure.inventions.

Gives `decode_soft` log-odds without a symbol, or of a symbol that is too damaged to decode, and counts the symbols that
it reads. Six kinds take turns:

- noise: gaussian log-odds of a random scale; for half of them the function patterns and a format are right;
- random bits: a symbol of random codewords with confident log-odds, 0 to 30 % of its modules inverted;
- damaged: a symbol with a message, 15 to 50 % of its modules inverted, with log-odds there that are weaker, equal or
  stronger at random. A read of the original symbol is right and does not count as false;
- lost format: random bits or a damaged symbol, with format information that says nothing, is of one tone, or random;
- covered: the same under a patch of one tone that covers a tenth to a half of the modules;
- fused: random bits or a damaged symbol in two to eight frames, added up, whose noise correlates by 0 to 1.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import process_time

import numpy as np
from numpy.random import Generator

from app.pipeline.fusing import MOST_LOG_ODDS, add_up
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import (
    LEVELS,
    MASKS,
    Bits,
    format_positions,
    format_word,
    function_patterns,
    version_positions,
    version_word,
)
from app.pipeline.qrcode.soft import decode_soft
from training.data.symbols import random_message_symbol, random_symbol
from training.measure.rates import Rate

_VERSIONS = np.arange(1, 11)
_PROBABILITIES = np.array([0.27, 0.27, 0.2, 0.08, 0.06, 0.04, 0.03, 0.02, 0.02, 0.01])
"""Small versions are most frequent, because their codes are the shortest."""


@dataclass(frozen=True)
class Input:
    """What soft decoding gets when it may invent: log-odds, (M, M), of an assumed version; ``truth``: the modules that
    they come from if these hold a message."""

    version: int
    log_odds: LogOdds
    truth: Bits | None


@dataclass
class Count:
    """Attempts at soft decoding of one kind, with right and false reads and the seconds of processor time that they
    took."""

    n: int = 0
    right: int = 0
    false: int = 0
    seconds: float = 0.0

    def add(self, read: Bits | None, truth: Bits | None, seconds: float) -> None:
        """Counts an attempt that gave the modules ``read``, if any, where ``truth`` would have been right."""
        self.n += 1
        self.seconds += seconds
        if read is not None:
            right = truth is not None and np.array_equal(read, truth)
            self.right += right
            self.false += not right

    def row(self, name: str) -> str:
        """A line of the table."""
        return (
            f"{name:12s} {self.n:8d} {self.right:7d} {self.false:6d} {Rate(self.false, self.n).interval[1]:12.1e}"
            f" {1000 * self.seconds / max(1, self.n):8.1f}"
        )


def magnitudes(rng: Generator, shape: tuple[int, ...]) -> LogOdds:
    """Magnitudes of log-odds, above 0, of a random scale and a random variation over the modules."""
    scale, spread = np.exp(rng.uniform(np.log(0.1), np.log(20))), rng.uniform(0, 1.5)
    return np.asarray(scale * np.exp(spread * rng.standard_normal(shape)), dtype=np.float32)


def _with_information(rng: Generator, modules: Bits, version: int) -> Bits:
    """Writes a random valid format and the version information into the modules."""
    modules = modules.copy()
    modules[format_positions(version)] = format_word(str(rng.choice(LEVELS)), int(rng.choice(MASKS)))
    if version >= 7:
        modules[version_positions(version)] = version_word(version)
    return modules


def signed(modules: Bits, strength: LogOdds) -> LogOdds:
    """Log-odds of modules, the absolute values of which are given."""
    return np.where(modules, strength, -strength)


def noise(rng: Generator, version: int) -> Input:
    """Gaussian log-odds; for half of the inputs with the right signs on the function patterns."""
    scale = np.exp(rng.uniform(np.log(0.1), np.log(20)))
    modules = _with_information(rng, random_symbol(rng, version), version)
    log_odds = (scale * rng.standard_normal(modules.shape)).astype(np.float32)
    if rng.random() < 0.5:
        log_odds = np.where(function_patterns(version).data, log_odds, signed(modules, np.abs(log_odds)))
    return Input(version, log_odds, None)


def random_bits(rng: Generator, version: int) -> Input:
    """A symbol of random codewords, 0 to 30 % of its modules inverted."""
    modules = _with_information(rng, random_symbol(rng, version), version)
    turned = (rng.random(modules.shape) < rng.uniform(0, 0.3)) & function_patterns(version).data
    return Input(version, signed(modules ^ turned, magnitudes(rng, modules.shape)), None)


def damaged(rng: Generator, version: int) -> Input:
    """A symbol with a message, 15 to 50 % of its modules inverted."""
    modules = random_message_symbol(rng, version, str(rng.choice(LEVELS)))
    turned = (rng.random(modules.shape) < rng.uniform(0.15, 0.5)) & function_patterns(version).data
    weakened = np.exp(rng.uniform(np.log(0.02), np.log(1.5)))
    strength = magnitudes(rng, modules.shape)
    log_odds = signed(modules ^ turned, np.where(turned, weakened * strength, strength))
    return Input(version, log_odds.astype(np.float32), modules)


def lost_format(rng: Generator, version: int) -> Input:
    """Random bits or a damaged symbol; both copies of the format information say nothing, or are of one tone, or
    random."""
    made = (random_bits, damaged)[int(rng.integers(2))](rng, version)
    at = format_positions(version)
    strength = np.abs(made.log_odds[at])
    tone = (0, 1, -1, rng.choice([-1, 1], strength.shape))[int(rng.integers(4))]
    made.log_odds[at] = tone * strength
    return made


def covered(rng: Generator, version: int) -> Input:
    """Random bits or a damaged symbol under a patch of one tone, a tenth to a half of the symbol large."""
    made = (random_bits, damaged)[int(rng.integers(2))](rng, version)
    size = len(made.log_odds)
    side = round(size * rng.uniform(0.1, 0.5) ** 0.5)
    top, left = rng.integers(0, size - side + 1, 2)
    patch = made.log_odds[top : top + side, left : left + side]
    patch[:] = rng.choice([-1, 1]) * np.abs(patch)
    return made


def fused(rng: Generator, version: int) -> Input:
    """Random bits or a damaged symbol in two to eight frames, added up: noise of up to twice the mean log-odds, whose
    correlation from frame to frame is 0 to 1."""
    made = (random_bits, damaged)[int(rng.integers(2))](rng, version)
    strength = rng.uniform(0, 2) * float(np.abs(made.log_odds).mean())
    correlation, shape = rng.uniform(), made.log_odds.shape
    shared = rng.standard_normal(shape)
    frames = []
    for _ in range(rng.integers(2, 9)):
        noise = correlation**0.5 * shared + (1 - correlation) ** 0.5 * rng.standard_normal(shape)
        frames.append(np.clip(made.log_odds + strength * noise, -MOST_LOG_ODDS, MOST_LOG_ODDS).astype(np.float32))
    return Input(version, add_up(frames), made.truth)


KINDS: dict[str, Callable[[Generator, int], Input]] = {
    "noise": noise,
    "random bits": random_bits,
    "damaged": damaged,
    "lost format": lost_format,
    "covered": covered,
    "fused": fused,
}


def count_reads(count: int, *, seed: int = 0, kinds: Sequence[str] = tuple(KINDS)) -> dict[str, Count]:
    """Makes ``count`` attempts at soft decoding, the kinds in turn, and counts by kind."""
    names = list(kinds)
    rng, counts = np.random.default_rng(seed), {name: Count() for name in names}
    for i in range(count):
        name = names[i % len(names)]
        attempt, tally = KINDS[name](rng, int(rng.choice(_VERSIONS, p=_PROBABILITIES))), counts[name]
        began = process_time()
        read = decode_soft(attempt.log_odds, attempt.version)
        tally.add(read.modules if read else None, attempt.truth, process_time() - began)
    return counts


def print_table(counts: Mapping[str, Count]) -> None:
    """Prints a line for each kind, and one for all of them."""
    total = Count(*(sum(getattr(c, name) for c in counts.values()) for name in ("n", "right", "false", "seconds")))
    print(f"{'kind':12s} attempts   right  false at most, 95 %  ms each")
    for name, tally in {**counts, "all": total}.items():
        print(tally.row(name))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.inventions", description="Count the false reads of soft decoding."
    )
    parser.add_argument("--count", type=int, default=100_000, help="number of attempts (default: 100000)")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="default: all of them")
    arguments = parser.parse_args(argv)
    print_table(count_reads(arguments.count, seed=arguments.seed, kinds=arguments.kinds))


if __name__ == "__main__":
    main()
