"""AVIF and HEIC: pictures in the boxes of ISO/IEC 14496-12 and 23008-12.

Positions refer to the picture as it is coded. Boxes that turn, mirror or crop it are made to do nothing before a
decoder sees them, because the decoders differ in which of them they follow; the header says how viewers turn it.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

import cv2
import numpy as np
import pi_heif
from numpy.typing import NDArray

from app.errors import InvalidImage
from app.pipeline.files.format import Format, Header, Stored

_MOST_ITEMS: Final = 1000
"""Most items (pictures, tiles, metadata) of a file; a picture of 48 megapixels from a telephone has about 400."""
_MOST_BOXES: Final = 5000
_BOX: Final = Struct(">I4s")
_LARGE: Final = Struct(">Q")
_SIZE: Final = Struct(">II")
_TRACK_SIZE: Final = Struct(">HxxHxx")
_CLAP: Final = Struct(">IIIIIIII")
_FULL_BOX: Final = 4  # bytes of version and flags
_CONTAINERS: Final = frozenset({b"moov", b"trak"})
_TILE_SLACK: Final = 4
"""The tiles of a picture may have so many times its pixels together: a small picture is less than a tile."""


@dataclass(frozen=True, slots=True)
class _Box:
    """A box: its content lies in ``begin`` to ``end`` of the file."""

    kind: bytes
    begin: int
    end: int


@dataclass
class _Meta:
    """What the box ``meta`` says: the primary item, the size of the file's properties, and which items have which."""

    primary: int = 0
    items: int = 0
    properties: list[_Box] = field(default_factory=list)
    of_item: dict[int, list[int]] = field(default_factory=dict)
    tiles: dict[int, list[int]] = field(default_factory=dict)


def _boxes(data: bytes, begin: int, end: int) -> Iterator[_Box]:
    """Yields the boxes that lie one after another in a part of the file. Raises InvalidImage if one is cut short."""
    for _ in range(_MOST_BOXES):
        if begin >= end:
            return
        size, kind = _BOX.unpack_from(data, begin)
        content = begin + _BOX.size
        if size == 1:
            (size,) = _LARGE.unpack_from(data, content)
            content += _LARGE.size
        stop = end if size == 0 else begin + size
        if stop < content or stop > end:
            raise InvalidImage
        yield _Box(kind, content, stop)
        begin = stop
    raise InvalidImage("The file has too many boxes.")


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise InvalidImage
    return int.from_bytes(data[at : at + size], "big")


def _read_meta(data: bytes, meta: _Box) -> _Meta:
    found = _Meta()
    for box in _boxes(data, meta.begin + _FULL_BOX, meta.end):
        version = data[box.begin]
        if box.kind == b"pitm":
            found.primary = _number(data, box.begin + _FULL_BOX, 2 if version == 0 else 4)
        elif box.kind == b"iinf":
            found.items = _number(data, box.begin + _FULL_BOX, 2 if version == 0 else 4)
        elif box.kind == b"iref":
            found.tiles = _read_tiles(data, box, 2 if version == 0 else 4)
        elif box.kind == b"iprp":
            for part in _boxes(data, box.begin, box.end):
                if part.kind == b"ipco":
                    found.properties = list(_boxes(data, part.begin, part.end))
                elif part.kind == b"ipma":
                    found.of_item |= _read_associations(data, part)
    if found.items > _MOST_ITEMS:
        raise InvalidImage(f"The file has {found.items} items; at most {_MOST_ITEMS} are accepted.")
    return found


def _read_tiles(data: bytes, references: _Box, id_bytes: int) -> dict[int, list[int]]:
    """Of each item that is made of others, those of which it is made. Raises InvalidImage if there are too many."""
    tiles = {}
    for box in _boxes(data, references.begin + _FULL_BOX, references.end):
        count = _number(data, box.begin + id_bytes, 2)
        if count > _MOST_ITEMS:
            raise InvalidImage(f"The file has a picture of {count} tiles; at most {_MOST_ITEMS} are accepted.")
        if box.kind == b"dimg":
            first = box.begin + id_bytes + 2
            ids = [_number(data, first + number * id_bytes, id_bytes) for number in range(count)]
            tiles[_number(data, box.begin, id_bytes)] = ids
    return tiles


def _read_associations(data: bytes, box: _Box) -> dict[int, list[int]]:
    """The properties of each item, counted from 1, in the order in which they apply."""
    id_bytes = 2 if data[box.begin] == 0 else 4
    index_bytes = 2 if data[box.begin + 3] & 1 else 1
    mask = (1 << 8 * index_bytes - 1) - 1
    count, at = _number(data, box.begin + _FULL_BOX, 4), box.begin + _FULL_BOX + 4
    if count > _MOST_ITEMS:
        raise InvalidImage(f"The file has {count} items; at most {_MOST_ITEMS} are accepted.")
    found = {}
    for _ in range(count):
        item, number = _number(data, at, id_bytes), _number(data, at + id_bytes, 1)
        at += id_bytes + 1
        found[item] = [_number(data, at + one * index_bytes, index_bytes) & mask for one in range(number)]
        at += number * index_bytes
    return found


def _properties_of(meta: _Meta, item: int) -> list[_Box]:
    return [meta.properties[n - 1] for n in meta.of_item.get(item, ()) if 0 < n <= len(meta.properties)]


