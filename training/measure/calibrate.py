"""Chooses the routing threshold on validation samples along the served path: python -m training.measure.calibrate.

The routing unit sends a region whose Laplacian variance s exceeds T to the light network, and then to the heavy one if
the output does not decode; any other region goes to the heavy network directly. Every region that the heavy network
reads is read whatever T is, so T affects only the time:

    T* = argmin_T  sum_i  [s_i > T] (t_light + [light fails on i] t_heavy) + [s_i <= T] t_heavy

with the mean times of both networks, which are measured here. T* is stored in the light network's checkpoint.
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
from app.pipeline.rungs import read_direct
from app.pipeline.tools import Tools
from training.measure.rates import Rate
from training.measure.served_tools import add_options, load_tools
from training.measure.sets import VALIDATION, samples
from training.measure.surveying import survey_places

_SETS = ("qrdata", "scene", "noise64", "lr32")


@dataclass(frozen=True)
class RoutingTrial:
    """Both networks on one region, for the routing threshold: whether the output of each decodes, and the seconds it
    took.

    ``score``: the region's Laplacian variance.
    """

    score: float
    light_reads: bool
    heavy_reads: bool
    light_seconds: float
    heavy_seconds: float


def expected_seconds(trials: Sequence[RoutingTrial], threshold: float) -> float:
    """Mean seconds per region when the routing ``threshold`` routes."""
    light = float(np.mean([trial.light_seconds for trial in trials]))
    heavy = float(np.mean([trial.heavy_seconds for trial in trials]))
    costs = [heavy if trial.score <= threshold else light + (0.0 if trial.light_reads else heavy) for trial in trials]
    return float(np.mean(costs))


def best_threshold(trials: Sequence[RoutingTrial]) -> float:
    """The routing threshold with the least expected time; between two neighbouring scores it is their geometric
    mean."""
    scores = sorted(trial.score for trial in trials)
    middles = [float(np.sqrt(low * high)) for low, high in itertools.pairwise(scores)]
    return min([scores[0] * 0.5, *middles, scores[-1] * 2], key=lambda threshold: expected_seconds(trials, threshold))


def _try_both(region: Region, truth: bytes, tools: Tools) -> RoutingTrial:
    def run(restorer: Restorer) -> tuple[bool, float]:
        began = perf_counter()
        symbols = region.read(restorer.restore([region.crop])[0], tools.engines, restored=True)
        return any(symbol.payload == truth for symbol in symbols), perf_counter() - began

    light_reads, light_seconds = run(tools.restorers[tools.light])
    heavy_reads, heavy_seconds = run(tools.restorers[tools.heavy])
    return RoutingTrial(laplacian_variance(region.crop), light_reads, heavy_reads, light_seconds, heavy_seconds)


def run_trials(tools: Tools, *, count: int) -> list[RoutingTrial]:
    """Trials for the routing threshold, of the best region of each of ``count`` samples of the sets with codes that the
    engines miss."""
    trials = []
    for name in _SETS:
        for sample in samples(name, start=VALIDATION, count=count):
            region = _best_region(Climb(sample.image, Effort.BALANCED, tools))
            trials += [_try_both(region, sample.symbol.payload, tools)] if region else []
    return trials


def _best_region(climb: Climb) -> Region | None:
    """The most credible region of the first survey that finds one."""
    _, sighted = read_direct(climb)
    places = (place for new in survey_places(climb, sighted) for place in new)
    return next((region for place in places for region in place.regions), None)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.calibrate", description="Choose the routing threshold."
    )
    parser.add_argument("--count", type=int, default=100, help="validation samples per set (default: 100)")
    add_options(parser)
    arguments = parser.parse_args(argv)
    tools = load_tools(arguments)
    trials = run_trials(tools, count=arguments.count)
    threshold = best_threshold(trials)
    light, heavy = sum(trial.light_reads for trial in trials), sum(trial.heavy_reads for trial in trials)
    either = sum(trial.light_reads or trial.heavy_reads for trial in trials)
    n = len(trials)
    print(f"{n} regions; light reads {Rate(light, n)}, heavy {Rate(heavy, n)}, either {either}")
    means = [1000 * expected_seconds(trials, each) for each in (threshold, float("inf"), -1.0)]
    print(f"threshold {threshold:.1f}: {means[0]:.1f} ms per region;", end=" ")
    print(f"heavy alone {means[1]:.1f}, always light first {means[2]:.1f}")
    path = arguments.weights / f"{arguments.light}{SUFFIX}"
    calibrated = checkpoint.add_measured(checkpoint.load(path), {THRESHOLD_KEY: threshold, "calibration_regions": n})
    checkpoint.save(calibrated, path, half=True)


if __name__ == "__main__":
    main()
