"""PNG (ISO/IEC 15948); of an animated file, the picture that viewers without animation show."""

import re
from struct import Struct
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidImage
from app.pipeline.files.format import Format, Header
from app.pipeline.files.tiff import exif_orientation

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_IHDR: Final = Struct(">8xI4sIIBB")
_CHUNK: Final = Struct(">I4s")
_PHYSICAL: Final = Struct(">IIB")
_METRES_AN_INCH: Final = 0.0254
_GREY_TYPE: Final = 0
_COLOUR_BIT, _ALPHA_BIT = 2, 4
_ANCILLARY_BIT: Final = 0x20


def _read_header(data: bytes) -> Header:
    """Reads IHDR and tRNS; refuses a chunk that claims more bytes than there are: the decoder would allocate and clear
    them first."""
    _, _, width, height, depth, colour = _IHDR.unpack_from(data)
    transparent = bool(colour & _ALPHA_BIT)
    grey_key, frames, orientation, dpi = None, 1, 1, None
    at, kind = len(_SIGNATURE), b""
    while kind != b"IEND" and at < len(data):
        length, kind = _CHUNK.unpack_from(data, at)
        if at == len(_SIGNATURE) and (kind, length) != (b"IHDR", 13):
            raise InvalidImage
        if kind == b"tRNS":
            transparent = True
            if colour == _GREY_TYPE and length == 2:
                grey_key = int.from_bytes(data[at + 8 : at + 10], "big")
        if kind == b"acTL" and length >= 4:
            frames = max(1, int.from_bytes(data[at + 8 : at + 12], "big"))
        if kind == b"eXIf":
            orientation = exif_orientation(data[at + 8 : at + 8 + length])
        if kind == b"pHYs" and length == 9:
            across, _, unit = _PHYSICAL.unpack_from(data, at + 8)
            dpi = across * _METRES_AN_INCH if unit == 1 and across else None
        at += 12 + length
    if at > len(data):
        raise InvalidImage
    return Header(
        width,
        height,
        transparent=transparent,
        grey_key=grey_key,
        depth=depth,
        frames=frames,
        coloured=bool(colour & _COLOUR_BIT),
        orientation=orientation,
        dpi=dpi,
    )


def _strip(data: bytes) -> bytes:
    """Keeps critical chunks and transparency only: no text, profile, EXIF or animation."""
    return _keep(data, (b"tRNS",))


def keep_animation(data: bytes) -> bytes:
    """Keeps what the frames of an animation need only."""
    return _keep(data, (b"tRNS", b"acTL", b"fcTL", b"fdAT"))


def _keep(data: bytes, ancillary: tuple[bytes, ...]) -> bytes:
    kept = [data[: len(_SIGNATURE)]]
    at, kind = len(_SIGNATURE), b""
    while kind != b"IEND" and at < len(data):
        length, kind = _CHUNK.unpack_from(data, at)
        end = at + 12 + length
        if not kind[0] & _ANCILLARY_BIT or kind in ancillary:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


PNG: Final = Format("PNG", re.compile(re.escape(_SIGNATURE)), _read_header, _strip)


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encodes an (H, W) image as a grey PNG file, an (H, W, 3) one of blue, green and red as a coloured one.

    Raises ValueError for a shape that PNG cannot hold.
    """
    written, data = cv2.imencode(".png", image)
    if not written:
        raise ValueError(f"an image of shape {image.shape} cannot be written as PNG")
    return data.tobytes()