def _size_of(data: bytes, meta: _Meta, item: int) -> tuple[int, int]:
    """Width and height that an item declares; 0 x 0 if it declares none."""
    for box in _properties_of(meta, item):
        if box.kind == b"ispe":
            width, height = _SIZE.unpack_from(data, box.begin + _FULL_BOX)
            return int(width), int(height)
    return 0, 0


def _read_header(data: bytes) -> Header:
    boxes = list(_boxes(data, 0, len(data)))
    meta_box = next((box for box in boxes if box.kind == b"meta"), None)
    tracks = list(_track_sizes(data, boxes))
    if meta_box is None:
        width, height = max(tracks, default=(0, 0))
        return Header(width, height, transparent=True, frames=2)
    meta = _read_meta(data, meta_box)
    width, height = _size_of(data, meta, meta.primary)
    tiles = [_size_of(data, meta, tile) for tile in meta.tiles.get(meta.primary, ())]
    if sum(across * down for across, down in tiles) > max(_TILE_SLACK * width * height, _TILE_SLACK << 20):
        raise InvalidImage("The file has tiles that do not suit its size.")
    properties = _properties_of(meta, meta.primary)
    return Header(
        max([width, *(across for across, _ in tracks)]),
        max([height, *(down for _, down in tracks)]),
        transparent=any(box.kind == b"auxC" for box in meta.properties),
        depth=_depth(data, properties),
        orientation=_orientation(data, properties),
        frames=2 if tracks else 1,
    )


def _track_sizes(data: bytes, boxes: list[_Box]) -> Iterator[tuple[int, int]]:
    """Width and height of each track of a sequence."""
    for box in boxes:
        if box.kind in _CONTAINERS:
            yield from _track_sizes(data, list(_boxes(data, box.begin, box.end)))
        elif box.kind == b"tkhd":
            width, height = _TRACK_SIZE.unpack_from(data, box.end - _TRACK_SIZE.size)
            if width and height:
                yield int(width), int(height)


def _depth(data: bytes, properties: list[_Box]) -> int:
    """Most bits of a sample, as `pixi` declares them."""
    for box in properties:
        if box.kind == b"pixi":
            channels = data[box.begin + _FULL_BOX]
            return max(data[box.begin + _FULL_BOX + 1 : box.begin + _FULL_BOX + 1 + channels], default=8)
    return 8


def _orientation(data: bytes, properties: list[_Box]) -> int:
    """The number that EXIF has for what the boxes `irot` (quarters anticlockwise) and `imir` do one after another."""
    upright = np.array([[1, 2], [3, 4]])
    shown = upright
    for box in properties:
        value = data[box.begin] if box.begin < box.end else 0
        if box.kind == b"irot":
            shown = np.rot90(shown, value & 3)
        elif box.kind == b"imir":
            shown = shown[:, ::-1] if value & 1 else shown[::-1]
    return next(number for number, turned in enumerate(_turns(upright), 1) if np.array_equal(turned, shown))


def _turns(picture: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """What a viewer shows of a picture with EXIF orientation 1 to 8."""
    return [
        picture,
        picture[:, ::-1],
        picture[::-1, ::-1],
        picture[::-1],
        picture.T,
        np.rot90(picture, -1),
        picture[::-1, ::-1].T,
        np.rot90(picture),
    ]


def _strip(data: bytes) -> bytes:
    """Makes the boxes that turn, mirror or crop do nothing."""
    meta_box = next((box for box in _boxes(data, 0, len(data)) if box.kind == b"meta"), None)
    if meta_box is None:
        return data
    meta = _read_meta(data, meta_box)
    width, height = _size_of(data, meta, meta.primary)
    plain = bytearray(data)
    for box in meta.properties:
        if box.kind in {b"irot", b"imir"} and box.end == box.begin + 1:
            plain[box.begin - 4 : box.end] = b"irot\0"
        elif box.kind == b"clap" and box.end == box.begin + _CLAP.size:
            plain[box.begin : box.end] = _CLAP.pack(width, 1, height, 1, 0, 1, 0, 1)
    return bytes(plain)


def _decode_heic(data: bytes, header: Header) -> Stored:
    try:
        picture = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        pixels = np.asarray(picture)
    except (ValueError, RuntimeError, EOFError, SyntaxError, OSError) as exc:
        raise InvalidImage from exc
    del header
    if pixels.ndim == 2:
        return np.asarray(pixels, np.uint8)
    order = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    return np.asarray(cv2.cvtColor(pixels, order), np.uint8)


_AVIF_BRAND: Final = rb"avi[fs]"
_HEIC_BRAND: Final = rb"(?:hei[cxms]|hev[cxms])"
_ANY_BRAND: Final = rb"(?:mif1|msf1|mif2|miaf)"


def _magic(brand: bytes) -> re.Pattern[bytes]:
    """Files whose box `ftyp` has this brand as its major one, or a general one there and this among the others."""
    return re.compile(rb".{4}ftyp(?:" + brand + rb"|" + _ANY_BRAND + rb".{4}(?:.{4}){0,15}?" + brand + rb")", re.DOTALL)


_MOST_BYTES: Final = 90_000_000
"""The decoder of AVIF holds the planes of a picture beside its colours; where those take more, a child process may have
too little memory for both."""

AVIF: Final = Format("AVIF", _magic(_AVIF_BRAND), _read_header, _strip, max_bytes=_MOST_BYTES)
HEIC: Final = Format("HEIC", _magic(_HEIC_BRAND), _read_header, _strip, _decode_heic)
