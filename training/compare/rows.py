"""The rows of the comparison: a system, its cost, and its results on every picture."""

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.models import checkpoint
from app.models.checkpoint import SUFFIX, Checkpoint
from app.models.contract import Card
from app.models.registry import NETWORKS
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.torch_runner import TorchRunner
from training.compare.cost import THREADS, Cost, measure_cost, restorer_inference
from training.compare.fidelity import Fidelity
from training.compare.systems import READER, ROUTED, Kind
from training.compare.trials import (
    Bench,
    Trial,
    Trials,
)
from training.measure.rates import Rate
from training.recipes.registry import RECIPES
from training.run.provenance import run_lengths

_NO_RESTORERS = ("ModuleReader", "QuadLocator")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the comparison: a system with its cost and its results.

    ``trials``: by set, picture by picture; empty for an untrained system. ``timings``: trials that were run for their
    time, by number of threads. ``macs``: minimum and maximum for one input of ``side`` x ``side`` pixels.
    ``inference_ms``: by "1", "2" (threads) or "cuda". ``origin``: where the weights come from; ``minutes`` and
    ``samples``: of their training.
    """

    name: str
    kind: Kind
    origin: str = ""
    minutes: float | None = None
    samples: int | None = None
    parameters: int | None = None
    macs: tuple[int, int] | None = None
    side: int | None = None
    inference_ms: Mapping[str, float] = field(default_factory=dict)
    trials: Mapping[str, Sequence[Trial]] = field(default_factory=dict)
    timings: Mapping[int, Sequence[Trial]] = field(default_factory=dict)

    def trials_on(self, names: Iterable[str]) -> list[Trial]:
        """The trials on these sets."""
        return [trial for name in names for trial in self.trials.get(name, ())]

    def rate(self, names: Iterable[str]) -> Rate:
        """Pictures read by all engines."""
        trials = self.trials_on(names)
        return Rate(sum(trial.by_all for trial in trials), len(trials))

    def rate_by_zbar(self, names: Iterable[str]) -> Rate | None:
        """Pictures read by ZBar alone; None for systems where it cannot run alone."""
        trials = self.trials_on(names)
        if not trials or any(trial.by_zbar is None for trial in trials):
            return None
        return Rate(sum(bool(trial.by_zbar) for trial in trials), len(trials))

    def wrong(self, names: Iterable[str]) -> int:
        """Pictures with a wrong payload."""
        return sum(trial.wrong for trial in self.trials_on(names))

    def count_applicable(self, names: Iterable[str]) -> int:
        """Pictures with a region that the system applies to."""
        return sum(trial.applicable for trial in self.trials_on(names))

    def fidelity(self, names: Iterable[str]) -> Fidelity | None:
        """Means over the pictures with a fidelity; None if there is none."""
        each = [trial.fidelity for trial in self.trials_on(names) if trial.fidelity]
        if not each:
            return None
        return Fidelity(
            psnr=statistics.fmean(one.psnr for one in each),
            ssim=statistics.fmean(one.ssim for one in each),
            sharpness=statistics.fmean(one.sharpness for one in each),
        )

    def picture_ms(self, threads: int) -> float | None:
        """Mean milliseconds per picture, including locating, also in pictures that the system does not apply to."""
        seconds = [trial.seconds for trial in self.timings.get(threads, ())]
        return 1000 * statistics.fmean(seconds) if seconds else None

    def mean_ms(self, names: Iterable[str]) -> float | None:
        """Mean milliseconds per picture of these sets in the trials, which other processes may have slowed down."""
        seconds = [trial.seconds for trial in self.trials_on(names)]
        return 1000 * statistics.fmean(seconds) if seconds else None

    def decode_figures(self, name: str) -> dict[str, object]:
        """One set's figures, JSON-ready; rates are in [0, 1]. Checkpoints' headers have the same keys."""
        names = (name,)
        by_all, by_zbar, fidelity = self.rate(names), self.rate_by_zbar(names), self.fidelity(names)
        return {
            "n": by_all.n,
            "tried": self.count_applicable(names),
            "zbar": by_zbar.value if by_zbar else None,
            "zbar_interval": by_zbar.interval if by_zbar else None,
            "all": by_all.value,
            "all_interval": by_all.interval,
            "wrong": self.wrong(names),
            "milliseconds": self.mean_ms(names),
            "psnr": fidelity.psnr if fidelity else None,
            "ssim": fidelity.ssim if fidelity else None,
            "sharpness": fidelity.sharpness if fidelity else None,
        }

    def figures(self) -> dict[str, object]:
        """The whole row, JSON-ready."""
        return {
            "name": self.name,
            "kind": self.kind.value,
            "origin": self.origin,
            "training_minutes": self.minutes,
            "training_samples": self.samples,
            "parameters": self.parameters,
            "gmac": [macs / 1e9 for macs in self.macs] if self.macs else None,
            "input": [self.side, self.side] if self.side else None,
            "inference_ms": dict(self.inference_ms),
            "picture_ms": {str(threads): self.picture_ms(threads) for threads in self.timings},
            "sets": {name: self.decode_figures(name) for name in self.trials},
        }


def rank(rows: Iterable[Row], names: Sequence[str]) -> list[Row]:
    """Sorts the comparison's rows by decode rate on these sets, then by time; untrained systems come last."""

    def key(row: Row) -> tuple[float, float]:
        rate, milliseconds = row.rate(names), row.picture_ms(1)
        return -rate.value if rate.n else 1.0, float("inf") if milliseconds is None else milliseconds

    return sorted(rows, key=key)


def record_rates(rows: Sequence[Row], weights: Path, files: Mapping[str, Sequence[str]]) -> None:
    """Writes the decode rates of each network's row into the header of its checkpoint in ``weights``.

    Earlier figures remain for sets that were measured on more pictures then, or not at all now. ``files`` lists the
    checkpoints of rows that do not have a checkpoint's name. A file keeps its precision.
    """
    for row in rows:
        paths = [weights / f"{name}{SUFFIX}" for name in files.get(row.name, (row.name,))]
        for path in paths if row.trials else ():
            if path.exists():
                _record(row, path)


def _record(row: Row, path: Path) -> None:
    card = checkpoint.load(path)
    before = card.measured.get("decode")
    known = before if isinstance(before, dict) else {}
    rates = {name: row.decode_figures(name) for name in row.trials}
    rates = {name: each for name, each in rates.items() if each["n"] >= known.get(name, each)["n"]}
    if json.dumps({**known, **rates}, sort_keys=True) == json.dumps(known, sort_keys=True):
        return
    half = path.stat().st_size < 3 * card.parameters
    checkpoint.save(checkpoint.add_measured(card, {"decode": {**known, **rates}}), path, half=half)


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
            measured[key] = measure_cost(model.card, {"cpu": restorer_inference(restorer)}, threads=THREADS)
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


def describe_origin(card: Card) -> str:
    """Describes where the weights of a row's network come from, in one line."""
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
    """Makes a row of every system of the bench."""
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
            origin=describe_origin(card) if card else "",
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
