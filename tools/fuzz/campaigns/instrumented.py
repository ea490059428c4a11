"""The process in which atheris runs: `python -m tools.fuzz.campaigns.instrumented TARGET UNTIL -- FLAGS`.

It imports nothing of the target before atheris instruments imports: only what is imported later guides the fuzzing.
"""

import argparse
import sys
import time
from collections.abc import Sequence

import atheris

from tools.fuzz.targets import INSTRUMENTED, load


def main(argv: Sequence[str] | None = None) -> None:
    """Fuzzes a target until a time of the monotonic clock, imports included. Never returns: atheris exits."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("until", type=float)
    parser.add_argument("flags", nargs="*")
    options = parser.parse_args(argv)
    with atheris.instrument_imports(include=list(INSTRUMENTED), enable_loader_override=False):
        run = load(options.target)
    seconds = max(1, round(options.until - time.monotonic()))
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", *options.flags], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
