"""PNM (Netpbm): portable bitmaps, greymaps and pixmaps, as text and binary."""

import re
from typing import Final

import cv2
import numpy as np

from app.errors import InvalidImage
from app.pipeline.files.format import Format, Header, Stored, decode_by_opencv

_TOKEN: Final = re.compile(rb"\s*(?:#[^\n\r]*[\n\r]\s*)*(\d{1,9})")
_BITMAPS: Final = (b"P1", b"P4")
_TEXTS: Final = (b"P1", b"P2", b"P3")
_MOST_VALUE: Final = 65_535
_WHITE: Final = 255


def _read_header(data: bytes) -> Header:
    """Reads size and highest value; refuses binary files that are too short for their size."""
    kind = data[:2]
    width, height, highest, at = _read_numbers(data)
    if not 0 < highest <= _MOST_VALUE:
        raise InvalidImage
    channels = 3 if kind in {b"P3", b"P6"} else 1
    row = -(-width // 8) if kind == b"P4" else width * channels * (2 if highest > 255 else 1)
    if kind not in _TEXTS and len(data) - at - 1 < row * height:
        raise InvalidImage
    return Header(width, height, depth=16 if highest > 255 else 8)


def _read_numbers(data: bytes) -> tuple[int, int, int, int]:
    """Width, height, highest value, and where the last number ends."""
    kind, at = data[:2], 2
    numbers = []
    for _ in range(2 if kind in _BITMAPS else 3):
        found = _TOKEN.match(data, at)
        if found is None:
            raise InvalidImage
        numbers.append(int(found[1]))
        at = found.end()
    width, height = numbers[:2]
    return width, height, 1 if kind in _BITMAPS else numbers[2], at


def _strip(data: bytes) -> bytes:
    """Ends a text with a line break, for which the decoder waits."""
    return data + b"\n" if data[:2] in _TEXTS else data


def _decode(data: bytes, header: Header) -> Stored:
    """As OpenCV decodes it, which leaves binary samples as they are where the highest value is less than 255."""
    pixels = decode_by_opencv(data, header)
    highest = _read_numbers(data)[2]
    if data[:2] in {b"P5", b"P6"} and highest < _WHITE:
        return np.asarray(cv2.convertScaleAbs(pixels, alpha=_WHITE / highest), np.uint8)
    return pixels


PNM: Final = Format("PNM", re.compile(rb"P[1-6](?=[\s#])"), _read_header, _strip, _decode)
