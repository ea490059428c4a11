"""Parses data codewords into the segments of a message (ISO/IEC 18004:2015, 7.4; Hanzi mode: GB/T 18284)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

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
from app.pipeline.qrcode.messages import count_bits

MODE_NAMES: Final[Mapping[int, str]] = {
    NUMERIC: "numeric",
    ALPHANUMERIC: "alphanumeric",
    BYTE: "byte",
    KANJI: "kanji",
    HANZI: "hanzi",
}
"""Names of the modes that have characters."""
_LETTERS: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_SEPARATOR: Final = b"\x1d"  # what FNC1 between element strings transmits (7.4.8.1)


@dataclass(frozen=True, slots=True)
class Segment:
    """Characters of one mode, one of ``MODE_NAMES``. ``payload``: their bytes, of Kanji mode in Shift JIS, of Hanzi
    mode in GB 2312. ``eci``: the assignment number in force, None before the first."""

    mode: str
    eci: int | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class StructuredAppend:
    """Place of a symbol among those of one message: number ``index``, from 0, of ``total``, 1 to 16; ``parity`` is the
    XOR of all bytes of the whole message."""

    index: int
    total: int
    parity: int


@dataclass(frozen=True, slots=True)
class Message:
    """What data codewords say. ``fnc1``: 0, or the position, 1 or 2, in which FNC1 stands; in the second an
    ``application`` indicator follows: two digits or a letter. ``bits``: length without the terminator."""

    segments: tuple[Segment, ...]
    structured_append: StructuredAppend | None
    fnc1: int
    application: bytes
    bits: int

    @property
    def payload(self) -> bytes:
        """The stored bytes: the application indicator, then those of all segments."""
        return self.application + b"".join(segment.payload for segment in self.segments)

    @property
    def has_eci(self) -> bool:
        return any(segment.eci is not None for segment in self.segments)

    @property
    def identifier(self) -> str:
        """The symbology identifier of a QR code other than Model 1 (annex F): ]Q1 to ]Q6."""
        return f"]Q{(1, 3, 5)[self.fnc1] + self.has_eci}"


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a kind of symbol writes messages: width of the mode indicator, the mode of each value, width of each
    character count indicator, and zero bits of the terminator."""

    mode_bits: int
    modes: Mapping[int, int]
    count_bits: Mapping[int, int]
    terminator: int


@cache
def syntax(version: int) -> Syntax:
    """The syntax of QR codes of a version, 1 to 40 (tables 2 and 3)."""
    modes = (*CHARACTER_MODES, ECI, STRUCTURED_APPEND, FNC1_FIRST, FNC1_SECOND)
    counts = {mode: count_bits(version, mode) for mode in CHARACTER_MODES}
    return Syntax(4, {mode: mode for mode in modes}, counts, terminator=4)


def parse_message(data: NDArray[np.uint8], version: int) -> Message | None:
    """Parses the data codewords of a QR code; None if zxing-cpp would not parse them.

    A message has known modes, counts that fit, digits and letters that exist, and a payload. Then comes the terminator,
    four zeros or as many as fit. Whatever follows is padding: encoders fill it as they like. As in zxing-cpp, segments
    may be empty, FNC1 in first position and structured append may stand anywhere, and double bytes without a character
    are allowed.
    """
    return parse_bits(data.tobytes(), 8 * len(data), syntax(version))


def parse_bits(data: bytes, bits: int, rules: Syntax) -> Message | None:
    """As `parse_message`, of the first ``bits`` bits of ``data`` by the syntax of any kind of symbol."""
    parser = _Parser(data, bits, rules)
    try:
        parser.run()
    except (EOFError, ValueError):
        return None
    if not (parser.application or any(segment.payload for segment in parser.segments)):
        return None
    return Message(tuple(parser.segments), parser.structured_append, parser.fnc1, parser.application, parser.reader.at)


def message_bits(data: NDArray[np.uint8], version: int) -> int | None:
    """Bits of a message before its terminator; None if `parse_message` refuses these data codewords."""
    message = parse_message(data, version)
    return message.bits if message else None


class _BitReader:
    """Takes big-endian numbers off the first ``bits`` bits of a byte string; raises EOFError at their end."""

    def __init__(self, data: bytes, bits: int) -> None:
        self._data, self._bits = data, bits
        self.at = 0

    @property
    def left(self) -> int:
        return self._bits - self.at

    def peek(self, count: int) -> int:
        end = self.at + count
        whole = int.from_bytes(self._data[self.at >> 3 : (end + 7) >> 3], "big")
        return whole >> (-end & 7) & ((1 << count) - 1)

    def take(self, count: int) -> int:
        if count > self.left:
            raise EOFError
        value = self.peek(count)
        self.at += count
        return value

    def take_many(self, width: int, count: int) -> list[int]:
        """``count`` numbers of ``width`` bits each."""
        if count * width > self.left:
            raise EOFError
        begin, self.at = self.at, self.at + count * width
        bits = np.unpackbits(np.frombuffer(self._data, np.uint8, offset=begin >> 3))[begin & 7 :]
        values = bits[: count * width].reshape(count, width) @ (1 << np.arange(width - 1, -1, -1))
        return [int(value) for value in values]


