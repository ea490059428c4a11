"""Compares every system in one set of tables: python -m training.compare.

Every checkpoint of a folder, plain interpolation, stock decoders, the routed pair, the module reader and the whole
ladder: what they cost, what share of the synthetic sets (and, with ``--photos``, of labelled photographs) they let the
engines read, and how faithful they are. Then the claims of the sources, held against these rows, and the figures that
the sources publish. Prints Markdown; ``--json``, ``--picture`` and ``--record`` keep the same figures elsewhere. All
but the times is the same at every run. Recipes without a checkpoint have rows too, of their cost alone.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from training.compare.claims import PUBLISHED_FIGURES, Judged, judge_all
from training.compare.cost import Cost, Inference, measure, reading, restoring
from training.compare.rows import Row, ranked, record
from training.compare.scatter import Point, draw_scatter
from training.compare.systems import READER, ROUTED, Kind
from training.compare.trials import (
    PHOTOGRAPHS,
    Bench,
    Trial,
    Trials,
    gathered,
    known_photos,
    photo_task,
    run,
    set_task,
    set_up,
    timed,
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


def costs(bench: Bench, elsewhere: Mapping[str, Networks]) -> dict[str, Cost]:
    """Of every restorer and module reader by its checkpoint's name; ``elsewhere`` holds networks on other devices."""
    found = {}
    for name, restorer in bench.networks.restorers.items():
        others: dict[str, Inference] = {key: restoring(each.restorers[name]) for key, each in elsewhere.items()}
        found[name] = measure(restorer.card, {"cpu": restoring(restorer), **others}, threads=THREADS)
    for name, reader in bench.networks.readers.items():
        others = {key: reading(each.readers[name]) for key, each in elsewhere.items()}
        found[name] = measure(reader.card, {"cpu": reading(reader), **others}, threads=THREADS)
    if bench.between is not None:
        found[bench.between.name] = measure(bench.between.card, {"cpu": restoring(bench.between)}, threads=THREADS)
    return found


def untrained(names: Iterable[str]) -> Iterator[Row]:
    """Rows of cost alone, of the restorers that recipes make and no checkpoint holds."""
    known = set(names)
    measured: dict[str, Cost] = {}  # two recipes may train one network
    for name, make in RECIPES.items():
        if name in known:
            continue
        config = make()
        if config.architecture in _NO_RESTORERS:
            continue
        network = NETWORKS[config.architecture](**config.network).eval().requires_grad_(False)
        untrained_weights = Checkpoint(name, config.architecture, network, config.network)
        card = untrained_weights.card
        restorer = NetworkRestorer(card, TorchRunner.of(untrained_weights))
        built = f"{config.architecture} {config.network}"
        if built not in measured:
            measured[built] = measure(card, {"cpu": restoring(restorer)}, threads=THREADS)
        needs = "needs a GPU, " if "needs a GPU" in (make.__doc__ or "") else ""
        yield _row(
            name,
            Kind.ENLARGER if restorer.scale > 1 else Kind.RESTORER,
            cost=measured[built],
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
    seconds: Mapping[int, Sequence[Trial]] | None = None,
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
        timed=seconds or {},
    )


def origin(card: Card) -> str:
    """Where weights come from, in a few words."""
    if (share := card.provenance.get("share")) is not None:
        return f"between two networks, {100 * float(str(share)):.0f} % of the way"
    minutes, samples = run_lengths(card.provenance)
    told = (
        "training time unknown" if minutes is None else f"{minutes:.0f} min",
        "" if samples is None else f"{samples:,} samples",
        str(card.provenance.get("loss", "")),
        _opponent(card.provenance.get("adversary")),
    )
    return ", ".join(part for part in told if part)


def _opponent(adversary: object) -> str:
    return f"against {adversary.get('discriminator')}" if isinstance(adversary, Mapping) else ""


def trained(bench: Bench, trials: Trials, times: Mapping[int, Trials], cost: Mapping[str, Cost]) -> Iterator[Row]:
    """Rows of everything that was run."""
    cards = {card.name: card for card in bench.networks.cards}
    if bench.between is not None:
        cards[bench.between.name] = bench.between.card
    reader = next(name for name, each in bench.networks.readers.items() if each is bench.tools.reader)
    pair = [cost[bench.tools.light], cost[bench.tools.heavy]]
    for system in bench.systems:
        card = cards.get(reader if system.name == READER else system.name)
        row = _row(
            system.name,
            system.kind,
            origin=origin(card) if card else "",
            lengths=run_lengths(card.provenance) if card else (None, None),
            cost=cost.get(card.name) if card else None,
            trials={name: each[system.name] for name, each in trials.items()},
            seconds={
                number: [trial for each in sets.values() for trial in each[system.name]]
                for number, sets in times.items()
            },
        )
        if system.kind is Kind.ROUTING:
            row = _paired(row, pair, most=sum(each.macs for each in pair) if system.name == ROUTED else pair[1].macs)
        yield row


