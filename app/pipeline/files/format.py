"""The descriptor of a file format that the service accepts."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidImage

Stored = NDArray[np.uint8 | np.uint16]
"""Pixels as a decoder returns them: (H, W), or in colour (H, W, 3) BGR or (H, W, 4) BGRA."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of an image file declares; ``width`` and ``height`` are in pixels.

    ``transparent``: some pixels may be transparent. ``grey_key``: the sample value, at ``depth`` bits, that a grey PNG
    declares transparent. ``inverted``: the decoder returns light as dark. ``orientation``, 1 to 8 as EXIF counts them,
    says how viewers turn the picture. ``dpi``: pixels an inch across; None if the file does not say. ``frames``: more
    than 1 if the file is an animation of so many, at least. ``coloured``: some pixels may have a colour.
    ``reducible``: the decoder makes a smaller picture in a fraction of the time.
    """

    width: int
    height: int
    transparent: bool = False
    grey_key: int | None = None
    depth: int = 8
    inverted: bool = False
    orientation: int = 1
    dpi: float | None = None
    frames: int = 1
    coloured: bool = True
    reducible: bool = False

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel as it is decoded with its colours."""
        return (4 if self.transparent else 3) * (2 if self.depth > 8 else 1)


def keep_everything(data: bytes) -> bytes:
    """A format's ``strip`` that returns the file itself: for formats of which the decoder may see everything."""
    return data


def decode_by_opencv(data: bytes, header: Header) -> Stored:
    """A format's ``decode``: grey pixels, or colour and alpha as stored where some may be transparent.

    Raises InvalidImage.
    """
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    if header.transparent:
        flags = cv2.IMREAD_UNCHANGED
    elif header.depth > 8:
        flags |= cv2.IMREAD_ANYDEPTH
    return imdecode(data, flags)


def imdecode(data: bytes, flags: int) -> Stored:
    """What OpenCV decodes with these flags. Raises InvalidImage."""
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as exc:
        raise InvalidImage from exc
    if image is None:
        raise InvalidImage
    return image  # type: ignore[return-value]


def one_page(data: bytes) -> list[int]:
    """A format's ``page_offsets``: for formats whose files hold one picture."""
    del data
    return [0]


def whole_file(data: bytes, offset: int) -> bytes:
    """A format's ``page_at`` that goes with `one_page`."""
    del offset
    return data


@dataclass(frozen=True, slots=True)
class Format:
    """A format that the service accepts.

    ``magic`` matches the first bytes of its files. ``read_header`` parses the header of a file that ``magic`` matches;
    it may raise InvalidImage, UnsupportedImage, struct.error or IndexError. ``strip`` removes from a file, after its
    header was read, what the pixels do not need; ``decode`` decodes what is left; both may raise the same errors.

    ``page_offsets`` says where the pages of a file are, and ``page_at`` makes a file of the page at an offset, of which
    ``read_header`` and ``decode`` see nothing but this page. ``max_pixels``: most pixels of a picture, and
    ``max_bytes``: most bytes of its decoded colours, where the decoder needs more memory for each than others do.
    """

    name: str
    magic: re.Pattern[bytes]
    read_header: Callable[[bytes], Header]
    strip: Callable[[bytes], bytes] = keep_everything
    decode: Callable[[bytes, Header], Stored] = decode_by_opencv
    page_offsets: Callable[[bytes], list[int]] = one_page
    page_at: Callable[[bytes, int], bytes] = whole_file
    max_pixels: int | None = None
    max_bytes: int | None = None

    def most_pixels(self, header: Header) -> float:
        """Most pixels of the picture that has this header, infinite if the decoder sets no limit of its own."""
        by_bytes = inf if self.max_bytes is None else self.max_bytes // header.pixel_bytes
        return min(by_bytes, self.max_pixels or inf)
