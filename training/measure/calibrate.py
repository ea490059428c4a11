"""Chooses the routing threshold on validation samples along the served path: python -m training.measure.calibrate.

The routing unit sends a region whose Laplacian variance s is above T to the light network, and on to the heavy one if
its output does not decode; any other region goes to the heavy one at once. Whatever T is, every region that the heavy
network reads is read, so T decides only about time:

    T* = argmin_T  sum_i  [s_i > T] (t_light + [light fails on i] t_heavy) + [s_i <= T] t_heavy

with the mean times of both networks measured here. T* is stored in the light network's checkpoint.
"""

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from app.models import checkpoint
from app.models.checkpoint import SUFFIX
from app.pipeline.climb import Climb
from app.pipeline.inference.restorer import Restorer
from app.pipeline.inference.severity import THRESHOLD_KEY, laplacian_variance
from app.pipeline.locating.regions import Region
from app.pipeline.results import Effort
from app.pipeline.tools import Tools
from training.measure.quality import Rate
from training.measure.served import add_options, load_tools
from training.measure.sets import VALIDATION, samples

_SETS = ("qrdata", "scene", "noise64", "lr32")


@dataclass(frozen=True)
class Judged:
    """A validation region: its Laplacian variance, whether each network's output decodes, and the seconds each took."""

    score: float
    light_reads: bool
    heavy_reads: bool
    light_seconds: float
    heavy_seconds: float


def expected_seconds(judged: Sequence[Judged], threshold: float) -> float:
    """Mean seconds a region that routing by ``threshold`` costs."""
    light = float(np.mean([region.light_seconds for region in judged]))
    heavy = float(np.mean([region.heavy_seconds for region in judged]))
    costs = [
        heavy if region.score <= threshold else light + (0.0 if region.light_reads else heavy) for region in judged
    ]
    return float(np.mean(costs))


def best_threshold(judged: Sequence[Judged]) -> float:
    """The threshold of least expected time; between two neighbouring scores their geometric mean."""
    scores = sorted(region.score for region in judged)
    middles = [float(np.sqrt(low * high)) for low, high in itertools.pairwise(scores)]
    return min([scores[0] * 0.5, *middles, scores[-1] * 2], key=lambda threshold: expected_seconds(judged, threshold))


def _judge(region: Region, truth: bytes, tools: Tools) -> Judged:
    def run(restorer: Restorer) -> tuple[bool, float]:
        began = perf_counter()
        symbols = region.read(restorer.restore([region.crop])[0], tools.engines, restored=True)
        return any(symbol.payload == truth for symbol in symbols), perf_counter() - began

    light_reads, light_seconds = run(tools.restorers[tools.light])
    heavy_reads, heavy_seconds = run(tools.restorers[tools.heavy])
    return Judged(laplacian_variance(region.crop), light_reads, heavy_reads, light_seconds, heavy_seconds)


def judge_all(tools: Tools, *, count: int) -> list[Judged]:
    """The best region of each of ``count`` validation samples of every set that holds codes the engines miss."""
    judged = []
    for name in _SETS:
        for sample in samples(name, start=VALIDATION, count=count):
            region = next(Climb(sample.image, Effort.BALANCED, tools).regions(), None)
            judged += [_judge(region, sample.symbol.payload, tools)] if region else []
    return judged


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.calibrate", description="Choose the routing threshold."
    )
    parser.add_argument("--count", type=int, default=100, help="validation samples a set (default: 100)")
    add_options(parser)
    arguments = parser.parse_args(argv)
    tools = load_tools(arguments)
    judged = judge_all(tools, count=arguments.count)
    threshold = best_threshold(judged)
    light, heavy = sum(r.light_reads for r in judged), sum(r.heavy_reads for r in judged)
    either = sum(r.light_reads or r.heavy_reads for r in judged)
    print(
        f"regions {len(judged)}; light reads {Rate(light, len(judged))},"
        f" heavy {Rate(heavy, len(judged))}, either {either}"
    )
    print(f"threshold {threshold:.1f}: {1000 * expected_seconds(judged, threshold):.1f} ms a region;", end=" ")
    print(f"heavy alone {1000 * expected_seconds(judged, float('inf')):.1f}, light first always", end=" ")
    print(f"{1000 * expected_seconds(judged, -1.0):.1f}")
    path = arguments.weights / f"{arguments.light}{SUFFIX}"
    calibrated = checkpoint.with_measured(
        checkpoint.load(path), {THRESHOLD_KEY: threshold, "calibration_regions": len(judged)}
    )
    checkpoint.save(calibrated, path, half=True)


if __name__ == "__main__":
    main()
