"""What engines read, and the protocol that they share.

Pictures are ``(H, W)`` uint8. Corners are the outer corners of a symbol without its quiet zone, clockwise as seen in
the picture, from the symbol's own top-left finder pattern; the second corner of a mirrored symbol is therefore its own
bottom left.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from app.pipeline.imaging import GreyImage
from app.pipeline.quad import Quad


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol that an engine decoded.

    ``payload``: the exact bytes stored in the symbol. ``text``: decoded by the symbol's ECI if it has one, else by a
    guess: UTF-8, else Shift JIS, else Latin-1. ``version`` and ``ec_level`` are None if the engine does not report
    them.
    """

    payload: bytes
    text: str
    content_type: str
    symbology: str
    version: int | None
    ec_level: str | None
    engine: str
    corners: Quad

    def at(self, corners: Quad) -> "Symbol":
        """The same symbol with other corners."""
        return replace(self, corners=corners)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A QR code that an engine found but could not decode; ``dimension`` is its number of modules a side, None if
    unknown."""

    corners: Quad
    dimension: int | None


class Engine(Protocol):
    """Reads every QR code that it can in one grey picture; the list is empty if it reads none."""

    name: str

    def read(self, image: GreyImage) -> list[Symbol]: ...


def is_covered(corners: Quad, symbols: Iterable[Symbol]) -> bool:
    """Whether one of the symbols covers a place: the centre of ``corners`` lies in that symbol."""
    centre = corners.centre
    return any(symbol.corners.contains(centre) for symbol in symbols)


def merge_symbols(*lists: Iterable[Symbol]) -> list[Symbol]:
    """Joins lists of symbols; of several symbols in one place it keeps the first."""
    merged: list[Symbol] = []
    for symbol in (symbol for symbols in lists for symbol in symbols):
        if not is_covered(symbol.corners, merged):
            merged.append(symbol)
    return merged
