"""WebP (RFC 9649); the first frame of an animation, and how many there are, at least."""

import re
from struct import Struct
from typing import Final

from app.errors import InvalidImage
from app.pipeline.files.format import Format, Header
from app.pipeline.files.tiff import exif_orientation

_LOSSY: Final = Struct("<26xHH")
_LOSSLESS: Final = Struct("<21xI")
_CHUNK: Final = Struct("<4sI")
_CHUNKS_AT, _FLAGS_AT = 12, 20
_ALPHA, _EXIF, _ANIMATED = 0x10, 0x08, 0x02
_MOST_CHUNKS: Final = 10_000
_LOSSLESS_ALPHA: Final = 1 << 28
_14_BITS: Final = (1 << 14) - 1


def _read_header(data: bytes) -> Header:
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        is_animated = bool(data[_FLAGS_AT] & _ANIMATED)
        frames, orientation = _look_through(data) if data[_FLAGS_AT] & (_ANIMATED | _EXIF) else (1, 1)
        return Header(
            width,
            height,
            transparent=is_animated or bool(data[_FLAGS_AT] & _ALPHA),
            frames=max(1, frames) if is_animated else 1,
            orientation=orientation,
        )
    if kind == b"VP8L":
        (bits,) = _LOSSLESS.unpack_from(data)
        return Header((bits & _14_BITS) + 1, (bits >> 14 & _14_BITS) + 1, transparent=bool(bits & _LOSSLESS_ALPHA))
    if kind == b"VP8 ":
        width, height = _LOSSY.unpack_from(data)
        return Header(width & _14_BITS, height & _14_BITS)
    raise InvalidImage


def _look_through(data: bytes) -> tuple[int, int]:
    """The number of frames and the orientation, as far as the first ``_MOST_CHUNKS`` chunks tell."""
    frames, orientation, at = 0, 1, _CHUNKS_AT
    for _ in range(_MOST_CHUNKS):
        if at + _CHUNK.size > len(data):
            break
        kind, size = _CHUNK.unpack_from(data, at)
        frames += kind == b"ANMF"
        if kind == b"EXIF":
            orientation = exif_orientation(data[at + _CHUNK.size : at + _CHUNK.size + size].removeprefix(b"Exif\0\0"))
        at += _CHUNK.size + size + size % 2
    return frames, orientation


def _strip(data: bytes) -> bytes:
    """Declares an animation transparent, because its first frame may not fill the canvas; keeps all data."""
    flags = data[_FLAGS_AT]
    if data[12:16] != b"VP8X" or not flags & _ANIMATED:
        return data
    return data[:_FLAGS_AT] + bytes([flags | _ALPHA]) + data[_FLAGS_AT + 1 :]


WEBP: Final = Format("WebP", re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _read_header, _strip)