def _paired(row: Row, pair: Sequence[Cost], *, most: int) -> Row:
    """With the size of both networks, and the multiply-accumulates of a crop that takes least and most."""
    least = min(each.macs for each in pair)
    return Row(
        name=row.name,
        kind=row.kind,
        origin="the light and the heavy network",
        parameters=sum(each.parameters for each in pair),
        macs=(least, most),
        side=max(each.side for each in pair),
        trials=row.trials,
        timed=row.timed,
    )


def figures(rows: Sequence[Row], judged: Sequence[Judged], settings: Mapping[str, object]) -> dict[str, object]:
    """The whole comparison, JSON-ready."""
    return {
        "settings": dict(settings),
        "rows": [row.figures() for row in rows],
        "claims": [
            {"claim": claim.statement, "verdict": claim.verdict.value, "figures": list(claim.figures)}
            for claim in judged
        ],
        "published": [vars(one) for one in PUBLISHED_FIGURES],
    }


def draw(rows: Sequence[Row], names: Sequence[str], photographs: Sequence[str]) -> Figure:
    """A panel for all synthetic sets together, and one for the photographs if there are any.

    Photographs are not run again to be timed: their times are those of the processes that ran them side by side.
    """
    panels = {}
    for which, title in (((*names,), f"all of {', '.join(names)}"), ((*photographs,), PHOTOGRAPHS)):
        points = [
            Point(row.name, row.kind, row.rate(which), spent)
            for row in rows
            if row.was_tried(which)
            and (spent := row.mean_ms(which) if title == PHOTOGRAPHS else row.picture_ms(THREADS[0]))
        ]
        if points:
            panels[f"{title}, n = {max(point.rate.n for point in points)}"] = points
    return draw_scatter(panels)


def _watched(results: Iterable[tuple[str, dict[str, Trial]]], total: int) -> Iterator[tuple[str, dict[str, Trial]]]:
    """Tells how far it is, on standard error."""
    began = perf_counter()
    for done, result in enumerate(results, 1):
        if done % 20 == 0 or done == total:
            spent = perf_counter() - began
            print(
                f"{done}/{total} pictures, {spent:.0f} s, {spent / done * (total - done):.0f} s left", file=sys.stderr
            )
        yield result


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.compare", description="Compare every system.")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--count", type=int, default=COUNT, help=f"samples a set (default: {COUNT})")
    parser.add_argument("--timed", type=int, default=TIMED, help=f"samples a set that are timed (default: {TIMED})")
    parser.add_argument(
        "--photos", type=Path, help="a labelled folder of photographs, as training.measure.photos takes it"
    )
    parser.add_argument(
        "--photo-count", type=int, default=COUNT, help=f"photographs, spread over it (default: {COUNT})"
    )
    cores = os.cpu_count() or 1
    parser.add_argument("--jobs", type=int, default=cores, help=f"processes (default: {cores}, the cores)")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file as well")
    parser.add_argument("--picture", type=Path, help="draw rate against milliseconds into this PNG file")
    parser.add_argument("--record", action="store_true", help="write each network's rates into its checkpoint")
    add_options(parser)
    options = parser.parse_args(argv)
    if min(options.count, options.timed, options.photo_count, options.jobs) < 1:
        parser.error("--count, --timed, --photo-count and --jobs must be 1 or more")
    return options


def main(argv: Sequence[str] | None = None) -> None:
    options = _options(argv)
    count = min(options.count, VALIDATION)
    photos = known_photos(options.photos, options.photo_count) if options.photos else []
    tasks = [set_task(name, index) for name in options.sets for index in range(count)]
    tasks += [photo_task(photo, index) for index, photo in enumerate(photos)]
    trials = gathered(_watched(run(tasks, options, jobs=options.jobs), len(tasks)))
    bench = set_up(options)
    times = timed(bench, options.sets, count=min(options.timed, count), threads=THREADS)
    elsewhere = {"cuda": load_networks(options.weights, "cuda")} if torch.cuda.is_available() else {}
    rows = [
        *trained(bench, trials, times, costs(bench, elsewhere)),
        *untrained(card.name for card in bench.networks.cards),
    ]
    rows = ranked(rows, options.sets)
    judged = judge_all(rows)
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
    measured = f"n = {count} a set" + (f", {len(photos)} photographs" if photos else "")
    text = tables.report(
        rows,
        judged,
        names=options.sets,
        photographs=photographs,
        threads=THREADS,
        measured=f"{measured}; torch {torch.__version__}, OpenCV {cv2.__version__}, {machine}.",
    )
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n")
    if options.json:
        options.json.write_text(json.dumps(figures(rows, judged, settings), indent=1))
    if options.picture:
        save(draw(rows, options.sets, photographs), options.picture)
    if options.record:
        record(rows, options.weights, {READER: (options.reader, options.locator)})


if __name__ == "__main__":
    main()
