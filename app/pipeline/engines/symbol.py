"""What engines read, and the protocol that they share.

Pictures are ``(H, W)`` uint8. Corners are the outer corners of a symbol without its quiet zone, clockwise as seen in
the picture, beginning at the symbol's own top-left finder pattern; in a mirrored symbol the second corner is therefore
the symbol's own bottom-left.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from app.pipeline.imaging import GreyImage
from app.pipeline.quad import Quad


@dataclass(frozen=True, slots=True)
class Symbol:
    """A decoded symbol.

    ``payload``: the exact bytes stored in the symbol. ``text`` follows the symbol's ECI where there is one; otherwise
    the encoding is guessed: UTF-8, else Shift JIS, else Latin-1. ``version`` and ``ec_level`` are None where the engine
    does not report them.
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
        """The same symbol in another place."""
        return replace(self, corners=corners)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A QR code that was found but did not decode; ``dimension`` is its modules a side, if known."""

    corners: Quad
    dimension: int | None


class Engine(Protocol):
    """Reads every QR code it can in one grey picture; a picture without a readable code gives an empty list."""

    name: str

    def read(self, image: GreyImage) -> list[Symbol]: ...


def is_covered(corners: Quad, symbols: Iterable[Symbol]) -> bool:
    """Whether the centre of a place lies within one of the symbols."""
    centre = corners.centre
    return any(symbol.corners.contains(centre) for symbol in symbols)


def merge_symbols(*lists: Iterable[Symbol]) -> list[Symbol]:
    """All symbols, one for each place: of several in one place the first counts."""
    together: list[Symbol] = []
    for symbol in (symbol for symbols in lists for symbol in symbols):
        if not is_covered(symbol.corners, together):
            together.append(symbol)
    return together
