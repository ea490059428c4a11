"""`python -m tools.fuzz` runs every campaign in turn and says what each found. Exit status 1 where it found something.

Inputs of findings are kept in `tools/fuzz/corpus/`, in a folder for each target. The tests run them again, and fail
until the fault is mended; delete a file there only if it shows no fault.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.support.live.servers import running
from tools.fuzz.campaigns.native import documents, images, pictures, symbols, videos
from tools.fuzz.campaigns.openapi import openapi
from tools.fuzz.campaigns.parsers import parsers
from tools.fuzz.campaigns.raw_http import SETTINGS, raw_http
from tools.fuzz.findings import CORPUS, Budget, Tally

Campaign = Callable[[int, Budget], Tally]
SHARES = {
    "images": 0.16,
    "documents": 0.08,
    "videos": 0.04,
    "symbols": 0.08,
    "pictures": 0.14,
    "header": 0.06,
    "form": 0.06,
    "accept": 0.02,
    "base64": 0.02,
    "region": 0.01,
    "symbologies": 0.01,
    "message": 0.04,
    "text": 0.02,
    "raw-http": 0.16,
    "openapi": 0.10,
}
"""The share of the time that each campaign gets."""
SERVED = {"raw-http": raw_http, "openapi": openapi}
NATIVE = {
    "images": images,
    "documents": documents,
    "videos": videos,
    "symbols": symbols,
    "pictures": pictures,
}


def campaigns(names: Sequence[str]) -> Iterator[tuple[str, Campaign]]:
    """The named campaigns; those that need a service share one, which stops after the last."""
    with ExitStack() as stack:
        server = None
        for name in names:
            if name in SERVED:
                server = server or stack.enter_context(running(**SETTINGS))
                yield name, partial(SERVED[name], server)
            else:
                yield name, NATIVE.get(name) or partial(parsers, name)


def run(names: Sequence[str], *, seconds: float, seed: int, corpus: Path = CORPUS) -> int:
    """Runs the named campaigns for `seconds` in all, keeps the findings in `corpus` and returns their number."""
    found, whole = 0, sum(SHARES[name] for name in names)
    for name, campaign in campaigns(names):
        tally = campaign(seed, Budget(seconds * SHARES[name] / whole))
        _say(*tally.lines(), *(f"  kept as {finding.keep(corpus)}" for finding in tally.findings))
        found += len(tally.findings) + len(tally.remarks)
    return found


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description="Mutates images, codes and requests.")
    parser.add_argument("--seconds", type=float, default=600.0, help="time for all campaigns together (default 600)")
    parser.add_argument("--seed", type=int, default=1, help="equal seeds try the same inputs (default 1)")
    parser.add_argument("--only", nargs="+", choices=list(SHARES), default=list(SHARES), metavar="CAMPAIGN")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="where to keep the inputs of findings")
    options = parser.parse_args(argv)
    found = run(options.only, seconds=options.seconds, seed=options.seed, corpus=options.corpus)
    _say(f"{found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
