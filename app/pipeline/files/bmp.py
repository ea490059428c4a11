"""BMP: Windows and OS/2 bitmaps."""

import re
from struct import Struct
from typing import Final

from app.errors import UnsupportedImage
from app.pipeline.files.format import Format, Header

_HEADER_BYTES: Final = Struct("<14xI")
_CORE: Final = Struct("<18xHH")
_INFO: Final = Struct("<18xii")
_CORE_BYTES: Final = 12
_KNOWN_HEADERS: Final = frozenset({_CORE_BYTES, 40, 52, 56, 64, 108, 124})


def _read_header(data: bytes) -> Header:
    (header_bytes,) = _HEADER_BYTES.unpack_from(data)
    if header_bytes not in _KNOWN_HEADERS:  # a text file may begin with BM as well
        raise UnsupportedImage
    width, height = (_CORE if header_bytes == _CORE_BYTES else _INFO).unpack_from(data)
    return Header(width, abs(height))


BMP: Final = Format("BMP", re.compile(rb"BM"), _read_header)
