"""Writes the tables of characters that follow each other: python -m training.charsets --packages FOLDER.

FOLDER is what `pip install --target FOLDER --no-deps` makes of the packages that this command names without options.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from training.charsets.tables import count, make_tables
from training.charsets.texts import HALF_WIDTH, LANGUAGES, PACKAGES, weighted_texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="the folder where they are installed")
    parser.add_argument("--out", type=Path, default=Path("app/pipeline/payload/plausibility.npz"))
    options = parser.parse_args()
    if options.packages is None:
        print("\n".join(PACKAGES))
        return
    counts = {name: count(weighted_texts(name, options.packages), HALF_WIDTH) for name in LANGUAGES}
    tables: dict[str, Any] = make_tables(counts, {name: one.codecs for name, one in LANGUAGES.items()})
    np.savez_compressed(options.out, **tables)
    print(f"{options.out}: {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
