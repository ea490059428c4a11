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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import cv2
import torch
from matplotlib.figure import Figure

from app.models.checkpoint import Checkpoint
from app.models.contract import Card
from app.models.registry import NETWORKS
from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.torch_runner import TorchRunner
from training.compare import tables
from training.compare.claims import PUBLISHED_FIGURES, Judgement, judge_all
from training.compare.cost import Cost, measure, reader_inference, restorer_inference
from training.compare.rows import Row, rank, record
from training.compare.scatter import Point, draw_scatter
from training.compare.systems import READER, ROUTED, Kind
from training.compare.trials import (
    PHOTOGRAPHS,
    Bench,
    Trial,
    Trials,
    build_bench,
    group_trials,
    photo_task,
    run,
    sample_task,
    select_photos,
    time_systems,
)
from training.measure.charts import save
from training.measure.served import add_options
from training.measure.sets import SETS, VALIDATION
from training.recipes.registry import RECIPES
from training.run.headers import run_lengths

THREADS = (1, 2)
COUNT = 60
TIMED = 3
_NO_RESTORERS = ("ModuleReader", "QuadLocator")
Result = tuple[str, dict[str, Trial]]


def measure_costs(bench: Bench, elsewhere: Mapping[str, Networks]) -> dict[str, Cost]:
    """Measures every restorer and module reader; returns the costs by checkpoint's name.

    ``elsewhere``: the same networks on other devices, by device.
    """
    costs = {}
    for name, restorer in bench.networks.restorers.items():
        others = {device: restorer_inference(networks.restorers[name]) for device, networks in elsewhere.items()}
        costs[name] = measure(restorer.card, {"cpu": restorer_inference(restorer), **others}, threads=THREADS)
    for name, reader in bench.networks.readers.items():
        others = {device: reader_inference(networks.readers[name]) for device, networks in elsewhere.items()}
        costs[name] = measure(reader.card, {"cpu": reader_inference(reader), **others}, threads=THREADS)
    if (halfway := bench.halfway) is not None:
        costs[halfway.name] = measure(halfway.card, {"cpu": restorer_inference(halfway)}, threads=THREADS)
    return costs


def untrained_rows(names: Iterable[str]) -> Iterator[Row]:
    """Rows with the cost alone, for the restorers of recipes that are not among ``names``, the checkpoints."""
    known = set(names)
    measured: dict[str, Cost] = {}  # several recipes may train the same network
    for name, make in RECIPES.items():
        if name in known:
            continue
        config = make()
        if config.architecture in _NO_RESTORERS:
            continue
        network = NETWORKS[config.architecture](**config.network).eval().requires_grad_(False)
        model = Checkpoint(name, config.architecture, network, config.network)
        restorer = NetworkRestorer(model.card, TorchRunner.of(model))
        key = f"{config.architecture} {config.network}"
        if key not in measured:
            measured[key] = measure(model.card, {"cpu": restorer_inference(restorer)}, threads=THREADS)
        needs = "needs a GPU, " if "needs a GPU" in (make.__doc__ or "") else ""
        yield _row(
            name,
            Kind.UPSCALER if restorer.scale > 1 else Kind.RESTORER,
            cost=measured[key],
            origin=f"untrained: {needs}recipe `{name}`",
        )


def _row(
    name: str,
    kind: Kind,
    *,
    origin: str = "",
    lengths: tuple[float | None, int | None] = (None, None),
    cost: Cost | None = None,
    trials: Mapping[str, Sequence[Trial]] | None = None,
    timings: Mapping[int, Sequence[Trial]] | None = None,
) -> Row:
    return Row(
        name=name,
        kind=kind,
        origin=origin,
        minutes=lengths[0],
        samples=lengths[1],
        parameters=cost.parameters if cost else None,
        macs=(cost.macs, cost.macs) if cost else None,
        side=cost.side if cost else None,
        inference_ms=cost.milliseconds if cost else {},
        trials=trials or {},
        timings=timings or {},
    )


