"""JPEG 2000 (ISO/IEC 15444-1): files of boxes (JP2) and bare codestreams."""

import re
from math import ceil
from struct import Struct
from typing import Final

from app.errors import InvalidImage, UnsupportedImage
from app.pipeline.files.format import Format, Header

_MOST_TILES: Final = 65_535
_MOST_COMPONENTS: Final = 4
_LEAST_DEPTH: Final = 8
_MOST_PIXELS: Final = 25_000_000
"""The decoder holds every sample as four bytes, twice."""
_BOX: Final = Struct(">I4s")
_LARGE: Final = Struct(">Q")
_CODESTREAM: Final = b"\xff\x4f\xff\x51"
_SIZE: Final = Struct(">4xHHIIIIIIIIH")
_COMPONENT: Final = Struct(">BBB")


def _codestream_at(data: bytes) -> int:
    """Where the codestream begins. Raises InvalidImage if there is none."""
    at = 0
    while not data.startswith(_CODESTREAM, at):
        size, kind = _BOX.unpack_from(data, at)
        content = at + _BOX.size
        if size == 1:
            (size,) = _LARGE.unpack_from(data, content)
            content += _LARGE.size
        if kind == b"jp2c":
            if not data.startswith(_CODESTREAM, content):
                raise InvalidImage
            return content
        if size < content - at:
            raise InvalidImage
        at += size
    return at


def _read_header(data: bytes) -> Header:
    """Reads the marker SIZ; refuses more tiles or components than pictures have, and subsampled ones."""
    at = _codestream_at(data)
    fields = _SIZE.unpack_from(data, at)
    _, _, right, bottom, left, top, across, down, tiles_left, tiles_top, count = fields
    if not (0 < count <= _MOST_COMPONENTS and across and down and right > left and bottom > top):
        raise InvalidImage
    if ceil((right - tiles_left) / across) * ceil((bottom - tiles_top) / down) > _MOST_TILES:
        raise InvalidImage("The picture has too many tiles.")
    places = range(at + _SIZE.size, at + _SIZE.size + count * _COMPONENT.size, _COMPONENT.size)
    components = [_COMPONENT.unpack_from(data, place) for place in places]
    if any((dx, dy) != (1, 1) for _, dx, dy in components):
        raise InvalidImage("The picture has components of different sizes.")
    depth = max((precision & 0x7F) + 1 for precision, _, _ in components)
    if count == 2 or min((precision & 0x7F) + 1 for precision, _, _ in components) < _LEAST_DEPTH:
        raise UnsupportedImage(
            "The JPEG 2000 picture has samples of an unusual kind. Save it as grey, RGB or RGBA with 8 bits a sample."
        )
    return Header(right - left, bottom - top, transparent=count == _MOST_COMPONENTS, depth=depth)


JPEG2000: Final = Format(
    "JPEG 2000",
    re.compile(rb"\0\0\0\x0cjP\x20\x20\r\n\x87\n|\xff\x4f\xff\x51"),
    _read_header,
    max_pixels=_MOST_PIXELS,
)
