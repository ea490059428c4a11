"""TIFF 6.0 and BigTIFF: the pages of a file, less thumbnails and masks.

The decoder sees a file of one page whose directory holds only what the pixels need. It turns pictures by the tag
Orientation and answers some compressions with black, so it never sees that tag, and compressions are checked here.
"""

import re
from dataclasses import dataclass
from math import ceil
from struct import Struct, pack
from struct import error as StructError
from typing import Final

from app.errors import InvalidImage, UnsupportedImage
from app.pipeline.files.format import Format, Header

_BIG: Final = 43
_MOST_DIRECTORIES: Final = 10_000
_MOST_ENTRIES: Final = 200_000
"""Most directories of a file that are looked at, and most entries of all of them together."""
_VALUES: Final = {1: "B", 3: "H", 4: "I", 5: "II", 13: "I", 16: "Q", 18: "Q"}
"""Types of tags that are read, and how their values are packed."""
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS, _STRIP_BYTES, _RESOLUTION, _PLANES = 273, 274, 277, 278, 279, 282, 284
_UNIT, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES, _EXTRA, _SAMPLE_FORMAT = 296, 322, 323, 324, 325, 338, 339
_OF_PIXELS: Final = frozenset(
    {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, 266, _STRIP_OFFSETS, _SAMPLES, _ROWS, _STRIP_BYTES, _PLANES}
    | {292, 293, 317, 320, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES, 332, _EXTRA, _SAMPLE_FORMAT, 347}
    | {529, 530, 531, 532}
)
"""Tags that the decoder needs: size, samples, strips, tiles, the order of bits, fax, prediction, palette and JPEG."""
_SMALLER_OR_MASK: Final = 0b101  # of NewSubfileType
_JPEG: Final = 7
_COMPRESSIONS: Final = frozenset({1, 2, 3, 4, 5, _JPEG, 8, 32946, 32773})
_OTHER_COMPRESSIONS: Final = {
    6: "the old JPEG of 1992",
    34712: "JPEG 2000",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34887: "LERC",
    34892: "lossy JPEG (DNG)",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
    22610: "JPEG XR",
    34934: "JPEG XR",
    34933: "PNG",
}
_GREY_KINDS: Final = frozenset({0, 1})
_KINDS: Final = frozenset({0, 1, 2, 3, 5, 6})
"""Photometric interpretations: grey either way round, RGB, palette, CMYK, YCbCr."""
_TILE_STEP: Final = 32
_UNSIGNED: Final = 1
_PER_CENTIMETRE: Final = 3
_INCH: Final = 2.54


@dataclass(frozen=True, slots=True)
class _Directory:
    """One image file directory: its place in the file and, by tag, (type, count, where the values lie)."""

    at: int
    tags: dict[int, tuple[int, int, int]]
    following: int


class _File:
    """The directories of a file. Raises struct.error where it ends early, InvalidImage where it is impossible."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<" if data[:1] == b"I" else ">"
        (version,) = Struct(self.order + "H").unpack_from(data, 2)
        self.is_big = version == _BIG
        self.count = Struct(self.order + ("Q" if self.is_big else "H"))
        self.offset = Struct(self.order + ("Q" if self.is_big else "I"))
        self._entry = Struct(self.order + ("HHQ" if self.is_big else "HHI"))
        self.entry_bytes = self._entry.size + self.offset.size
        self.first_at = 8 if self.is_big else 4
        self.entries_left = _MOST_ENTRIES

    def first(self) -> _Directory:
        return self.directory(self.offset.unpack_from(self.data, self.first_at)[0])

    def directory(self, at: int) -> _Directory:
        if at > len(self.data):
            raise InvalidImage
        (count,) = self.count.unpack_from(self.data, at)
        self.entries_left -= count
        if self.entries_left < 0:
            raise InvalidImage("The TIFF has too many directory entries.")
        begin = at + self.count.size
        end = begin + count * self.entry_bytes
        tags = {}
        for place in range(begin, end, self.entry_bytes):
            tag, kind, values = self._entry.unpack_from(self.data, place)
            size = values * _SIZES.get(kind, 1)
            value_at = place + self._entry.size
            if size > self.offset.size:
                (value_at,) = self.offset.unpack_from(self.data, value_at)
            tags[tag] = (kind, values, value_at)
        return _Directory(at, tags, self.offset.unpack_from(self.data, end)[0])

    def values(self, directory: _Directory, tag: int) -> tuple[int, ...]:
        """A tag's values; empty where the directory lacks it or its type holds no whole numbers."""
        kind, count, at = directory.tags.get(tag, (0, 0, 0))
        if kind not in _VALUES:
            return ()
        if at + count * _SIZES[kind] > len(self.data):
            raise InvalidImage
        packed = Struct(f"{self.order}{count * len(_VALUES[kind])}{_VALUES[kind][0]}")
        return packed.unpack_from(self.data, at)

    def value(self, directory: _Directory, tag: int, default: int) -> int:
        return next(iter(self.values(directory, tag)), default)


