"""Measures whether `confidence` means what it says: python -m training.measure.confidence.

Takes each code of `training.measure.repeats` twice in the same way, and asks of every code that reads in the first
picture whether the second reads as well, at balanced effort and without a budget. The first picture is read at balanced
effort, with one plain look, and (every fourth) by /restore; the second is read once. Prints, by how the first was read:
codes, the share that reads again with its 95 % interval, what `confidence` says of them, and the expected calibration
error with its 95 % interval (bootstrap over pictures) and what a perfect map would show by chance on as many codes.

Micro QR and rMQR codes (``--small``) have weights and a table of their own. The weights are fitted on one seed
(``--fit``) and measured on another.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from app.pipeline.confidence import LARGE, SMALL, features
from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort, Outcome
from training.measure.charts import new_figure, plot_rates, save
from training.measure.rates import Rate
from training.measure.repeats import Repeated
from training.measure.served_tools import add_options, load_tools

FIT_SEED, TEST_SEED = 1, 2
SOURCES: Final = ("balanced", "fast", "restore")
"""How the first picture is read."""
_RESTORED: Final = 4  # one of so many pictures is restored, too
_MAX_CODES: Final = 64
_KINDS: Final = {False: "QR", True: "Micro QR, rMQR"}  # by whether they are small
_EDGES: Final = np.array([0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1])
# In cross-validation the logarithmic loss is, for QR codes, 0.1703 with a ridge of 0.1, 0.1682 with 0.01 and 0.1681
# with 0.003; for small codes, which agree with their function patterns by 0.85 to 1, 0.231 with 0.1 and 0.215 with
# 0.003.
_RIDGES: Final = {False: 0.01, True: 0.003}
_STEPS: Final = 30
_RESAMPLES: Final = 1000


@dataclass(frozen=True)
class Trial:
    """A code that reads in the first picture number ``index`` of a ``seed``; ``small``: Micro QR or rMQR.

    ``source``: how the picture was read. ``features``: see `app.pipeline.confidence`, None where nothing is said.
    ``right``: whether the payload is the code's. ``again``: whether the second picture reads.
    """

    seed: int
    index: int
    small: bool
    source: str
    rung: str
    features: tuple[float, ...] | None
    right: bool
    again: bool


def trials(ladder: Ladder, seed: int, index: int, *, small: bool = False) -> Iterator[Trial]:
    """The trials of one code."""
    code = Repeated.draw(seed, index, small=small)
    first = code.picture(0)
    read: dict[str, Callable[[], Outcome]] = {
        "balanced": lambda: ladder.run(first, effort=Effort.BALANCED),
        "fast": lambda: ladder.run(first, effort=Effort.FAST),
    }
    if index % _RESTORED == 0 and not small:
        read["restore"] = lambda: ladder.restore(first).outcome
    found = [(source, one) for source, do in read.items() for one in do().codes]
    if not found:
        return
    second = ladder.run(code.picture(1), effort=Effort.BALANCED)
    again = any(one.symbol.payload == code.payload for one in second.codes)
    for source, one in found:
        right = one.symbol.payload == code.payload
        yield Trial(seed, index, small, source, one.rung, features(one), right, again)


def fit(
    features: NDArray[np.float64], again: NDArray[np.float64], *, ridge: float = _RIDGES[False]
) -> NDArray[np.float64]:
    """Weights (F,) of features (N, F) whose logistic function says how often ``again`` (N,) is 1: the most likely ones
    under a weak ``ridge``, by Newton's method."""
    weights = np.zeros(features.shape[1])
    for _ in range(_STEPS):
        said = _logistic(features @ weights)
        curvature = (features.T * (said * (1 - said))) @ features + ridge * np.eye(len(weights))
        weights += np.linalg.solve(curvature, features.T @ (again - said) - ridge * weights)
    return weights


Weights = Mapping[bool, NDArray[np.float64]]
"""Weights of features, of small symbols and of the others."""


def shipped_weights() -> Weights:
    """Those of the service."""
    return {small: np.array(chances.weights) for small, chances in ((False, LARGE), (True, SMALL))}


def _logistic(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)


@dataclass(frozen=True)
class Calibration:
    """What was said of codes, (N,) from 0 to 1, and whether they read again, (N,)."""

    said: NDArray[np.float64]
    again: NDArray[np.bool_]

    @classmethod
    def of(cls, chosen: Sequence[Trial], weights: Weights) -> Self:
        """Of trials that have features."""
        logits = np.array([float(np.dot(weights[trial.small], trial.features or ())) for trial in chosen])
        return cls(_logistic(logits), np.array([trial.again for trial in chosen], dtype=np.bool_))

    @property
    def rate(self) -> Rate:
        """How many read again."""
        return Rate(int(self.again.sum()), len(self.again))

    @property
    def error(self) -> float:
        """The expected calibration error, 0 to 1: the mean difference, over bins of what was said, between that and how
        often it came true, weighted by codes."""
        at = np.digitize(self.said, _EDGES[1:-1])
        return float(np.abs(np.bincount(at, weights=self.said - self.again)).sum() / len(self.said))

    def interval(self, rng: np.random.Generator) -> tuple[float, float]:
        """The 95 % interval of the error, by resampling codes."""
        draws = rng.integers(len(self.said), size=(_RESAMPLES, len(self.said)))
        low, high = np.quantile([Calibration(self.said[at], self.again[at]).error for at in draws], (0.025, 0.975))
        return float(low), float(high)

    def by_chance(self, rng: np.random.Generator) -> float:
        """The mean error if everything that is said were exactly true."""
        draws = rng.random((_RESAMPLES, len(self.said))) < self.said
        return float(np.mean([Calibration(self.said, again).error for again in draws]))

    def bins(self) -> Iterator[tuple[float, Rate]]:
        """Mean of what was said, and how many read again, of every bin that is not empty, the lowest first."""
        at = np.digitize(self.said, _EDGES[1:-1])
        for number in np.unique(at):
            inside = at == number
            yield float(self.said[inside].mean()), Rate(int(self.again[inside].sum()), int(inside.sum()))


