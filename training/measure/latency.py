"""Times the reading of pictures that the first rungs do not read: python -m training.measure.latency.

Runs validation samples of the scene set, resampled to each size in megapixels. For those that the plain picture and its
variants do not give, the trace says how long locating, rectifying, reading and decoding took.
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
from training.measure.served_tools import add_options, load_tools
from training.measure.sets import VALIDATION, samples

_PLAIN = ("direct", "variants")


def time_reads(tools: Tools, megapixels: float, *, count: int) -> Iterator[Outcome]:
    """Times ``count`` pictures; yields the outcomes of those that a later rung than the plain ones read."""
    ladder = Ladder(tools=tools, max_codes=16)
    for sample in samples("scene", start=VALIDATION, count=count):
        outcome = ladder.run(_resampled(sample.image, megapixels), effort=Effort.BALANCED)
        if outcome.codes and outcome.codes[0].rung not in _PLAIN:
            yield outcome


def _resampled(image: GreyImage, megapixels: float) -> GreyImage:
    return np.ascontiguousarray(resize(image, (megapixels * 1e6 / image.size) ** 0.5))


def report_latency(results: Iterable[Outcome]) -> Iterator[str]:
    """Lines on latency: median and 95th percentile of the time after the plain stages, and each stage's median."""
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
        yield "the plain rungs read every picture"
        return
    yield f"{len(totals)} pictures: p50 {statistics.median(totals):.0f} ms, p95 {np.percentile(totals, 95):.0f} ms"
    for name, each in stages.items():
        yield f"  {name:10s} in {len(each):3d}: p50 {statistics.median(each):.0f} ms"


def peak_mebibytes() -> float:
    """The largest resident set of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.measure.latency", description="Time the reading of located codes."
    )
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1.0, 12.0], help="sizes (default: 1 and 12)")
    parser.add_argument("--count", type=int, default=60, help="pictures per size (default: 60)")
    add_options(parser)
    arguments = parser.parse_args(argv)
    tools = load_tools(arguments)
    for megapixels in arguments.megapixels:
        print(f"{megapixels:g} megapixels, {arguments.threads} thread(s)")
        for line in report_latency(time_reads(tools, megapixels, count=arguments.count)):
            print(line)
        print(f"  peak memory so far {peak_mebibytes():.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
