"""GIF; the first frame of an animation, and whether there are others."""

import re
from struct import Struct
from typing import Final

from app.pipeline.files.format import Format, Header

_SCREEN: Final = Struct("<6xHH")
_PALETTE_BIT: Final = 0x80
_IMAGE, _EXTENSION = 0x2C, 0x21
_MOST_BLOCKS: Final = 200_000  # of a picture: 51 MB, where they are full
_IMAGE_BYTES: Final = 10  # of its descriptor


def _read_header(data: bytes) -> Header:
    width, height = _SCREEN.unpack_from(data)
    return Header(width, height, transparent=True, frames=2 if _has_second(data) else 1)


def _has_second(data: bytes) -> bool:
    """Whether a second picture begins before the file makes no sense."""
    frames, at = 0, 13 + _palette_bytes(int.from_bytes(data[10:11]))
    while at + _IMAGE_BYTES < len(data):
        if data[at] == _IMAGE:
            frames += 1
            if frames == 2:
                return True
            at = _after_blocks(data, at + _IMAGE_BYTES + _palette_bytes(data[at + _IMAGE_BYTES - 1]) + 1)
        elif data[at] == _EXTENSION:
            at = _after_blocks(data, at + 2)
        else:
            break
    return False


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & _PALETTE_BIT else 0


def _after_blocks(data: bytes, at: int) -> int:
    """Where the chain of sub-blocks ends that begins at ``at``; the end of the file if it has too many."""
    for _ in range(_MOST_BLOCKS):
        if at >= len(data) or not data[at]:
            return at + 1
        at += 1 + data[at]
    return len(data)


GIF: Final = Format("GIF", re.compile(rb"GIF8[79]a"), _read_header)
