"""Measures whether a module reader's log-odds mean what they say: python -m training.measure.reliability.

Reads synthetic crops with known modules, a kind at a time, at corners as imprecise as in training, and compares how
often the reader is wrong with how often its log-odds say that it is: a calibrated reader says the truth at every
strength. Prints, per kind: wrong modules and what the log-odds say (%); the expected calibration error (the mean
difference of the two over bins of strength, weighted by modules, in points); the same for sure modules, by strength;
and, for modules of which nothing shows, the mean strength and the share that are still sure (beyond `SURE`). Function
patterns do not count.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from app.models import checkpoint
from app.models.checkpoint import SUFFIX
from training.data.crops import ReadingSample, draw_reading_version, reading_sample
from training.data.hard_readings import HardKinds, hard_reading_sample
from training.data.occluders import OCCLUDERS
from training.measure.served_tools import set_threads

Draw = Callable[[Generator, int], ReadingSample]
"""Makes a crop of a version."""
_WINDOW = 41  # modules, as in training
_EDGES: Final = np.array([0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, np.inf])
"""Strengths of log-odds between bins."""
SURE = 3.0
"""Strength of log-odds from which a module is told for sure: wrong in less than 4.7 %."""
_SURER = 6.0
_HIGHEST_VERSION = 10


def _hard(kinds: HardKinds) -> Draw:
    return partial(hard_reading_sample, window=_WINDOW, kinds=kinds)


KINDS: Final[dict[str, Draw]] = {
    "plain": partial(reading_sample, window=_WINDOW),
    **{name: _hard(HardKinds(hidden=True, occluder=name)) for name in OCCLUDERS},
    "cut off": _hard(HardKinds(cut=True)),
    "bare page": _hard(HardKinds(bare=True)),
    "styled": _hard(HardKinds(styled=True)),
    "creased": _hard(HardKinds(creased=True)),
    "faint": _hard(HardKinds(faint=True)),
}
"""The kinds of crops, by name; "plain" ones are those of `training.data.crops`."""


@dataclass(frozen=True)
class Reliability:
    """What a reader says of modules of one kind, and what is true, by bins of strength, (B,) each.

    ``count``: modules; ``wrong``: those on the wrong side of 0; ``said``: how many the log-odds expect to be wrong.
    ``hidden`` has the strengths, (H,), of modules of which nothing shows.
    """

    count: NDArray[np.int64]
    wrong: NDArray[np.int64]
    said: NDArray[np.float64]
    hidden: NDArray[np.float32]

    @classmethod
    def of(cls, log_odds: NDArray[np.float32], dark: NDArray[np.bool_], hidden: NDArray[np.bool_]) -> Self:
        """Of modules, (N,) each."""
        strength = np.abs(log_odds)
        at = np.digitize(strength, _EDGES[1:-1])
        bins = _EDGES.size - 1
        wrong = (log_odds > 0) != dark
        said = 1 / (1 + np.exp(strength.astype(np.float64)))
        return cls(
            np.bincount(at, minlength=bins),
            np.bincount(at[wrong], minlength=bins),
            np.bincount(at, weights=said, minlength=bins).astype(np.float64),
            strength[hidden],
        )

    @property
    def calibration_error(self) -> float:
        """The expected calibration error, 0 to 1."""
        return float(np.abs(self.wrong - self.said).sum() / self.count.sum())

    def rates(self, least: float = 0.0) -> tuple[float, float]:
        """The share of wrong modules of at least this strength, an edge of a bin, and the share that was said; NaN if
        there is none."""
        above = _EDGES[:-1] >= least
        count = self.count[above].sum()
        if not count:
            return float("nan"), float("nan")
        return float(self.wrong[above].sum() / count), float(self.said[above].sum() / count)


def measure(network: torch.nn.Module, draw: Draw, count: int, *, seed: int = 0) -> Reliability:
    """Reads ``count`` crops of versions 1 to 10, small ones more often."""
    parts: list[tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]] = []
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        sample = draw(rng, min(draw_reading_version(rng), _HIGHEST_VERSION))
        crop, planes = (torch.tensor(part) for part in (sample.crop[None, None], sample.planes[None]))
        with torch.inference_mode():
            log_odds = network(crop, planes)[0, 0].numpy()
        free = sample.planes[0] == 0
        hidden = np.zeros_like(sample.dark) if sample.hidden is None else sample.hidden
        parts.append((log_odds[free], sample.dark[free], hidden[free]))
    log_odds, dark, hidden = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Reliability.of(log_odds, dark, hidden)


def header() -> str:
    """The head of the table of `row`."""
    return (
        f"{'kind':15s} {'modules':>8s} {'wrong':>6s} {'said':>6s} {'error':>6s}  {'sure: wrong':>11s} {'said':>6s}"
        f"  {'surer: wrong':>12s} {'said':>7s}  {'hidden':>7s} {'strength':>8s} {'sure %':>6s}"
    )


def row(name: str, found: Reliability) -> str:
    """A line of the table; shares in percent."""
    all_, sure, surer = ([100 * rate for rate in found.rates(least)] for least in (0.0, SURE, _SURER))
    hidden = found.hidden
    mean, still = (float(hidden.mean()), 100 * float((hidden > SURE).mean())) if hidden.size else (np.nan, np.nan)
    return (
        f"{name:15s} {found.count.sum():8d} {all_[0]:6.2f} {all_[1]:6.2f} {100 * found.calibration_error:6.2f}"
        f"  {sure[0]:11.2f} {sure[1]:6.2f}  {surer[0]:12.3f} {surer[1]:7.3f}  {hidden.size:7d} {mean:8.2f} {still:6.1f}"
    )


def bins(found: Reliability) -> Iterator[str]:
    """Lines of a reliability diagram: strengths, modules, wrong and said in percent."""
    for low, high, count, wrong, said in zip(_EDGES, _EDGES[1:], found.count, found.wrong, found.said, strict=False):
        if count:
            yield f"    {low:5.2f} to {high:5.2f} {count:8d} {100 * wrong / count:7.3f} {100 * said / count:7.3f}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.reliability", description="Measure whether log-odds mean what they say."
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"any of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of checkpoints")
    parser.add_argument("--reader", default="module-reader", help="module reader (default: module-reader)")
    parser.add_argument("--count", type=int, default=100, help="crops per kind (default: 100)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    parser.add_argument("--bins", action="store_true", help="also print each kind by strength")
    options = parser.parse_args(argv)
    if unknown := [name for name in options.kinds if name not in KINDS]:
        parser.error(f"no kind is named {', '.join(unknown)}; there are {', '.join(KINDS)}")
    set_threads(options.threads)
    network = checkpoint.load(options.weights / f"{options.reader}{SUFFIX}").network.eval()
    print(header())
    for name in options.kinds or KINDS:
        found = measure(network, KINDS[name], options.count)
        print(row(name, found), flush=True)
        if options.bins:
            print(*bins(found), sep="\n", flush=True)


if __name__ == "__main__":
    main()
