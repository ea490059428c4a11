"""Measures what soft decoding gains over hard decisions: python -m training.measure.soft_gain.

Symbols of random bytes in byte mode fill 40 to 95 % of their capacity, the rest is padding. A channel adds independent
gaussian noise to every module, function patterns and format information included, so that a given share of hard
decisions is wrong; the decoder gets the true log-odds. Prints, for each stage, the share of wrong modules at which half
of the symbols decode, beside the results of simulated bounded-distance decoders (Reed-Solomon; generalised minimum
distance; with Chase's flips of weak bits; with known padding).
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from matplotlib.figure import Figure
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.attempt import STAGES
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import LEVELS, Bits
from app.pipeline.qrcode.soft import decode_soft
from training.data.symbols import random_message_symbol
from training.measure.charts import add_legend, new_figure, save

SYMBOLS = ("2-L", "2-M", "3-L", "4-M", "4-Q", "5-H")
SHARES = (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20)
"""Percentages of wrong modules."""

_BOUNDED_DISTANCE = {
    "2-L": (1.4, 1.5, 2.3, 3.0),
    "2-M": (2.7, 3.0, 3.6, 4.6),
    "3-L": (1.4, 1.6, 2.0, 2.6),
    "4-M": (2.2, 2.5, 3.0, 3.9),
    "4-Q": (3.3, 3.9, 4.3, 5.3),
    "5-H": (3.9, 5.0, 5.4, 6.2),
}
_TITLES = ("hard RS", "+ erasures", "+ ordered statistics", "+ known padding")
COLOURS = ("tab:gray", "tab:orange", "tab:blue", "tab:green")


def gaussian_channel(rng: Generator, modules: Bits, wrong: float) -> LogOdds:
    """The true log-odds of modules after gaussian noise that inverts a share ``wrong``, in (0, 0.5), of them."""
    amplitude = -NormalDist().inv_cdf(wrong)
    seen = np.where(modules, amplitude, -amplitude) + rng.standard_normal(modules.shape)
    return (2 * amplitude * seen).astype(np.float32)


@dataclass(frozen=True)
class Curve:
    """Soft decoding's rates on one symbol in [0, 1], (stages, shares), and its number of wrong reads."""

    symbol: str
    rates: NDArray[np.float64]
    wrong: int

    def half(self, stage: int) -> float:
        """The percentage of wrong modules at which half decode; NaN if the curve stays above one half."""
        return half_rate_crossing(SHARES, self.rates[stage])


def half_rate_crossing(shares: Sequence[float], rates: NDArray[np.float64]) -> float:
    """The share of wrong modules at which a curve's rates first drop below one half, interpolated; at share 0 the rate
    is 1."""
    below = np.flatnonzero(rates < 0.5)
    if not len(below):
        return float("nan")
    i = int(below[0])
    left, above = (shares[i - 1], float(rates[i - 1])) if i else (0.0, 1.0)
    return left + (shares[i] - left) * (above - 0.5) / (above - float(rates[i]))


def measure_curve(symbol: str, count: int, *, seed: int = 1) -> Curve:
    """Softly decodes ``count`` symbols of a version and level such as "4-M" at every share.

    A stage's rate includes what cheaper stages read.
    """
    version, level = int(symbol[:-2]), symbol[-1]
    hits, wrong = np.zeros((len(STAGES), len(SHARES))), 0
    for i in range(count):
        for column, share in enumerate(SHARES):
            rng = np.random.default_rng((seed, version, LEVELS.index(level), i))
            modules = random_message_symbol(rng, version, level)
            read = decode_soft(gaussian_channel(rng, modules, share / 100), version)
            if read is None:
                continue
            if np.array_equal(read.modules, modules):
                hits[STAGES.index(read.method) :, column] += 1
            else:
                wrong += 1
    return Curve(symbol, hits / count, wrong)


def table(curves: Sequence[Curve]) -> str:
    """Markdown: percentages of wrong modules at which half decode softly, and those of bounded-distance decoders."""
    rows = [f"| symbol | {' | '.join(_TITLES)} | wrong reads | bounded distance |", "|---" * (len(_TITLES) + 3) + "|"]
    for curve in curves:
        halves = " | ".join(f"{curve.half(stage):.1f}" for stage in range(len(STAGES)))
        known = " / ".join(f"{value:.1f}" for value in _BOUNDED_DISTANCE.get(curve.symbol, ())) or "-"
        rows.append(f"| {curve.symbol} | {halves} | {curve.wrong} | {known} |")
    return "\n".join(rows)


def draw_curves(curves: Sequence[Curve]) -> Figure:
    """Decode rates in % against the percentage of wrong modules: a panel per symbol, a line per stage."""
    figure, panels = new_figure(len(curves))
    for panel, curve in zip(panels, curves, strict=True):
        for title, rates, colour in zip(_TITLES, curve.rates, COLOURS, strict=True):
            panel.plot([0, *SHARES], [100, *(100 * rates)], color=colour, label=title)
        panel.set(title=f"{curve.symbol}: % read", xlabel="% of modules wrong", xlim=(0, SHARES[-1]), ylim=(0, 104))
    add_legend(figure, panels[0])
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.soft_gain", description="Measure what soft decoding gains."
    )
    parser.add_argument("--versions", type=int, nargs="+", help="with --levels: every version at every level")
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=["M"])
    parser.add_argument("--count", type=int, default=100, help="symbols at each share of wrong modules (default: 100)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--picture", type=Path, help="plot the curves to this PNG file")
    arguments = parser.parse_args(argv)
    wanted = [f"{version}-{level}" for version in arguments.versions or () for level in arguments.levels]
    curves = [measure_curve(symbol, arguments.count) for symbol in wanted or SYMBOLS]
    print(f"n = {arguments.count} per point; % of modules wrong at which half of the symbols decode\n")
    print(table(curves))
    if arguments.json:
        figures = {
            curve.symbol: {
                "shares": SHARES,
                "wrong": curve.wrong,
                "rates": dict(zip(STAGES, curve.rates.tolist(), strict=True)),
                "half": {stage: curve.half(i) for i, stage in enumerate(STAGES)},
            }
            for curve in curves
        }
        arguments.json.write_text(json.dumps(figures, indent=1))
    if arguments.picture:
        save(draw_curves(curves), arguments.picture)


if __name__ == "__main__":
    main()
