"""Counts false reads on pictures without a QR code: python -m training.measure.codeless.

By default the pictures are the locator's training scenes without codes, from seeds that no training run uses: dead
leaves and noise with text, bar codes, other matrix codes, lone finder patterns, chessboards and rows of windows, in
poor photographs. ``--kinds`` chooses mild photographs of `training.data.lookalikes` instead: pages of text, bar codes,
boards, halftones, keyboards, wallpaper of finder patterns. Every read is false. Prints, per kind, their number with its
upper 95 % bound, and the time per picture by the wall clock and of the processor.
"""

import argparse
import itertools
import zlib
from collections.abc import Iterator, Sequence
from statistics import median
from time import perf_counter, process_time

import numpy as np

from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort, Found
from app.pipeline.tools import Tools
from training.data.degrade import to_uint8
from training.data.lookalikes import LOOKALIKES, lookalike
from training.data.scenes import scene
from training.measure.rates import Rate
from training.measure.served_tools import add_options, load_tools

SCENE = "scene"
KINDS = (SCENE, *LOOKALIKES)
_SEED = 9_000_000  # far from the seed of every recipe
_SIDES = (320, 480, 720)


def codeless_picture(kind: str, index: int) -> GreyImage:
    """Picture number ``index`` of a kind: "scene" or one of `training.data.lookalikes`. Raises KeyError for another."""
    if kind == SCENE:
        image, _ = scene(np.random.default_rng((_SEED, index)), _SIDES[index % len(_SIDES)], empty=True)
    else:
        image = lookalike(np.random.default_rng((_SEED, zlib.crc32(kind.encode()), index)), kind)
    return to_uint8(image)


def read_codeless(
    tools: Tools, kind: str = SCENE, *, start: int, count: int, effort: Effort = Effort.BALANCED
) -> Iterator[tuple[float, float, tuple[Found, ...]]]:
    """Reads ``count`` pictures without a code, beginning with number ``start``.

    Yields seconds by the wall clock, seconds of the processor, and false reads.
    """
    ladder = Ladder(tools=tools, max_codes=16)
    for index in range(start, start + count):
        grey = codeless_picture(kind, index)
        began, processor = perf_counter(), process_time()
        outcome = ladder.run(grey, effort=effort)
        yield perf_counter() - began, process_time() - processor, outcome.codes


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.measure.codeless", description="Count false reads.")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[SCENE], help="default: scene")
    parser.add_argument("--count", type=int, default=2000, help="number of pictures of each kind (default: 2000)")
    parser.add_argument("--start", type=int, default=0, help="number of the first picture, to divide the work")
    parser.add_argument("--effort", choices=[effort.value for effort in Effort], default=Effort.BALANCED.value)
    add_options(parser)
    arguments = parser.parse_args(argv)
    tools = load_tools(arguments)
    for kind in arguments.kinds:
        _measure_kind(tools, kind, arguments)


def _measure_kind(tools: Tools, kind: str, arguments: argparse.Namespace) -> None:
    """Reads pictures of a kind and prints false reads and times."""
    seconds, spent, misread = [], [], 0
    results = read_codeless(tools, kind, start=arguments.start, count=arguments.count, effort=Effort(arguments.effort))
    for index, (took, processor, codes) in zip(itertools.count(arguments.start), results, strict=False):
        seconds.append(took)
        spent.append(processor)
        misread += bool(codes)
        for found in codes:
            print(f"{kind} {index}: {found.rung} read {found.symbol.payload!r}", flush=True)
    bound = 100 * Rate(misread, arguments.count).interval[1]
    print(
        f"{kind}: {arguments.count} pictures without a code, {misread} with a false read, at most {bound:.2f} % (95 %)"
    )
    times = f"median {1000 * median(seconds):.0f} ms per picture, longest {1000 * max(seconds):.0f} ms"
    print(f"  {times}, median {1000 * median(spent):.0f} ms of the processor", flush=True)


if __name__ == "__main__":
    main()