def origin(card: Card) -> str:
    """Describes where weights come from, in one line."""
    if (share := card.provenance.get("share")) is not None:
        return f"between two networks, {100 * float(str(share)):.0f} % of the way"
    minutes, samples = run_lengths(card.provenance)
    adversary = card.provenance.get("adversary")
    parts = (
        "training time unknown" if minutes is None else f"{minutes:.0f} min",
        "" if samples is None else f"{samples:,} samples",
        str(card.provenance.get("loss", "")),
        f"against {adversary.get('discriminator')}" if isinstance(adversary, Mapping) else "",
    )
    return ", ".join(part for part in parts if part)


def measured_rows(
    bench: Bench, trials: Trials, timings: Mapping[int, Trials], costs: Mapping[str, Cost]
) -> Iterator[Row]:
    """Rows of every system of the bench."""
    cards = {card.name: card for card in bench.networks.cards}
    if bench.halfway is not None:
        cards[bench.halfway.name] = bench.halfway.card
    reader = next(name for name, each in bench.networks.readers.items() if each is bench.tools.reader)
    pair = [costs[bench.tools.light], costs[bench.tools.heavy]]
    for system in bench.systems:
        card = cards.get(reader if system.name == READER else system.name)
        row = _row(
            system.name,
            system.kind,
            origin=origin(card) if card else "",
            lengths=run_lengths(card.provenance) if card else (None, None),
            cost=costs.get(card.name) if card else None,
            trials={name: each[system.name] for name, each in trials.items()},
            timings={
                number: [trial for each in sets.values() for trial in each[system.name]]
                for number, sets in timings.items()
            },
        )
        yield _with_pair(row, pair) if system.kind is Kind.ROUTING else row


def _with_pair(row: Row, pair: Sequence[Cost]) -> Row:
    """Adds the size of both networks, and the multiply-accumulates of a crop that takes the least and the most.

    The routing unit may run both networks on a crop, random routing runs one.
    """
    most = sum(cost.macs for cost in pair) if row.name == ROUTED else pair[1].macs
    return replace(
        row,
        origin="the light and the heavy network",
        parameters=sum(cost.parameters for cost in pair),
        macs=(min(cost.macs for cost in pair), most),
        side=max(cost.side for cost in pair),
    )


def figures(rows: Sequence[Row], judgements: Sequence[Judgement], settings: Mapping[str, object]) -> dict[str, object]:
    """The whole comparison, JSON-ready."""
    return {
        "settings": dict(settings),
        "rows": [row.figures() for row in rows],
        "claims": [
            {"claim": each.statement, "verdict": each.verdict.value, "figures": list(each.figures)}
            for each in judgements
        ],
        "published": [vars(one) for one in PUBLISHED_FIGURES],
    }


def draw(rows: Sequence[Row], names: Sequence[str], photographs: Sequence[str]) -> Figure:
    """A panel for all synthetic sets together, and one for the photographs if there are any.

    The times of photographs are those of the trials, in which processes ran side by side.
    """
    panels = {}
    for which, title in (((*names,), f"all of {', '.join(names)}"), ((*photographs,), PHOTOGRAPHS)):
        points = [
            Point(row.name, row.kind, row.rate(which), spent)
            for row in rows
            if row.count_applicable(which)
            and (spent := row.mean_ms(which) if title == PHOTOGRAPHS else row.picture_ms(THREADS[0]))
        ]
        if points:
            panels[f"{title}, n = {max(point.rate.n for point in points)}"] = points
    return draw_scatter(panels)


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
    trials = group_trials(_with_progress(run(tasks, options, jobs=options.jobs), len(tasks)))
    bench = build_bench(options)
    timings = time_systems(bench, options.sets, count=min(options.timed, count), threads=THREADS)
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
        save(draw(rows, options.sets, photographs), options.picture)
    if options.record:
        record(rows, options.weights, {READER: (options.reader, options.locator)})


if __name__ == "__main__":
    main()
