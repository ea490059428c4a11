"""The synthetic sets of many codes; each picture depends only on the set's name and its index."""

import zlib
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.random import Generator

from training.measure.many.pallet import pallet
from training.measure.many.picture import Picture
from training.measure.many.sheets import clean_sheet, curved_strips, distant_labels, page, sheet, sheet_of_version_40

MANY_SETS: Final[dict[str, Callable[[Generator, int], Picture]]] = {
    "pallet": pallet,
    "sheet": sheet,
    "clean": clean_sheet,
    "clean40": sheet_of_version_40,
    "page": page,
    "distant": distant_labels,
    "strips": curved_strips,
}
"""Makes a picture of a set from its random numbers and its index."""


def pictures(name: str, *, start: int = 0, count: int = 24) -> Iterator[Picture]:
    """Pictures ``start`` to ``start + count - 1`` of a set of many codes. Raises KeyError for an unknown set."""
    make = MANY_SETS[name]
    for index in range(start, start + count):
        yield make(np.random.default_rng((zlib.crc32(name.encode()), index)), index)
