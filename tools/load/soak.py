"""`python -m tools.load.soak` sends many mixed requests and says whether memory stays level.

Exit status 1 if memory rises by more than `--limit` megabytes per 1,000 requests in the second half, in the server or
in all processes together, or if an answer was wrong or missing; 2 if nothing can be measured.
"""

import sys
from collections.abc import Mapping, Sequence

from tools.load.client import Target, closed_loop
from tools.load.load import arguments, say, service
from tools.load.measuring import Measurement, lines, measure
from tools.load.reckoning import level
from tools.load.traffic import drawn

KINDS: Mapping[str, int] = {"direct": 83, "blurred": 4, "codeless": 2, "garbage": 5, "truncated": 5, "restored": 1}
"""Fewer slow requests than in a load, so that there are many requests."""
LIMIT = 2.0


def soak(
    target: Target,
    kinds: Mapping[str, int],
    *,
    count: int,
    seconds: float,
    connections: int,
    seed: int = 1,
    every: float,
) -> Measurement:
    shots = drawn(kinds, seed)
    return measure(target, shots, closed_loop(count), connections=connections, seconds=seconds, every=every)


def verdict(measured: Measurement, *, count: int, limit: float) -> list[str]:
    """What is wrong, in sentences; empty if all is well."""
    complaints = []
    if measured.run.done < count:
        complaints.append(f"only {measured.run.done} of {count} requests were made in the time")
    if measured.wrong:
        complaints.append(f"{len(measured.wrong)} answers were wrong or missing")
    found = measured.slopes
    if found is None:
        complaints.append("memory was sampled too seldom for a slope")
    elif not level(found, limit):
        complaints.append(
            f"memory rises by {found.server:.2f} MB in the server and {found.both:.2f} MB in all"
            f" per 1,000 requests; {limit:g} is allowed"
        )
    return complaints


def main(argv: Sequence[str] | None = None) -> int:
    parser = arguments(__doc__.partition("\n")[0], count=10_000, seconds=7200.0)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two samples of memory (default 1)")
    parser.add_argument("--limit", type=float, default=LIMIT, help="megabytes per 1,000 requests (default 2)")
    options = parser.parse_args(argv)
    if options.url is not None and options.pid is None:
        parser.error("--url needs --pid, the process whose memory is sampled")
    try:
        with service(options.url, options.pid, options.weights) as target:
            measured = soak(
                target,
                options.kinds or KINDS,
                count=options.count,
                seconds=options.seconds,
                connections=options.connections,
                seed=options.seed,
                every=options.every,
            )
    except ValueError as exc:
        say(str(exc))
        return 2
    except ProcessLookupError:
        say("FAILED: the service's process is gone")
        return 1
    complaints = verdict(measured, count=options.count, limit=options.limit)
    say(*lines(measured), *(f"FAILED: {complaint}" for complaint in complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
