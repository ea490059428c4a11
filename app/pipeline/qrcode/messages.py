"""What a symbol's data codewords may hold: segments, their lengths, and where the message ends (ISO/IEC 18004:2015,
7.4; Hanzi mode: GB/T 18284)."""

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import (
    ALPHANUMERIC,
    BYTE,
    CHARACTER_MODES,
    ECI,
    FNC1_FIRST,
    FNC1_SECOND,
    GB_2312,
    HANZI,
    KANJI,
    NUMERIC,
    STRUCTURED_APPEND,
)


def count_bits(version: int, mode: int) -> int:
    """Length of the character count indicator of a message's segment (table 3). Raises KeyError for a mode without
    one."""
    sizes = {NUMERIC: (10, 12, 14), ALPHANUMERIC: (9, 11, 13), BYTE: (8, 16, 16), KANJI: (8, 10, 12)}
    return sizes[KANJI if mode == HANZI else mode][(version > 9) + (version > 26)]


def payload_bits(mode: int, counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Bits that ``counts`` characters of a message's segment take after its count indicator (7.4.3 to 7.4.6)."""
    if mode == NUMERIC:
        bits = counts // 3 * 10 + np.array([0, 4, 7])[counts % 3]
    elif mode == ALPHANUMERIC:
        bits = counts // 2 * 11 + counts % 2 * 6
    else:
        bits = counts * (8 if mode == BYTE else 13)
    return np.asarray(bits, dtype=np.intp)


class _BitReader:
    """Takes big-endian numbers off a bit string; raises EOFError at its end."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._bits = 8 * len(data)
        self._value = int.from_bytes(data.tobytes(), "big")
        self.at = 0

    @property
    def left(self) -> int:
        return self._bits - self.at

    def peek(self, count: int) -> int:
        return self._value >> self.left - count & ((1 << count) - 1)

    def take(self, count: int) -> int:
        if count > self.left:
            raise EOFError
        self.at += count
        return self._value >> self.left & ((1 << count) - 1)


def message_bits(data: NDArray[np.uint8], version: int) -> int | None:
    """Bits of a message before its terminator; None if zxing-cpp would not parse these data codewords.

    A message has known modes, counts that fit, digits and letters that exist, and a payload. Then comes the terminator,
    four zeros or as many as fit. Whatever follows is padding: encoders fill it as they like. As in zxing-cpp, segments
    may be empty, FNC1 in first position and structured append may stand anywhere, and double bytes without a character
    are allowed.
    """
    reader = _BitReader(data)
    has_payload = False
    try:
        while reader.peek(min(4, reader.left)):
            has_payload = _segment(reader, version, is_first=not has_payload) or has_payload
    except (EOFError, ValueError):
        return None
    return reader.at if has_payload else None


def _segment(reader: _BitReader, version: int, *, is_first: bool) -> bool:
    """Reads a segment; returns whether it adds to the payload. ``is_first``: nothing before it did. Raises ValueError
    if it is not allowed, EOFError if it is longer than the data."""
    mode = reader.take(4)
    if mode in CHARACTER_MODES:
        if mode == HANZI and reader.take(4) != GB_2312:
            raise ValueError
        count = reader.take(count_bits(version, mode))
        _characters(reader, mode, count)
        return count > 0
    if mode == ECI:
        lead = reader.take(3)
        if lead == 7:
            raise ValueError
        reader.take((5, 5, 5, 5, 13, 13, 21)[lead])
    elif mode == STRUCTURED_APPEND:
        reader.take(16)
    elif mode == FNC1_SECOND:
        if not is_first or not _is_application(reader.take(8)):
            raise ValueError
        return True  # the application indicator is part of the payload
    elif mode != FNC1_FIRST:
        raise ValueError
    return False


def _is_application(indicator: int) -> bool:
    """Whether 8 bits are an application indicator: two digits, or a Latin letter's code plus 100 (7.4.8.3)."""
    return indicator < 100 or 165 <= indicator <= 190 or 197 <= indicator <= 222


def _characters(reader: _BitReader, mode: int, count: int) -> None:
    """Reads ``count`` characters of a mode. Raises ValueError for digits and letters that do not exist."""
    if mode not in (NUMERIC, ALPHANUMERIC):
        reader.take((8 if mode == BYTE else 13) * count)
        return
    widths, limits = ((10, 4, 7), (1000, 10, 100)) if mode == NUMERIC else ((11, 6), (45 * 45, 45))
    group = len(widths)
    for _ in range(count // group):
        _take_below(reader, widths[0], limits[0])
    if rest := count % group:
        _take_below(reader, widths[rest], limits[rest])


def _take_below(reader: _BitReader, width: int, limit: int) -> None:
    if reader.take(width) >= limit:
        raise ValueError
