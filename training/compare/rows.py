"""The rows of the comparison: a system, what it costs, and what it did on every picture."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.models import checkpoint
from app.models.checkpoint import SUFFIX
from training.compare.systems import Kind
from training.compare.trials import Fidelity, Trial
from training.measure.quality import Rate


@dataclass(frozen=True, kw_only=True)
class Row:
    """``trials`` are by set, picture by picture; empty for an untrained system. ``timed`` are by number of threads.

    ``macs`` are the fewest and the most that one input of ``side`` pixels square takes. ``inference_ms`` are by "1",
    "2" (threads) or "cuda". ``origin`` says where the weights come from, ``minutes`` and ``samples`` how much
    training they had.
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
    timed: Mapping[int, Sequence[Trial]] = field(default_factory=dict)

    def on(self, names: Iterable[str]) -> list[Trial]:
        """Its trials on these sets."""
        return [trial for name in names for trial in self.trials.get(name, ())]

    def rate(self, names: Iterable[str]) -> Rate:
        """Read by all engines."""
        trials = self.on(names)
        return Rate(sum(trial.by_all for trial in trials), len(trials))

    def rate_by_zbar(self, names: Iterable[str]) -> Rate | None:
        """Read by ZBar alone; None where that cannot be asked."""
        trials = self.on(names)
        if not trials or any(trial.by_zbar is None for trial in trials):
            return None
        return Rate(sum(bool(trial.by_zbar) for trial in trials), len(trials))

    def wrong(self, names: Iterable[str]) -> int:
        """Pictures with a payload that is not the truth."""
        return sum(trial.wrong for trial in self.on(names))

    def was_tried(self, names: Iterable[str]) -> int:
        """Pictures that held something that the system is for."""
        return sum(trial.tried for trial in self.on(names))

    def fidelity(self, names: Iterable[str]) -> Fidelity | None:
        """Means over the pictures that the system is for."""
        each = [trial.fidelity for trial in self.on(names) if trial.fidelity]
        if not each:
            return None
        return Fidelity(
            psnr=statistics.fmean(one.psnr for one in each),
            ssim=statistics.fmean(one.ssim for one in each),
            sharpness=statistics.fmean(one.sharpness for one in each),
        )

    def picture_ms(self, threads: int) -> float | None:
        """Mean milliseconds of a picture, locating included; looking for what the system is for costs time, found or
        not."""
        seconds = [trial.seconds for trial in self.timed.get(threads, ())]
        return 1000 * statistics.fmean(seconds) if seconds else None

    def mean_ms(self, names: Iterable[str]) -> float | None:
        """Mean milliseconds of a picture of these sets while they were tried, maybe beside other processes."""
        seconds = [trial.seconds for trial in self.on(names)]
        return 1000 * statistics.fmean(seconds) if seconds else None

    def decode_figures(self, name: str) -> dict[str, object]:
        """One set, JSON-ready, under the keys that `training.compare.evaluate` uses; rates are in [0, 1]."""
        names = (name,)
        by_all, by_zbar, fidelity = self.rate(names), self.rate_by_zbar(names), self.fidelity(names)
        return {
            "n": by_all.n,
            "tried": self.was_tried(names),
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
        """Everything, JSON-ready."""
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
            "picture_ms": {str(threads): self.picture_ms(threads) for threads in self.timed},
            "sets": {name: self.decode_figures(name) for name in self.trials},
        }


def ranked(rows: Iterable[Row], names: Sequence[str]) -> list[Row]:
    """By decode rate on these sets, then by time; untrained ones last."""

    def key(row: Row) -> tuple[float, float]:
        rate, milliseconds = row.rate(names), row.picture_ms(1)
        return -rate.value if rate.n else 1.0, float("inf") if milliseconds is None else milliseconds

    return sorted(rows, key=key)


def record(rows: Sequence[Row], weights: Path, files: Mapping[str, Sequence[str]]) -> None:
    """Writes each network's rates into its checkpoint's header; sets measured on more pictures before, or not now, are
    kept.

    ``files`` says which checkpoints a row is of where it is not called by their name. A file keeps the precision that
    it has.
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
    half = path.stat().st_size < 3 * card.parameters
    checkpoint.save(checkpoint.with_measured(card, {"decode": {**known, **rates}}), path, half=half)
