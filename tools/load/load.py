"""`python -m tools.load.load` sends good and bad images to a service on this machine and says what bounds it.

Exit status 1 if an answer was wrong or missing, or the rate is below `--least`; 2 if nothing can be measured.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.live.servers import running
from tools.load import hostile, processes
from tools.load.client import Target, at, closed_loop, open_loop
from tools.load.measuring import Measurement, lines, measure
from tools.load.traffic import DIRECT, MIXED, drawn, hinted

WARM_UP = 8
"""Requests at the start of a run that do not count."""


@contextmanager
def service(url: str | None, pid: int | None, weights: Path | None) -> Iterator[Target]:
    """The service at `url`, or a new one. Raises ValueError for a host that is not this machine."""
    if url is not None:
        yield at(url, pid)
        return
    settings: dict[str, Any] = {} if weights is None else {"weights": weights}
    with running(**settings) as server:
        yield Target("127.0.0.1", server.port, server.pid)


def load(
    target: Target,
    kinds: Mapping[str, int],
    *,
    count: int,
    seconds: float,
    connections: int,
    rate: float | None = None,
    seed: int = 1,
    every: float = 0.25,
    expect: int | None = None,
) -> Measurement:
    """One run: in a closed loop, or at a rate. ``expect``: the number of codes that each request names, if any."""
    shots = drawn(kinds, seed) if expect is None else hinted(drawn(kinds, seed), expect)
    measure(target, shots, closed_loop(WARM_UP), connections=connections, seconds=seconds, every=seconds)
    due = closed_loop(count) if rate is None else open_loop(count, rate, seed)
    return measure(target, shots, due, connections=connections, seconds=seconds, every=every)


def arguments(description: str, *, count: int, seconds: float) -> argparse.ArgumentParser:
    """The arguments that load and soak share."""
    parser = argparse.ArgumentParser(description=description)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", help="a service on a loopback address, such as http://127.0.0.1:8000")
    where.add_argument("--start", action="store_true", help="start one (the default)")
    parser.add_argument("--pid", type=int, help="with --url: its process, to measure memory and processor time")
    parser.add_argument("--weights", type=Path, help="weights folder of the service that is started")
    parser.add_argument("--count", type=_positive, default=count, help=f"most requests (default {count})")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"longest time (default {seconds:g})")
    parser.add_argument("--connections", type=_positive, default=4, help="connections that are kept busy (default 4)")
    parser.add_argument("--seed", type=int, default=1, help="equal seeds send the same requests (default 1)")
    parser.add_argument("--kinds", type=_weights, help="weights of requests, KIND=WEIGHT,... of " + ", ".join(MIXED))
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def _weights(text: str) -> dict[str, int]:
    found = {}
    for part in text.split(","):
        kind, _, weight = part.partition("=")
        if kind not in MIXED:
            raise argparse.ArgumentTypeError(f"no kind {kind!r}; there are {', '.join(MIXED)}")
        found[kind] = _positive(weight or "1")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = arguments(__doc__.partition("\n")[0], count=2000, seconds=60.0)
    parser.add_argument("--direct", action="store_true", help="only photographs that stock decoders read")
    parser.add_argument("--expect", type=_positive, help="tell the service how many codes there are (?expect=)")
    parser.add_argument("--rate", type=float, help="requests a second at random times, without waiting for answers")
    parser.add_argument("--least", type=float, default=0.0, help="fail below so many right answers a second")
    told = "what honest clients see beside hostile ones, so many seconds each (default 15)"
    parser.add_argument("--hostile", type=float, nargs="?", const=15.0, metavar="SECONDS", help=told)
    options = parser.parse_args(argv)
    if options.hostile:
        for line in hostile.lines(options.hostile):
            say(line)
        return 0
    kinds = options.kinds or (DIRECT if options.direct else MIXED)
    connections = options.connections if options.rate is None else max(options.connections, 128)
    try:
        with service(options.url, options.pid, options.weights) as target:
            measured = load(
                target,
                kinds,
                count=options.count,
                seconds=options.seconds,
                connections=connections,
                rate=options.rate,
                seed=options.seed,
                expect=options.expect,
            )
    except ValueError as exc:
        say(str(exc))
        return 2
    except ProcessLookupError:
        say("FAILED: the service's process is gone")
        return 1
    say(*lines(measured))
    if measured.rate < options.least:
        say(f"FAILED: {measured.rate:.1f} right answers a second are fewer than {options.least:g}")
    return 1 if measured.wrong or not measured.run.done or measured.rate < options.least else 0


def say(*sentences: str) -> None:
    sys.stdout.write("".join(f"{sentence}\n" for sentence in sentences))
    sys.stdout.flush()


if __name__ == "__main__":
    if not processes.available():
        say("memory and processor time are read from /proc, which is not here")
        sys.exit(2)
    sys.exit(main())
