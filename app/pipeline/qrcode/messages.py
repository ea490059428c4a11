"""What the standard allows as a message: segments, their lengths, terminator and padding (ISO/IEC 18004:2015, 7.4)."""

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import (
    ALPHANUMERIC,
    BYTE,
    CHARACTER_MODES,
    ECI,
    FNC1_FIRST,
    FNC1_SECOND,
    KANJI,
    NUMERIC,
    PADDING,
    STRUCTURED_APPEND,
    TERMINATOR,
)


def count_bits(version: int, mode: int) -> int:
    """Length of the character count indicator of a message's segment (table 3). Raises KeyError for a mode without
    one."""
    sizes = {NUMERIC: (10, 12, 14), ALPHANUMERIC: (9, 11, 13), BYTE: (8, 16, 16), KANJI: (8, 10, 12)}
    return sizes[mode][(version > 9) + (version > 26)]


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

    def take(self, count: int) -> int:
        if count > self.left:
            raise EOFError
        self.at += count
        return self._value >> self.left & ((1 << count) - 1)


def message_bits(data: NDArray[np.uint8], version: int) -> int | None:
    """Bits of a message before its terminator; None if the data codewords are no message that the standard allows
    (7.4).

    A message has known modes in an allowed order, counts that fit, at least one character and none that does not exist;
    then a terminator, zeros up to the end of the codeword, and the alternating padding. A zero codeword may precede the
    padding: segno writes one if the terminator ends with a codeword. The text itself is not decoded.
    """
    reader = _BitReader(data)
    try:
        end = _segments(reader, version)
        tail = reader.take(min(4, reader.left)) or reader.take(-reader.at % 8)
    except EOFError:
        return None
    padding = data[reader.at // 8 :]
    if len(padding) and padding[0] == 0:
        padding = padding[1:]
    return end if end and tail == 0 and np.array_equal(padding, np.resize(PADDING, len(padding))) else None


def _segments(reader: _BitReader, version: int) -> int | None:
    """Reads up to the terminator and returns where it begins; None if something is not allowed."""
    started = filled = False
    while reader.left >= 4:
        begin = reader.at
        mode = reader.take(4)
        if mode == TERMINATOR:
            reader.at = begin
            break
        if mode in CHARACTER_MODES:
            if not _characters(reader, mode, reader.take(count_bits(version, mode))):
                return None
            filled = True
        elif mode == ECI:
            lead = reader.take(3)
            assignment = reader.take((5, 5, 5, 5, 13, 13, 21, 0)[lead])
            if lead == 7 or assignment > 999_999:
                return None
            filled = False
        elif started or mode not in (STRUCTURED_APPEND, FNC1_FIRST, FNC1_SECOND):
            return None
        elif mode == STRUCTURED_APPEND:
            index, last = reader.take(4), reader.take(4)
            reader.take(8)
            if index > last:
                return None
            continue
        elif mode == FNC1_SECOND:
            reader.take(8)
        started = True
    return reader.at if filled else None


def _characters(reader: _BitReader, mode: int, count: int) -> bool:
    """Reads ``count`` characters of a mode; False if ``count`` is 0 or a character does not exist."""
    if count == 0:
        return False
    if mode == BYTE:
        reader.take(8 * count)
        return True
    if mode == KANJI:
        return all(_is_kanji(reader.take(13)) for _ in range(count))
    widths, limits = ((10, 4, 7), (1000, 10, 100)) if mode == NUMERIC else ((11, 6), (45 * 45, 45))
    group = len(widths)
    whole = all(reader.take(widths[0]) < limits[0] for _ in range(count // group))
    rest = count % group
    return whole and (rest == 0 or reader.take(widths[rest]) < limits[rest])


def _is_kanji(value: int) -> bool:
    """Whether 13 bits encode a double byte of Shift JIS, 8140-9FFC or E040-EBBF (7.4.6)."""
    code = (value // 0xC0 << 8 | value % 0xC0) + 0x8140
    code += 0xC140 - 0x8140 if code > 0x9FFF else 0
    low = code & 0xFF
    return 0x40 <= low <= 0xFC and low != 0x7F
