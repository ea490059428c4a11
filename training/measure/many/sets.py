"""The synthetic sets as pictures of any number of codes; each picture depends only on its set's name and its index."""

import zlib
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.random import Generator

from training.measure.many.kinds import KINDS
from training.measure.many.micro import MICRO_SETS
from training.measure.many.pallet import pallet
from training.measure.many.picture import Picture, PlacedCode
from training.measure.many.rectangular import RECTANGULAR_SETS
from training.measure.many.sheets import (
    clean_sheet,
    curved_strips,
    distant_labels,
    page,
    pair,
    sheet,
    sheet_of_version_40,
)
from training.measure.sets import SETS, samples

MANY_SETS: Final[dict[str, Callable[[Generator, int], Picture]]] = {
    "pallet": pallet,
    "sheet": sheet,
    "clean": clean_sheet,
    "clean40": sheet_of_version_40,
    "page": page,
    "distant": distant_labels,
    "strips": curved_strips,
    "pair": pair,
}
"""By name, what makes a picture of many codes from its random numbers and its index."""

NAMES: Final = (*MANY_SETS, *KINDS, *MICRO_SETS, *RECTANGULAR_SETS, *SETS)
"""Every set that `pictures` knows: those of many codes, then those of one: hard kinds, Micro QR codes, rMQR codes, and
the old synthetic sets."""


def pictures(name: str, *, start: int = 0, count: int) -> Iterator[Picture]:
    """Pictures ``start`` to ``start + count - 1`` of a synthetic set. Raises KeyError for an unknown set."""
    if name in SETS:
        for sample in samples(name, start=start, count=count):
            yield Picture(sample.image, (PlacedCode(sample.symbol, sample.corners),))
        return
    make = {**MANY_SETS, **KINDS, **MICRO_SETS, **RECTANGULAR_SETS}[name]
    for index in range(start, start + count):
        yield make(np.random.default_rng((zlib.crc32(name.encode()), index)), index)
