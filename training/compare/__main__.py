"""Compares every system in one set of tables: python -m training.compare.

The systems are every checkpoint of a folder, plain interpolation, stock decoders, the routed pair, the module reader
and the whole ladder. Prints Markdown tables of their cost, their decode rates on the synthetic sets (and, with
``--photos``, on labelled photographs) and their fidelity; of the sources' claims, tested on these results; and of the
sources' published figures. Recipes without a checkpoint have rows with their cost alone. ``--json``, ``--picture`` and
``--record`` write the same figures elsewhere. All figures but the times are the same in every run.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter

import cv2
import torch

from app.pipeline.inference.loading import load_networks
from training.compare import tables
from training.compare.claims import judge_all
from training.compare.cost import THREADS, measure_costs
from training.compare.rows import measured_rows, rank, record_rates, untrained_rows
from training.compare.scatter import draw_rates
from training.compare.systems import READER
from training.compare.tables import figures
from training.compare.trials import (
    PHOTOGRAPHS,
    Trial,
    build_bench,
    group_trials,
    photo_task,
    run_tasks,
    sample_task,
    time_trials,
)
from training.measure.charts import save
from training.measure.photos import select_photos
from training.measure.served_tools import add_options
from training.measure.sets import SETS, VALIDATION

COUNT = 60
TIMED = 3
Result = tuple[str, dict[str, Trial]]


def _with_progress(results: Iterable[Result], total: int) -> Iterator[Result]:
    """Passes results on and reports progress on standard error."""
    began = perf_counter()
    for done, result in enumerate(results, 1):
        if done % 20 == 0 or done == total:
            spent = perf_counter() - began
            left = spent / done * (total - done)
            print(f"{done}/{total} pictures, {spent:.0f} s, {left:.0f} s left", file=sys.stderr)
        yield result


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.compare", description="Compare every system.")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="default: all")
    parser.add_argument("--count", type=int, default=COUNT, help=f"samples per set (default: {COUNT})")
    parser.add_argument("--timed", type=int, default=TIMED, help=f"timed samples per set (default: {TIMED})")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="labelled folder, as for training.measure.photos")
    parser.add_argument(
        "--photo-count", type=int, default=COUNT, help=f"photographs, spread over the folder (default: {COUNT})"
    )
    cores = os.cpu_count() or 1
    parser.add_argument("--jobs", type=int, default=cores, help=f"processes (default: {cores}, the number of cores)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="also write the tables to this file")
    parser.add_argument("--picture", type=Path, help="plot rates against milliseconds to this PNG file")
    parser.add_argument("--record", action="store_true", help="write each network's rates into its checkpoint")
    add_options(parser)
    options = parser.parse_args(argv)
    if min(options.count, options.timed, options.photo_count, options.jobs) < 1:
        parser.error("--count, --timed, --photo-count and --jobs must be 1 or more")
    return options


def main(argv: Sequence[str] | None = None) -> None:
    options = _options(argv)
    count = min(options.count, VALIDATION)
    photos = select_photos(options.photos, options.photo_count) if options.photos else []
    tasks = [sample_task(name, index) for name in options.sets for index in range(count)]
    tasks += [photo_task(photo, index) for index, photo in enumerate(photos)]
    trials = group_trials(_with_progress(run_tasks(tasks, options, jobs=options.jobs), len(tasks)))
    bench = build_bench(options)
    timings = time_trials(bench, options.sets, count=min(options.timed, count), threads=THREADS)
    elsewhere = {"cuda": load_networks(options.weights, "cuda")} if torch.cuda.is_available() else {}
    rows = [
        *measured_rows(bench, trials, timings, measure_costs(bench, elsewhere)),
        *untrained_rows(card.name for card in bench.networks.cards),
    ]
    rows = rank(rows, options.sets)
    judgements = judge_all(rows)
    photographs = [PHOTOGRAPHS] if photos else []
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    settings = {
        "count": count,
        "sets": list(options.sets),
        "photographs": len(photos),
        "timed": min(options.timed, count),
        "torch": torch.__version__,
        "opencv": cv2.__version__,
        "machine": machine,
        "gpu": torch.cuda.get_device_name() if elsewhere else None,
    }
    measured = f"n = {count} per set" + (f", {len(photos)} photographs" if photos else "")
    text = tables.report(
        rows,
        judgements,
        names=options.sets,
        photographs=photographs,
        threads=THREADS,
        measured=f"{measured}; torch {torch.__version__}, OpenCV {cv2.__version__}, {machine}.",
    )
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n")
    if options.json:
        options.json.write_text(json.dumps(figures(rows, judgements, settings), indent=1))
    if options.picture:
        save(draw_rates(rows, options.sets, photographs), options.picture)
    if options.record:
        record_rates(rows, options.weights, {READER: (options.reader, options.locator)})


if __name__ == "__main__":
    main()
