"""Runs attacks and prints of each its number, name, figure, what is wanted, ok or FAIL. Exits 1 after a FAIL."""

import argparse
from collections.abc import Sequence

from tools.attack.figures import lines
from tools.attack.table import ATTACKS


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools.attack", description="Attack a service started for it.")
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help="default: all")
    all_ok = True
    numbers = parser.parse_args(argv).numbers or list(ATTACKS)
    if unknown := set(numbers) - set(ATTACKS):
        parser.error(f"no attack {min(unknown)}; there are {', '.join(map(str, ATTACKS))}")
    for number in numbers:
        for line, ok in lines(number, ATTACKS[number]()):
            print(line, flush=True)
            all_ok &= ok
    return 0 if all_ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
