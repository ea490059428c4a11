"""JPEG (ITU-T T.81)."""

import re
from collections.abc import Iterator
from struct import Struct
from typing import Final

from app.errors import InvalidImage
from app.pipeline.files.format import Format, Header
from app.pipeline.files.tiff import exif_orientation

MOST_SCANS: Final = 100
"""Most scans that are decoded. Progressive files have about ten; each scan costs a visit to every block."""

_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_UNUSED: Final = frozenset({0xFE, *range(0xE1, 0xF0)}) - {0xEE}
"""Comments and application data, except those of JFIF and Adobe, which define the colours."""
_JFIF, _EXIF = 0xE0, 0xE1
_DENSITY: Final = Struct(">BH")
_DENSITY_BYTES: Final = 14
_UNITS: Final = {1: 1.0, 2: 2.54}
"""Units of a JFIF density, as parts of an inch."""
_END, _SCAN = 0xD9, 0xDA
_END_MARKER: Final = b"\xff\xd9"
_SCAN_MARKER: Final = re.compile(rb"\xff\xda")
_MARKER: Final = re.compile(rb"\xff[^\x00\xff]")
_SEGMENT: Final = Struct(">H")
_SIZE: Final = Struct(">HH")
_COMPONENTS_AT: Final = 9  # bytes after the marker of a frame


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yields (marker, start, end) of every segment up to the first scan header, after which compressed data begins."""
    at, marker = 2, 0
    while marker != _SCAN:
        found = _MARKER.search(data, at)
        if found is None:
            raise InvalidImage
        at = found.end()
        marker = data[at - 1]
        if marker == _END:
            raise InvalidImage
        if marker not in _BARE:
            at += max(2, _SEGMENT.unpack_from(data, at)[0])
            yield marker, found.start(), at


def _read_header(data: bytes) -> Header:
    orientation, dpi = 1, None
    for marker, start, end in _segments(data):
        if marker == _JFIF and data.startswith(b"JFIF\0", start + 4) and end - start >= _DENSITY_BYTES:
            unit, density = _DENSITY.unpack_from(data, start + 11)
            dpi = density * _UNITS[unit] if unit in _UNITS and density else None
        elif marker == _EXIF and data.startswith(b"Exif\0\0", start + 4):
            orientation = exif_orientation(data[start + 10 : end])
        elif marker in _FRAMES:
            height, width = _SIZE.unpack_from(data, start + 5)
            is_coloured = data[start + _COMPONENTS_AT] > 1
            return Header(width, height, coloured=is_coloured, reducible=True, orientation=orientation, dpi=dpi)
    raise InvalidImage


def _strip(data: bytes) -> bytes:
    """Removes comments, application data, and scans after the first ``MOST_SCANS``."""
    kept, at = [data[:2]], 2
    for marker, start, end in _segments(data):
        if marker not in _UNUSED:
            kept.append(data[start:end])
        at = end
    scans = 1
    for scan in _SCAN_MARKER.finditer(data, at):
        scans += 1
        if scans > MOST_SCANS:
            return b"".join((*kept, data[at : scan.start()], _END_MARKER))
    return b"".join((*kept, data[at:]))


JPEG: Final = Format("JPEG", re.compile(rb"\xff\xd8\xff"), _read_header, _strip)
