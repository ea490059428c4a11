"""GIF; the first frame of an animation."""

import re
from struct import Struct
from typing import Final

from app.pipeline.files.format import Format, Header

_SCREEN: Final = Struct("<6xHH")


def _read_header(data: bytes) -> Header:
    width, height = _SCREEN.unpack_from(data)
    return Header(width, height, transparent=True)


GIF: Final = Format("GIF", re.compile(rb"GIF8[79]a"), _read_header)
