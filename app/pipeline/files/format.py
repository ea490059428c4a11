"""What a file format in service is: a descriptor."""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of an image declare.

    ``transparent``: pixels may be see-through. ``grey_key``: the one sample value, at ``depth`` bits, that a grey PNG
    declares to be see-through.
    """

    width: int
    height: int
    transparent: bool = False
    grey_key: int | None = None
    depth: int = 8


def unchanged(data: bytes) -> bytes:
    """The file itself, for formats of which the decoder may see everything."""
    return data


@dataclass(frozen=True, slots=True)
class Format:
    """A format that the service accepts.

    ``magic`` matches the first bytes of its files. ``read_header`` parses the header of a file that ``magic`` matches;
    it may raise InvalidImage, struct.error or IndexError. ``strip`` leaves out of a file whose header was read what the
    pixels do not need.
    """

    name: str
    magic: re.Pattern[bytes]
    read_header: Callable[[bytes], Header]
    strip: Callable[[bytes], bytes] = unchanged