def page_offsets(data: bytes) -> list[int]:
    """Where the directory of each page lies, in the order of the file; a loop of directories ends it."""
    file = _File(data)
    full: list[int] = []
    smaller: list[int] = []
    seen: set[int] = set()
    directory = file.first()
    while len(seen) < _MOST_DIRECTORIES:
        seen.add(directory.at)
        (smaller if file.value(directory, _SUBFILE, 0) & _SMALLER_OR_MASK else full).append(directory.at)
        if not directory.following or directory.following in seen:
            break
        directory = file.directory(directory.following)
    return full or smaller


def page_at(data: bytes, offset: int) -> bytes:
    """The file with the page whose directory lies at ``offset`` in front."""
    file = _File(data)
    return data[: file.first_at] + file.offset.pack(offset) + data[file.first_at + file.offset.size :]


def _read_header(data: bytes) -> Header:
    file = _File(data)
    page = file.first()
    width, height = (file.value(page, tag, 0) for tag in (_WIDTH, _HEIGHT))
    kind, depth = file.value(page, _PHOTOMETRIC, -1), file.value(page, _BITS, 1)
    _check_coding(file, page, kind=kind, depth=depth)
    if width and height:
        _check_blocks(file, page, width, height)
    return Header(
        width,
        height,
        transparent=bool(file.values(page, _EXTRA)),
        depth=depth,
        inverted=kind == 0 and depth > 8,
        orientation=_orientation(file.value(page, _ORIENTATION, 1)),
        dpi=_dpi(file, page),
    )


def _check_coding(file: _File, page: _Directory, *, kind: int, depth: int) -> None:
    """Raises UnsupportedImage for what the decoder would answer with black, with noise or not at all."""
    compression = file.value(page, _COMPRESSION, 1)
    if compression not in _COMPRESSIONS:
        name = _OTHER_COMPRESSIONS.get(compression, f"number {compression}")
        raise UnsupportedImage(
            f"The pixels of the TIFF are compressed by {name}, which is not supported. Save it with LZW, Deflate, "
            "PackBits, JPEG, CCITT or no compression."
        )
    sides = (file.value(page, tag, 0) for tag in (_TILE_WIDTH, _TILE_HEIGHT))
    if compression == 1 and any(side % _TILE_STEP for side in sides):  # the decoder calls them damaged
        raise UnsupportedImage("The TIFF has tiles of an unusual size. Save it in strips, or compressed.")
    formats = set(file.values(page, _SAMPLE_FORMAT)) or {_UNSIGNED}
    depths = set(file.values(page, _BITS)) or {1}
    is_planar = file.value(page, _PLANES, 1) == 2 and file.value(page, _SAMPLES, 1) > 1
    if is_planar and depth > 8:  # comes back scrambled, without an error
        raise UnsupportedImage("The TIFF stores its colours one after another. Save it with the colours interleaved.")
    if kind not in _KINDS or formats != {_UNSIGNED} or len(depths) > 1 or depth not in _depths(kind, compression):
        raise UnsupportedImage(
            "The TIFF holds samples of an unusual kind. Save it as grey or RGB with 8 or 16 bits a sample."
        )


