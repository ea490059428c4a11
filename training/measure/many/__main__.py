"""Reads synthetic pictures along the served path and counts by place: python -m training.measure.many SET...

A code is hit if it holds the centre of an answer of its own with its payload; with another payload the answer is wrong,
and answers left over are extra. Prints, per set, pictures, codes, hits with their 95 % interval, wrong and extra
answers, seconds per picture (wall clock and processor), hits by rung, and hits by what was done to the codes. Unlike
in the service, the ladder has no budget.
``--ceiling`` adds how many codes the module reader and soft decoding read when told the true corners, ``--beside`` how
many each stock decoder reads, WeChat's with its networks if ``--wechat`` names their folder.

``--ratchet`` without sets measures each row of the project's table and fails if it has fallen; ``--raise`` also writes
higher numbers into it. With sets it measures these and holds them to their rows. ``--ratchet=FILE`` takes another
table.
"""

import argparse
import collections
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort
from app.pipeline.tools import Tools
from training.measure.decoders import add_wechat_option, stock_decoders
from training.measure.many.beside import count_beside
from training.measure.many.ceiling import count_readable
from training.measure.many.reading import PictureResult, measure, ratchet_row, trait_totals
from training.measure.many.sets import NAMES, pictures
from training.measure.ratchet import Row, hold, load_table
from training.measure.ratchet import add_options as add_ratchet_options
from training.measure.rates import Rate
from training.measure.served_tools import MAX_CODES, add_options, load_tools

TABLE = Path(__file__).with_name("ratchet.json")
"""The ratchet of the synthetic sets."""
_PICTURES = 24


def read_set(tools: Tools, name: str, *, effort: Effort, start: int = 0, count: int) -> Iterator[PictureResult]:
    """Reads pictures ``start`` to ``start + count - 1`` of a set. Raises KeyError for an unknown set."""
    ladder = Ladder(tools=tools, max_codes=MAX_CODES)
    for picture in pictures(name, start=start, count=count):
        yield measure(lambda image: ladder.run(image, effort=effort), picture)


def header() -> str:
    """The head of the table of `report`."""
    return (
        f"{'set':9s} {'effort':9s} {'n':>3s} {'codes':>6s} {'hit':>5s} {'%':>14s} {'wrong':>5s} {'extra':>5s} "
        f"{'p50 s':>7s} {'p95 s':>7s} {'cpu p50':>7s} {'cpu p95':>7s}"
    )


def report(name: str, effort: Effort, results: Sequence[PictureResult], *, start: int = 0) -> Iterator[str]:
    """Lines on a set: a row of the table, hits by rung, hits by trait, wrong answers. ``start``: the first picture."""
    hit = Rate(sum(result.hits for result in results), sum(result.codes for result in results))
    wrong, extra = sum(len(result.wrong) for result in results), sum(result.extras for result in results)
    wall = np.percentile([result.wall for result in results], (50, 95))
    processor = np.percentile([result.processor for result in results], (50, 95))
    seconds = " ".join(f"{each:7.3f}" for each in (*wall, *processor))
    counts = f"{len(results):3d} {hit.n:6d} {hit.hits:5d} {hit!s:>14s} {wrong:5d} {extra:5d}"
    yield f"{name:9s} {effort:9s} {counts} {seconds}"
    rungs = sum((result.by_rung for result in results), collections.Counter[str]())
    yield "  by rung: " + (", ".join(f"{rung} {count}" for rung, count in rungs.most_common()) or "none")
    if traits := [f"{trait} {hits}/{codes}" for trait, hits, codes in trait_totals(results)]:
        yield "  by what was done: " + ", ".join(traits)
    for index, result in enumerate(results, start):
        for misread in result.wrong:
            of = "another code's " if misread.misplaced else ""
            yield f"  wrong in picture {index}: {misread.rung} read {of}{misread.read!r}, not {misread.truth!r}"
    if truncated := sum(result.truncated for result in results):
        yield f"  {truncated} pictures have more answers than {MAX_CODES}"


def measure_table(tools: Tools, rows: Iterable[Row]) -> Iterator[Row]:
    """Measures each row of a ratchet anew and prints it: the first pictures of its set, with its effort."""
    for row in rows:
        results = list(read_set(tools, row.name, effort=Effort(row.effort), count=row.pictures))
        measured = ratchet_row(row.name, row.effort, results)
        print(measured, flush=True)
        yield measured


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.measure.many", description="Count reads by place.")
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"any of {', '.join(NAMES)}")
    parser.add_argument("--effort", choices=list(Effort), type=Effort, default=Effort.BALANCED)
    parser.add_argument("--count", type=int, default=_PICTURES, help=f"pictures per set (default: {_PICTURES})")
    parser.add_argument("--start", type=int, default=0, help="index of the first picture (default: 0)")
    parser.add_argument(
        "--ratchet", type=Path, nargs="?", const=TABLE, metavar="FILE", help="fail if less is read than in this table"
    )
    parser.add_argument("--ceiling", action="store_true", help="also read the codes at their true corners")
    parser.add_argument("--beside", action="store_true", help="also read the pictures with each stock decoder")
    add_wechat_option(parser)
    add_ratchet_options(parser)
    add_options(parser)
    options = parser.parse_args(argv)
    if unknown := [name for name in options.sets if name not in NAMES]:
        parser.error(f"no set is named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    rows = load_table(options.ratchet) if options.ratchet and not options.sets else []
    if not options.sets and not rows:
        parser.error("name a set, or --ratchet and a table that has rows")
    if options.raised and not options.ratchet:
        parser.error("--raise needs --ratchet")
    if options.ratchet and options.start:
        parser.error("a ratchet holds the first pictures of a set: leave --start out")
    tools = load_tools(options)
    measured = list(_measure_sets(tools, options) if options.sets else measure_table(tools, rows))
    if options.ratchet:
        for line in hold(options.ratchet, measured, raised=options.raised):
            print(line)


def _measure_sets(tools: Tools, options: argparse.Namespace) -> Iterator[Row]:
    """Measures the sets that the options name and prints the table; yields rows of a ratchet."""
    print(header())
    for name in options.sets:
        results = list(read_set(tools, name, effort=options.effort, start=options.start, count=options.count))
        print(*report(name, options.effort, results, start=options.start), sep="\n", flush=True)
        if options.ceiling:
            chosen = pictures(name, start=options.start, count=options.count)
            readable = sum(count_readable(tools.reader, picture) for picture in chosen)
            print(f"  readable at their true corners: {readable}", flush=True)
        if options.beside:
            chosen = pictures(name, start=options.start, count=options.count)
            beside = count_beside(stock_decoders(options.wechat), chosen)
            print("  beside: " + ", ".join(f"{engine} {reads}" for engine, reads in beside.items()), flush=True)
        yield ratchet_row(name, options.effort, results)


if __name__ == "__main__":
    main()
