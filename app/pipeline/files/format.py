"""The descriptor of a file format that the service accepts."""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of an image file declares; ``width`` and ``height`` are in pixels.

    ``transparent``: some pixels may be transparent. ``grey_key``: the sample value, at ``depth`` bits, that a grey PNG
    declares transparent. ``coloured``: some pixels may have a colour. ``reducible``: the decoder makes a smaller
    picture in a fraction of the time.
    """

    width: int
    height: int
    transparent: bool = False
    grey_key: int | None = None
    depth: int = 8
    coloured: bool = True
    reducible: bool = False


def keep_everything(data: bytes) -> bytes:
    """A format's ``strip`` that returns the file itself: for formats of which the decoder may see everything."""
    return data


@dataclass(frozen=True, slots=True)
class Format:
    """A format that the service accepts.

    ``magic`` matches the first bytes of its files. ``read_header`` parses the header of a file that ``magic`` matches;
    it may raise InvalidImage, struct.error or IndexError. ``strip`` removes from a file, after its header was read,
    what the pixels do not need; it may raise the same errors.
    """

    name: str
    magic: re.Pattern[bytes]
    read_header: Callable[[bytes], Header]
    strip: Callable[[bytes], bytes] = keep_everything