def _depths(kind: int, compression: int) -> tuple[int, ...]:
    if compression == _JPEG:
        return (8,)
    if kind in _GREY_KINDS:
        return (1, 2, 4, 8, 12, 16)
    return (1, 2, 4, 8) if kind == 3 else (8, 16) if kind == 2 else (8,)


def _check_blocks(file: _File, page: _Directory, width: int, height: int) -> None:
    """Raises InvalidImage unless the page's strips or tiles cover it and lie within the file.

    The decoder allocates a whole strip or tile at once, so that one may not be much larger than the page.
    """
    if _TILE_WIDTH in page.tags:
        across, down = (file.value(page, tag, 0) for tag in (_TILE_WIDTH, _TILE_HEIGHT))
        if not (0 < across <= _most_of_a_tile(width) and 0 < down <= _most_of_a_tile(height)):
            raise InvalidImage("The TIFF has tiles that do not suit its size.")
        blocks = ceil(width / across) * ceil(height / down)
        offsets, sizes = file.values(page, _TILE_OFFSETS), file.values(page, _TILE_BYTES)
    else:
        rows = file.value(page, _ROWS, height)
        blocks = ceil(height / min(max(rows, 1), height))
        offsets, sizes = file.values(page, _STRIP_OFFSETS), file.values(page, _STRIP_BYTES)
    if file.value(page, _PLANES, 1) == 2:
        blocks *= file.value(page, _SAMPLES, 1)
    if len(offsets) < blocks or (sizes and len(sizes) < blocks):
        raise InvalidImage
    if any(at + size > len(file.data) for at, size in zip(offsets, sizes or (0,) * len(offsets), strict=False)):
        raise InvalidImage


def _most_of_a_tile(side: int) -> int:
    return max(2 * side, side + 1024)


def exif_orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, that EXIF data states; 1 if it states none or makes no sense."""
    if not TIFF.magic.match(exif):
        return 1
    try:
        file = _File(exif)
        return _orientation(file.value(file.first(), _ORIENTATION, 1))
    except (InvalidImage, StructError):
        return 1


def _orientation(value: int) -> int:
    return value if 1 <= value <= 8 else 1


def _dpi(file: _File, page: _Directory) -> float | None:
    resolution, unit = file.values(page, _RESOLUTION), file.value(page, _UNIT, 2)
    if len(resolution) < 2 or not all(resolution) or unit == 1:
        return None
    per_unit = resolution[0] / resolution[1]
    return per_unit * _INCH if unit == _PER_CENTIMETRE else per_unit


def _strip(data: bytes) -> bytes:
    """Puts a new directory in front that has the first page's tags for pixels alone, and leads to no other page."""
    file = _File(data)
    page = file.first()
    begin = page.at + file.count.size
    entries = []
    for number in range(file.count.unpack_from(data, page.at)[0]):
        entry = data[begin + number * file.entry_bytes : begin + (number + 1) * file.entry_bytes]
        if Struct(file.order + "H").unpack_from(entry)[0] in _OF_PIXELS:
            entries.append(entry)
    padding = bytes(-len(data) % 8)
    directory = file.count.pack(len(entries)) + b"".join(entries) + file.offset.pack(0)
    return page_at(data, len(data) + len(padding)) + padding + directory


def _magic() -> bytes:
    return b"|".join(
        (
            rb"II\*\0",
            rb"MM\0\*",
            re.escape(b"II" + pack("<HHH", _BIG, 8, 0)),
            re.escape(b"MM" + pack(">HHH", _BIG, 8, 0)),
        )
    )


TIFF: Final = Format("TIFF", re.compile(_magic()), _read_header, _strip, page_offsets=page_offsets, page_at=page_at)
