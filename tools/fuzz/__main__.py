"""`python -m tests.fuzz`: every campaign in turn, and what each found. Exit status 1 where something was.

The inputs of findings are kept in `tests/fuzz/corpus/`, a folder for each target. They are run again by the tests,
which fail until what they found is mended; delete a file there only if what it shows is no fault.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.support.live.servers import running
from tools.fuzz import guided, natively
from tools.fuzz.described import described
from tools.fuzz.findings import CORPUS, Budget, Tally
from tools.fuzz.wire import SETTINGS, wire

Campaign = Callable[[int, Budget], Tally]
SHARES = {
    "images": 0.30,
    "symbols": 0.08,
    "pictures": 0.14,
    "header": 0.06,
    "form": 0.06,
    "accept": 0.02,
    "message": 0.04,
    "text": 0.02,
    "wire": 0.18,
    "described": 0.10,
}
"""What part of the time each campaign gets."""
SERVED = {"wire": wire, "described": described}
NATIVE = {"images": natively.images, "symbols": natively.symbols, "pictures": natively.pictures}


def campaigns(names: Sequence[str]) -> Iterator[tuple[str, Campaign]]:
    """Each of these; those that ask a service share one, which lives until the last is over."""
    with ExitStack() as stack:
        server = None
        for name in names:
            if name in SERVED:
                server = server or stack.enter_context(running(**SETTINGS))
                yield name, partial(SERVED[name], server)
            else:
                yield name, NATIVE.get(name) or partial(guided.campaign, name)


def run(names: Sequence[str], *, seconds: float, seed: int, corpus: Path = CORPUS) -> int:
    """The number of findings, all of which are kept."""
    found, whole = 0, sum(SHARES[name] for name in names)
    for name, campaign in campaigns(names):
        tally = campaign(seed, Budget(seconds * SHARES[name] / whole))
        _say(*tally.lines(), *(f"  kept as {finding.keep(corpus)}" for finding in tally.findings))
        found += len(tally.findings) + len(tally.remarks)
    return found


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Mutates images, codes and requests.")
    parser.add_argument("--seconds", type=float, default=600.0, help="of all campaigns together (600)")
    parser.add_argument("--seed", type=int, default=1, help="equal seeds try the same inputs (1)")
    parser.add_argument("--only", nargs="+", choices=list(SHARES), default=list(SHARES), metavar="CAMPAIGN")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="where the inputs of findings are kept")
    chosen = parser.parse_args()
    found = run(chosen.only, seconds=chosen.seconds, seed=chosen.seed, corpus=chosen.corpus)
    _say(f"{found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
