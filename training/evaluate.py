"""Measures what reads what, on the synthetic sets, along the served path: python -m training.evaluate.

Prints one table: decode rate by all engines, and by ZBar alone where it can be asked alone, with 95 % intervals, wrong
payloads, PSNR and SSIM of the networks, and milliseconds an image; ``--json FILE`` keeps the same figures. A read
counts when the payload's bytes equal the truth.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from app.models import checkpoint
from app.models.checkpoint import SUFFIX
from app.pipeline.climbing import Climb, Effort, Tools
from app.pipeline.ladder import (
    MODULES,
    QUICK,
    Ladder,
    read_direct,
    read_flattened,
    read_modules,
    read_softly,
    read_upscaled,
)
from app.pipeline.reading import Engine, Symbol, ZBar
from app.pipeline.rectifying import PIXELS_PER_MODULE, rectify
from app.pipeline.regions import Region
from app.pipeline.restoring import Restorer
from app.pipeline.symbology import dimension, render
from training.quality import Rate, psnr, ssim
from training.served import add_options, load_tools
from training.sets import SETS, VALIDATION, Sample, samples

_ZBAR_ALONE = ZBar(longest_sides=(1 << 30,))  # at the picture's own size only
_ROUTING_SEED = 5


@dataclass
class Tally:
    """One method on one set; ``by_zbar`` is None for a method that chooses its engines itself."""

    n: int = 0
    by_zbar: int | None = None
    by_all: int = 0
    wrong: int = 0
    seconds: float = 0.0
    psnr: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)

    def count(self, truth: bytes, by_zbar: Sequence[Symbol] | None, by_all: Sequence[Symbol], seconds: float) -> None:
        self.n += 1
        if by_zbar is not None:
            self.by_zbar = (self.by_zbar or 0) + any(symbol.payload == truth for symbol in by_zbar)
        self.by_all += any(symbol.payload == truth for symbol in by_all)
        self.wrong += any(symbol.payload != truth for symbol in (*(by_zbar or ()), *by_all))
        self.seconds += seconds

    @property
    def milliseconds(self) -> float:
        """Mean of an image."""
        return 1000 * self.seconds / max(1, self.n)

    @property
    def rate_by_zbar(self) -> Rate | None:
        """None where ZBar was not asked alone."""
        return None if self.by_zbar is None else Rate(self.by_zbar, self.n)

    def figures(self) -> dict[str, object]:
        """JSON-ready: rates in [0, 1] with their intervals."""
        by_zbar, by_all = self.rate_by_zbar, Rate(self.by_all, self.n)
        return {
            "n": self.n,
            "zbar": by_zbar.value if by_zbar else None,
            "zbar_interval": by_zbar.interval if by_zbar else None,
            "all": by_all.value,
            "all_interval": by_all.interval,
            "wrong": self.wrong,
            "milliseconds": self.milliseconds,
            "psnr": float(np.mean(self.psnr)) if self.psnr else None,
            "ssim": float(np.mean(self.ssim)) if self.ssim else None,
        }

    def row(self, name: str) -> str:
        fidelity = f"{np.mean(self.psnr):6.2f} {np.mean(self.ssim):7.4f}" if self.psnr else f"{'':6s} {'':7s}"
        rates = f"{self.rate_by_zbar or '-'!s:>16s} {Rate(self.by_all, self.n)!s:>16s}"
        return f"{name:24s} {rates} {self.wrong:5d} {fidelity} {self.milliseconds:8.1f}"


def _first_read(
    regions: Iterable[Region], order: Callable[[Region], Iterable[Restorer]], engines: Sequence[Engine]
) -> list[Symbol]:
    """Regions in turn, each through its restorers in turn, until one reads."""
    for region in regions:
        for restorer in order(region):
            if symbols := region.read(restorer.restore([region.crop])[0], engines, restored=True):
                return symbols
    return []


class Evaluation:
    """Every method on one set. Locating is done once an image and its time added to each method that needs it."""

    def __init__(self, tools: Tools, *, seed: int = _ROUTING_SEED) -> None:
        self._tools = tools
        self._ladder = Ladder(tools=tools, max_codes=16)
        self._coin = np.random.default_rng(seed)
        self.tallies: dict[str, Tally] = {}

    def add(self, sample: Sample) -> None:
        """Runs every method on a sample."""
        tools, image = self._tools, sample.image
        light, heavy = tools.restorers[tools.light], tools.restorers[tools.heavy]
        self._engine(sample, "zbar", lambda: _ZBAR_ALONE.read(image))
        self._engine(sample, "zxing", lambda: tools.zxing.read(image))
        self._engine(sample, "direct rung", lambda: read_direct(Climb(image, Effort.FAST, tools)))

        climb = Climb(image, Effort.BALANCED, tools)
        began = perf_counter()
        regions = [region for index in range(len(climb.locators))[:QUICK] for region in climb.wave(index)]
        located = perf_counter() - began

        def routed(region: Region) -> Iterable[Restorer]:
            return (light, heavy) if climb.route_of(region).network == tools.light else (heavy,)

        heads = {region: bool(self._coin.random() < 0.5) for region in regions}

        def tossed(region: Region) -> Iterable[Restorer]:
            return (light,) if heads[region] else (heavy,)

        for name, order in (
            (tools.light, lambda _: (light,)),
            (tools.heavy, lambda _: (heavy,)),
            ("adnet", routed),
            ("random routing", tossed),
        ):
            self._network(sample, name, regions, located, order)
        self._engine(sample, tools.upscaler, lambda: read_upscaled(climb), located)
        self._cumulative(sample, climb, located)
        for restorer in (light, heavy):
            self._fidelity(sample, restorer)
        self._engine(
            sample, "whole ladder", lambda: [f.symbol for f in self._ladder.run(image, effort=Effort.BALANCED).codes]
        )

    def _tally(self, name: str) -> Tally:
        return self.tallies.setdefault(name, Tally())

    def _engine(self, sample: Sample, name: str, read: Callable[[], list[Symbol]], located: float = 0.0) -> None:
        began = perf_counter()
        symbols = read()
        seconds = located + perf_counter() - began
        self._tally(name).count(sample.symbol.payload, symbols if name == ZBar.name else None, symbols, seconds)

    def _cumulative(self, sample: Sample, climb: Climb, located: float) -> None:
        """The module reader, with soft decoding where it does not read, with flattening where neither does."""
        symbols: list[Symbol] = []
        seconds = located
        for name, rung in ((MODULES, read_modules), ("+ soft", read_softly), ("+ flattened", read_flattened)):
            began = perf_counter()
            symbols = symbols or rung(climb)
            seconds += perf_counter() - began
            self._tally(name).count(sample.symbol.payload, None, symbols, seconds)

    def _network(
        self,
        sample: Sample,
        name: str,
        regions: Sequence[Region],
        located: float,
        order: Callable[[Region], Iterable[Restorer]],
    ) -> None:
        began = perf_counter()
        by_all = _first_read(regions, order, self._tools.engines)
        seconds = located + perf_counter() - began
        by_zbar = _first_read(regions, order, (self._tools.zbar,))
        self._tally(name).count(sample.symbol.payload, by_zbar, by_all, seconds)

    def _fidelity(self, sample: Sample, restorer: Restorer) -> None:
        crop = rectify(sample.image, sample.corners, dimension(sample.symbol.version))
        clean = render(sample.symbol.modules, pixels=PIXELS_PER_MODULE)
        restored = restorer.restore([crop])[0]
        tally = self._tally(restorer.name)
        tally.psnr.append(psnr(restored, clean))
        tally.ssim.append(ssim(restored, clean))


def evaluate(tools: Tools, name: str, count: int) -> dict[str, Tally]:
    """Every method on the first ``count`` samples of a set."""
    evaluation = Evaluation(tools)
    for sample in samples(name, count=count):
        evaluation.add(sample)
    return evaluation.tallies


def _record(weights: Path, results: dict[str, dict[str, Tally]], rows: Mapping[str, str]) -> None:
    """Writes each network's own rates into its checkpoint's header; sets measured before and not now are kept.

    ``rows`` says which row is a network's where that is not called by its name.
    """
    for path in sorted(weights.glob(f"*{SUFFIX}")):
        card = checkpoint.load(path)
        row = rows.get(card.name, card.name)
        rates = {name: tallies[row].figures() for name, tallies in results.items() if row in tallies}
        if rates:
            before = card.measured.get("decode")
            known = before if isinstance(before, dict) else {}
            checkpoint.save(checkpoint.with_measured(card, {"decode": {**known, **rates}}), path, half=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description="Measure decode rates on synthetic sets."
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--count", type=int, default=VALIDATION, help=f"samples a set, at most {VALIDATION}")
    add_options(parser)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--record", action="store_true", help="write each network's rates into its checkpoint")
    arguments = parser.parse_args()
    tools = load_tools(arguments)
    results: dict[str, dict[str, Tally]] = {}
    count = min(arguments.count, VALIDATION)
    print(f"n = {count} a set, {arguments.threads} thread(s), routing threshold {tools.threshold:.1f}")
    print(f"{'set':9s}{'':24s} {'ZBar %':>16s} {'all engines %':>16s} wrong   PSNR    SSIM ms/image")
    for name in arguments.sets:
        results[name] = evaluate(tools, name, count)
        for method, tally in results[name].items():
            print(f"{name:9s}{tally.row(method)}", flush=True)
    if arguments.json:
        figures = {
            name: {method: tally.figures() for method, tally in tallies.items()} for name, tallies in results.items()
        }
        arguments.json.write_text(json.dumps(figures, indent=1))
    if arguments.record:
        _record(arguments.weights, results, {arguments.reader: MODULES, arguments.locator: MODULES})


if __name__ == "__main__":
    main()