class _Parser:
    """Reads one segment after another; its methods raise EOFError and ValueError for what `parse_message` refuses."""

    def __init__(self, data: bytes, bits: int, rules: Syntax) -> None:
        self.reader, self._rules = _BitReader(data, bits), rules
        self.segments: list[Segment] = []
        self.structured_append: StructuredAppend | None = None
        self.fnc1 = 0
        self.application = b""
        self._eci: int | None = None

    def run(self) -> None:
        reader = self.reader
        while reader.peek(min(self._rules.terminator, reader.left)):
            indicator = reader.take(self._rules.mode_bits)
            if indicator not in self._rules.modes:
                raise ValueError
            self._read(self._rules.modes[indicator])

    def _read(self, mode: int) -> None:
        if mode in CHARACTER_MODES:
            self._characters(mode)
        elif mode == ECI:
            self._eci = self._designator()
        elif mode == STRUCTURED_APPEND:
            index, last, parity = (self.reader.take(width) for width in (4, 4, 8))
            self.structured_append = StructuredAppend(index, last + 1, parity)
        elif mode == FNC1_FIRST:
            self.fnc1 = 1
        elif mode == FNC1_SECOND:
            if self.application or any(segment.payload for segment in self.segments):
                raise ValueError
            self.application, self.fnc1 = _application(self.reader.take(8)), 2

    def _designator(self) -> int:
        """An ECI designator of one, two or three bytes (table 4)."""
        lead = self.reader.take(3)
        if lead < 4:
            return lead << 5 | self.reader.take(5)
        if lead < 6:
            return (lead & 1) << 13 | self.reader.take(13)
        if lead == 6:
            return self.reader.take(21)
        raise ValueError

    def _characters(self, mode: int) -> None:
        reader = self.reader
        if mode == HANZI and reader.take(4) != GB_2312:
            raise ValueError
        count = reader.take(self._rules.count_bits[mode])
        if mode == BYTE:
            payload = reader.take(8 * count).to_bytes(count, "big")
        elif mode == NUMERIC:
            payload = _digits(reader, count)
        elif mode == ALPHANUMERIC:
            payload = _letters(reader, count)
            if self.fnc1:
                payload = payload.replace(b"%%", b"\0").replace(b"%", _SEPARATOR).replace(b"\0", b"%")
        else:
            payload = b"".join(_double_byte(value, mode) for value in reader.take_many(13, count))
        self.segments.append(Segment(MODE_NAMES[mode], self._eci, payload))


def _digits(reader: _BitReader, count: int) -> bytes:
    """Three digits in 10 bits, the last one or two in 4 or 7 (7.4.3)."""
    groups = reader.take_many(10, count // 3)
    width, limit = ((0, 1), (4, 10), (7, 100))[count % 3]
    last = reader.take(width)
    if last >= limit or any(group >= 1000 for group in groups):
        raise ValueError
    return ("".join([f"{group:03d}" for group in groups]) + f"{last:0{count % 3}d}" * (width > 0)).encode()


def _letters(reader: _BitReader, count: int) -> bytes:
    """Two characters in 11 bits, the last one in 6 (7.4.4)."""
    pairs = reader.take_many(11, count // 2)
    last = [reader.take(6)] if count % 2 else []
    if any(pair >= 45 * 45 for pair in pairs) or any(value >= 45 for value in last):
        raise ValueError
    return bytes(
        [_LETTERS[value] for pair in pairs for value in divmod(pair, 45)] + [_LETTERS[value] for value in last]
    )


def _double_byte(value: int, mode: int) -> bytes:
    """The two bytes of a 13-bit value: of Kanji mode (7.4.6), or of Hanzi mode."""
    if mode == KANJI:
        packed = value // 0xC0 << 8 | value % 0xC0
        packed += 0x8140 if packed < 0x1F00 else 0xC140
    else:
        packed = value // 0x60 << 8 | value % 0x60
        packed += 0xA1A1 if packed < 0x0A00 else 0xA6A1
    return packed.to_bytes(2, "big")


def _application(indicator: int) -> bytes:
    """The application indicator of 8 bits: two digits, or a Latin letter's code plus 100 (7.4.8.3)."""
    if indicator < 100:
        return b"%02d" % indicator
    if 165 <= indicator <= 190 or 197 <= indicator <= 222:
        return bytes([indicator - 100])
    raise ValueError
