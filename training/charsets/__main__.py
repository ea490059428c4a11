"""Writes the tables of characters that follow each other: python -m training.charsets --packages FOLDER.

The folder is what `pip install --target FOLDER --no-deps` makes of the packages that ``--list`` names.
"""

import argparse
from pathlib import Path

import numpy as np

from training.charsets.tables import count, make_tables
from training.charsets.texts import HALF_WIDTH, LANGUAGES, PACKAGES, weighted_texts

WESTERN, CENTRAL, CYRILLIC = ("cp1252",), ("cp1250", "iso8859-2"), ("cp1251", "iso8859-5")
CODECS = {
    **dict.fromkeys(("en", "de", "fr", "it", "nl", "sv", "da", "fi", "is", "es", "pt", "nb"), WESTERN),
    **dict.fromkeys(("pl", "cs", "sk", "hu", "sl", "ro", "hr"), CENTRAL),
    **dict.fromkeys(("ru", "uk", "bg", "sr"), CYRILLIC),
    "el": ("iso8859-7",),
    "ja": ("cp932",),
    "ko": ("cp949",),
    "zh_Hans": ("gb18030",),
    "zh_Hant": ("big5hkscs",),
}
SETS = {"ja": "cp932", "zh_Hans": "gb18030", "zh_Hant": "big5hkscs", "ko": "cp949"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print what to install, and end")
    parser.add_argument("--packages", type=Path, help="the folder where it is installed")
    parser.add_argument("--out", type=Path, default=Path("app/pipeline/payload/plausibility.npz"))
    options = parser.parse_args()
    if options.list or not options.packages:
        print("\n".join(PACKAGES))
        return
    counts = {name: count(weighted_texts(name, options.packages), HALF_WIDTH) for name in LANGUAGES}
    np.savez_compressed(options.out, **make_tables(counts, SETS, CODECS))
    print(f"{options.out}: {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
