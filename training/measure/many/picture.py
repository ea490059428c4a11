"""A picture of many codes and its labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from training.data.symbols import EncodedSymbol


@dataclass(frozen=True)
class PlacedCode:
    """A code of a picture: its symbol, its outer corners in pixels, (4, 2), clockwise from its own top left, and what
    was done to it, such as ("soft", "dark paper")."""

    symbol: EncodedSymbol
    corners: NDArray[np.float64]
    traits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A picture of a synthetic set and every code in it; no two have the same payload."""

    image: GreyImage
    codes: tuple[PlacedCode, ...]
