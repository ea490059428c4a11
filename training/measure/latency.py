"""Times what happens to a picture that no plain look reads: python -m training.measure.latency.

Validation samples of the scene set, resampled to each size in megapixels; those that the untouched picture and its
variants do not give away go on to be located, rectified, read and decoded, and the trace says how long that took.
"""

import argparse
import collections
import resource
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from app.pipeline.imaging import GreyImage, resize
from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort, Outcome
from app.pipeline.tools import Tools
from training.measure.served import add_options, load_tools
from training.measure.sets import VALIDATION, samples

_PLAIN = ("direct", "variants")


def outcomes(tools: Tools, megapixels: float, *, count: int) -> Iterator[Outcome]:
    """Outcomes of those of ``count`` pictures that a rung above the plain ones read."""
    ladder = Ladder(tools=tools, max_codes=16)
    for sample in samples("scene", start=VALIDATION, count=count):
        outcome = ladder.run(_resampled(sample.image, megapixels), effort=Effort.BALANCED)
        if outcome.codes and outcome.codes[0].rung not in _PLAIN:
            yield outcome


def _resampled(image: GreyImage, megapixels: float) -> GreyImage:
    return np.ascontiguousarray(resize(image, (megapixels * 1e6 / image.size) ** 0.5))


def report(results: Iterable[Outcome]) -> Iterator[str]:
    """Median and 95th percentile of the stages after the plain ones, in sum and one by one, in milliseconds."""
    totals: list[float] = []
    stages: dict[str, list[float]] = collections.defaultdict(list)
    for outcome in results:
        sums: dict[str, float] = collections.defaultdict(float)
        for stage in outcome.trace:
            if stage.stage not in _PLAIN:
                sums[stage.stage] += 1000 * stage.seconds
        totals.append(sum(sums.values()))
        for name, milliseconds in sums.items():
            stages[name].append(milliseconds)
    if not totals:
        yield "no picture came past the plain looks"
        return
    yield f"{len(totals)} pictures: p50 {statistics.median(totals):.0f} ms, p95 {np.percentile(totals, 95):.0f} ms"
    for name, each in stages.items():
        yield f"  {name:10s} in {len(each):3d}: p50 {statistics.median(each):.0f} ms"


def peak_mebibytes() -> float:
    """Most memory that this process ever held."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.latency", description="Time the reading of located codes."
    )
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1.0, 12.0])
    parser.add_argument("--count", type=int, default=60, help="pictures a size (default: 60)")
    add_options(parser)
    arguments = parser.parse_args(argv)
    tools = load_tools(arguments)
    for megapixels in arguments.megapixels:
        print(f"{megapixels:g} megapixels, {arguments.threads} thread(s)")
        for line in report(outcomes(tools, megapixels, count=arguments.count)):
            print(line)
        print(f"  peak memory so far {peak_mebibytes():.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
