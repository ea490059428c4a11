"""Symbols and where they lie."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from app.pipeline.imaging import GreyImage

Corner = tuple[float, float]


Corners = tuple[Corner, Corner, Corner, Corner]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A decoded symbol. `version` and `ec_level` are None where the engine does not tell."""

    payload: bytes
    text: str
    content_type: str
    symbology: str
    version: int | None
    ec_level: str | None
    engine: str
    corners: Corners


@dataclass(frozen=True, slots=True)
class Sighting:
    """A QR code that was found but did not decode; `dimension` is its modules per side, if known."""

    corners: Corners
    dimension: int | None


class Engine(Protocol):
    """Reads every QR code it can in one grey picture; a picture without a readable code gives an empty list."""

    name: str

    def read(self, image: GreyImage) -> list[Symbol]: ...


def moved(symbol: Symbol, factor: float, offset: tuple[int, int]) -> Symbol:
    """The symbol with its corners scaled, then shifted."""
    first, second, third, fourth = ((x * factor + offset[0], y * factor + offset[1]) for x, y in symbol.corners)
    return replace(symbol, corners=(first, second, third, fourth))


def covered(corners: Corners, symbols: Iterable[Symbol]) -> bool:
    """Whether a place's centre lies within one of the symbols."""
    centre = sum(x for x, _ in corners) / 4, sum(y for _, y in corners) / 4
    return any(cv2.pointPolygonTest(np.array(symbol.corners, np.float32), centre, False) >= 0 for symbol in symbols)


def merged(*readings: list[Symbol]) -> list[Symbol]:
    """All symbols, one for each place: of several readings of one place the first counts."""
    together: list[Symbol] = []
    for symbol in (symbol for reading in readings for symbol in reading):
        if not covered(symbol.corners, together):
            together.append(symbol)
    return together


def _scaled(symbol: Symbol, factor: float) -> Symbol:
    first, second, third, fourth = ((x * factor, y * factor) for x, y in symbol.corners)
    return replace(symbol, corners=(first, second, third, fourth))