def rows(measured: Sequence[Trial], weights: Weights) -> Iterator[str]:
    """The lines of a table for each kind of symbols: each source, rungs at balanced effort, bins of what was said."""
    for small, name in _KINDS.items():
        if chosen := [trial for trial in measured if trial.small is small]:
            yield name
            yield from _table(chosen, weights)


def _table(measured: Sequence[Trial], weights: Weights) -> Iterator[str]:
    told = [trial for trial in measured if trial.right and trial.features is not None]
    balanced = _balanced(told)
    yield f"{'read by':20s} {'codes':>6s}  {'again %':>14s} {'said %':>7s} {'error':>6s}  {'95 %':>11s} by chance"
    for source in SOURCES:
        yield from _row(source, [trial for trial in told if trial.source == source], weights)
    for rung in sorted({trial.rung for trial in balanced}):
        yield from _row(f"  {rung}", [trial for trial in balanced if trial.rung == rung], weights)
    yield ""
    yield f"{'said %':>7s} {'codes':>6s}  {'again %':>14s}"
    if balanced:
        for said, rate in Calibration.of(balanced, weights).bins():
            yield f"{100 * said:7.1f} {rate.n:6d}  {rate!s:>14s}"
    left_out = [trial for trial in measured if trial.right and trial.features is None]
    wrong = sum(not trial.right for trial in measured)
    yield f"{len(left_out)} reads of which nothing is said; {wrong} with another payload"


def _balanced(measured: Sequence[Trial]) -> list[Trial]:
    """Trials that say something, of a first picture that was read at balanced effort."""
    return [one for one in measured if one.right and one.features and one.source == "balanced"]


def _row(name: str, chosen: Sequence[Trial], weights: Weights) -> Iterator[str]:
    if chosen:
        rng = np.random.default_rng(0)
        found = Calibration.of(chosen, weights)
        low, high = (100 * bound for bound in found.interval(rng))
        yield (
            f"{name:20s} {found.rate.n:6d}  {found.rate!s:>14s} {100 * found.said.mean():7.1f} {100 * found.error:6.2f}"
            f"  {low:5.2f}-{high:5.2f} {100 * found.by_chance(rng):9.2f}"
        )


def diagram(measured: Sequence[Trial], weights: Weights) -> Figure:
    """The reliability diagram, of each kind of symbols that was read."""
    figure, (panel,) = new_figure(1, width=4.6, height=4.2)
    panel.plot([0, 100], [0, 100], color="0.6", linestyle="--", linewidth=1)
    for small, name in _KINDS.items():
        if chosen := [trial for trial in measured if trial.small is small]:
            said, rates = zip(*Calibration.of(chosen, weights).bins(), strict=True)
            style = {"marker": "s" if small else "o", "linestyle": "none", "capsize": 3}
            plot_rates(panel, [100 * one for one in said], rates, label=name, **style)
    panel.legend(loc="lower right")
    panel.set_xlabel("confidence, in %")
    panel.set_ylabel("second pictures that read, in %")
    panel.set_xlim(45, 101)
    panel.set_ylim(0, 101)
    return figure


def load(path: Path) -> list[Trial]:
    """The trials in a file of JSON lines."""
    found = (Trial(**json.loads(line)) for line in path.read_text().splitlines())
    return [replace(trial, features=trial.features and tuple(trial.features)) for trial in found]


def _measure(options: argparse.Namespace) -> list[Trial]:
    ladder = Ladder(tools=load_tools(options), max_codes=_MAX_CODES)
    seed = FIT_SEED if options.fit else TEST_SEED
    wanted = [(index, False) for index in range(options.count)] + [(index, True) for index in range(options.small)]
    return [trial for index, small in wanted for trial in trials(ladder, seed, index, small=small)]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.confidence", description="Measure whether confidence means what it says."
    )
    parser.add_argument("--count", type=int, default=1000, help="codes (default: 1000)")
    parser.add_argument("--small", type=int, default=0, help="Micro QR and rMQR codes (default: 0)")
    parser.add_argument("--fit", action="store_true", help="fit the weights, on codes of another seed, and print them")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the trials there, as JSON lines")
    parser.add_argument("--read", type=Path, metavar="FILE", help="take the trials from there; read no pictures")
    parser.add_argument("--chart", type=Path, metavar="PNG", help="draw the reliability diagram there")
    add_options(parser)
    options = parser.parse_args(argv)
    measured = load(options.read) if options.read else _measure(options)
    if options.write:
        options.write.write_text("".join(f"{json.dumps(asdict(trial))}\n" for trial in measured))
    balanced, weights = _balanced(measured), dict(shipped_weights())
    if options.fit:
        for small, name in _KINDS.items():
            if chosen := [trial for trial in balanced if trial.small is small]:
                features = np.array([trial.features for trial in chosen])
                again = np.array([trial.again for trial in chosen], dtype=np.float64)
                weights[small] = fit(features, again, ridge=_RIDGES[small])
                print(f"weights, {name}:", ", ".join(f"{weight:.3f}" for weight in weights[small]))
    print(*rows(measured, weights), sep="\n")
    if options.chart and balanced:
        save(diagram(balanced, weights), options.chart)


if __name__ == "__main__":
    main()
