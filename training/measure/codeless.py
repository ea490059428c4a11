"""Counts false reads on pictures without a QR code: python -m training.measure.codeless.

The pictures are the locator's training scenes without codes, from seeds that no training run uses: dead leaves and
noise with text, bar codes, other matrix codes, lone finder patterns, chessboards and rows of windows, in poor
photographs. Every read is false. Prints their number with its upper 95 % bound, and the time per picture.
"""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from statistics import median
from time import perf_counter

import numpy as np

from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort, Found
from app.pipeline.tools import Tools
from training.data.degrade import to_uint8
from training.data.scenes import scene
from training.measure.rates import Rate
from training.measure.served_tools import add_options, load_tools

_SEED = 9_000_000  # far from the seed of every recipe
_SIDES = (320, 480, 720)


def read_codeless_scenes(
    tools: Tools, *, start: int, count: int, effort: Effort = Effort.BALANCED
) -> Iterator[tuple[float, tuple[Found, ...]]]:
    """Reads ``count`` scenes without a code, beginning with number ``start``; yields seconds and false reads."""
    ladder = Ladder(tools=tools, max_codes=16)
    for index in range(start, start + count):
        rng = np.random.default_rng((_SEED, index))
        image, _ = scene(rng, _SIDES[index % len(_SIDES)], empty=True)
        grey = to_uint8(image)
        began = perf_counter()
        outcome = ladder.run(grey, effort=effort)
        yield perf_counter() - began, outcome.codes


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.measure.codeless", description="Count false reads.")
    parser.add_argument("--count", type=int, default=2000, help="number of pictures (default: 2000)")
    parser.add_argument("--start", type=int, default=0, help="number of the first picture, to divide the work")
    parser.add_argument("--effort", choices=[effort.value for effort in Effort], default=Effort.BALANCED.value)
    add_options(parser)
    arguments = parser.parse_args(argv)
    tools = load_tools(arguments)
    seconds, misread = [], 0
    results = read_codeless_scenes(tools, start=arguments.start, count=arguments.count, effort=Effort(arguments.effort))
    for index, (took, codes) in zip(itertools.count(arguments.start), results, strict=False):
        seconds.append(took)
        misread += bool(codes)
        for found in codes:
            print(f"picture {index}: {found.rung} read {found.symbol.payload!r}", flush=True)
    bound = 100 * Rate(misread, arguments.count).interval[1]
    print(f"{arguments.count} pictures without a code, {misread} with a false read, at most {bound:.2f} % (95 %)")
    print(f"median {1000 * median(seconds):.0f} ms per picture, longest {1000 * max(seconds):.0f} ms")


if __name__ == "__main__":
    main()
