"""What engines read, and the protocol that they share.

Pictures are ``(H, W)`` uint8. Corners are the outer corners of a symbol without its quiet zone, clockwise as seen in
the picture, from the symbol's own top-left finder pattern; the second corner of a mirrored symbol is therefore its own
bottom left.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from math import atan2, degrees
from typing import Protocol

from app.pipeline.imaging import GreyImage
from app.pipeline.payload.gs1 import Elements
from app.pipeline.payload.interpreting import CharsetSource, Interpretation, interpret
from app.pipeline.qrcode.contents import Contents
from app.pipeline.qrcode.patterns import dimension
from app.pipeline.qrcode.segments import StructuredAppend
from app.pipeline.qrcode.small.versions import modules_of
from app.pipeline.quad import Quad


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol that was read.

    ``payload``: the bytes stored in the symbol; they are ``exact`` unless the engine transcodes them and the codewords
    could not be had. ``contents``: what the codewords say, if they were parsed; then they fill every field, whatever
    the engine said, and ``differs`` says whether that was something else. ``text``: decoded by ``charset``, which
    ``charset_source`` names; both are None if the engine decoded it. ``version`` and ``ec_level`` are None if unknown;
    ``small_version`` is that of a small symbol, "M4" or "R11x27". ``identifier``: the symbology identifier, None if
    unknown. ``mirrored``, ``inverted``: as the picture shows the symbol. ``gs1``, ``hri``: its GS1 elements and their
    human-readable form, once an outcome is finished.
    """

    payload: bytes
    text: str
    content_type: str
    symbology: str
    version: int | None
    ec_level: str | None
    engine: str
    corners: Quad
    small_version: str | None = None
    identifier: str | None = None
    charset: str | None = None
    charset_source: CharsetSource | None = None
    mirrored: bool = False
    inverted: bool = False
    exact: bool = True
    contents: Contents | None = None
    differs: bool = False
    gs1: Elements = ()
    hri: str | None = None

    @property
    def structured_append(self) -> StructuredAppend | None:
        """Its place in a message of several symbols; None if it is no part of one, or the codewords are unknown."""
        return self.contents.message.structured_append if self.contents else None

    @property
    def identity(self) -> Hashable:
        """Equal for symbols that say the same: of one symbology, with one payload in one place of a message."""
        return self.symbology, self.payload, self.structured_append

    @property
    def rotation(self) -> float:
        """Degrees, 0 to under 360, by which the symbol's own top edge is turned clockwise in the picture."""
        corners = self.corners.as_tuple
        (left, top), (x, y) = corners[0], corners[3 if self.mirrored else 1]
        return degrees(atan2(y - top, x - left)) % 360

    @property
    def module_pixels(self) -> float | None:
        """Side of a module in pixels, the mean over the symbol; None if its size in modules is unknown."""
        modules = modules_of(self.small_version) if self.small_version else None
        if self.version is not None:
            modules = (dimension(self.version),) * 2
        return (self.corners.area / (modules[0] * modules[1])) ** 0.5 if modules else None

    @classmethod
    def of(cls, contents: Contents, *, symbology: str, engine: str, corners: Quad, inverted: bool) -> "Symbol":
        """The symbol at a place that no engine read, of what its codewords say."""
        unread = cls(
            payload=contents.message.payload,
            text="",
            content_type="",
            symbology=symbology,
            version=None,
            ec_level=None,
            engine=engine,
            corners=corners,
            inverted=inverted,
        )
        return unread.stating(contents)

    def at(self, corners: Quad) -> "Symbol":
        """The same symbol with other corners."""
        return replace(self, corners=corners)

    def stating(self, contents: Contents, *, meaning: Interpretation | None = None) -> "Symbol":
        """The same symbol with what its codewords say. ``meaning``: what they mean, if more is known than they tell."""
        meaning = meaning or interpret([contents.message])
        payload = contents.message.payload
        return replace(
            self,
            payload=payload,
            text=meaning.text,
            content_type=meaning.content_type.value,
            version=contents.version,
            small_version=contents.small_version,
            ec_level=contents.level,
            identifier=contents.message.identifier,
            charset=meaning.charset,
            charset_source=meaning.source,
            mirrored=contents.mirrored,
            exact=True,
            contents=contents,
            differs=self.differs or self.payload not in (payload, meaning.text.encode("utf-8", "replace")),
        )


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
