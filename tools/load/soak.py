"""`python -m tools.load.soak`: many mixed requests, and whether memory stays level while they are answered.

Exit status 1 where memory rises by more than `--limit` megabytes per 1,000 requests in the second half, in the server
or altogether, or an answer was wrong or missing; 2 where it cannot be measured.
"""

import sys
from collections.abc import Mapping, Sequence

from tools.load.client import Target, closed_loop
from tools.load.load import arguments, say, service
from tools.load.measuring import Measurement, lines, measure
from tools.load.reckoning import level
from tools.load.traffic import drawn

KINDS: Mapping[str, int] = {"direct": 83, "blurred": 4, "codeless": 2, "garbage": 5, "truncated": 5, "restored": 1}
"""Less of what is slow than in a load, so that the requests become many."""
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
    """What is wrong, in sentences; empty where all is well."""
    complaints = []
    if measured.run.done < count:
        complaints.append(f"only {measured.run.done} of {count} requests were made in the time")
    if measured.wrong:
        complaints.append(f"{len(measured.wrong)} answers were wrong or missing")
    found = measured.slopes
    if found is None:
        complaints.append("memory was looked at too seldom for a slope")
    elif not level(found, limit):
        complaints.append(
            f"memory rises by {found.server:.2f} MB in the server and {found.both:.2f} MB altogether"
            f" per 1,000 requests; {limit:g} are allowed"
        )
    return complaints


def main(words: Sequence[str] | None = None) -> int:
    parser = arguments(__doc__.partition("\n")[0], count=10_000, seconds=7200.0)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two looks at memory (1)")
    parser.add_argument("--limit", type=float, default=LIMIT, help="megabytes per 1,000 requests (2)")
    chosen = parser.parse_args(words)
    if chosen.url is not None and chosen.pid is None:
        parser.error("--url needs --pid: without it nobody knows whose memory to look at")
    try:
        with service(chosen.url, chosen.pid, chosen.weights) as target:
            measured = soak(
                target,
                chosen.kinds or KINDS,
                count=chosen.count,
                seconds=chosen.seconds,
                connections=chosen.connections,
                seed=chosen.seed,
                every=chosen.every,
            )
    except ValueError as exc:
        say(str(exc))
        return 2
    except ProcessLookupError:
        say("FAILED: the service's process is gone")
        return 1
    complaints = verdict(measured, count=chosen.count, limit=chosen.limit)
    say(*lines(measured), *(f"FAILED: {complaint}" for complaint in complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
