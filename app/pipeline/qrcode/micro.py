"""Micro QR codes, versions M1 to M4 (ISO/IEC 18004:2015): sizes, function patterns, masks, format information, the
places of codewords, and the syntax of messages.

Arrays are indexed [row, column] from the symbol's top left, where its only finder pattern is, and have
``dimension(version)`` modules a side. A mirrored symbol is the transpose, and has the same function patterns.

The last data codeword of M1 and M3 has 4 bits: its lower half is not drawn, and counts as zero in error
correction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode import patterns
from app.pipeline.qrcode.codewords import ALPHANUMERIC, BYTE, KANJI, NUMERIC
from app.pipeline.qrcode.patterns import FORMAT_WORDS, Bits, FunctionPatterns
from app.pipeline.qrcode.reed_solomon import encode
from app.pipeline.qrcode.segments import Message, Syntax, parse_bits

VERSIONS: Final = range(1, 5)
MASKS: Final = range(4)
QUIET_ZONE: Final = 2
"""Width of the light margin around a symbol, in modules (section 9.1)."""
DETECTS_ONLY: Final = ""
"""The level of M1, which has no error correction."""
_QR_FORMAT_MASK: Final = 0b101010000010010
_FORMAT_MASK: Final = 0b100010001000101

# Table 9: version and level in the order of their symbol numbers, then data bits and check codewords, and the
# codewords that error correction can change.
_SYMBOLS: Final[Mapping[tuple[int, str], tuple[int, int, int]]] = {
    (1, DETECTS_ONLY): (20, 2, 0),
    (2, "L"): (40, 5, 1),
    (2, "M"): (32, 6, 2),
    (3, "L"): (84, 6, 2),
    (3, "M"): (68, 8, 4),
    (4, "L"): (128, 8, 3),
    (4, "M"): (112, 10, 5),
    (4, "Q"): (80, 14, 7),
}


@dataclass(frozen=True, slots=True)
class Format:
    """What format information says: level, mask, and its ``word`` (15,) as drawn, most significant bit first."""

    level: str
    mask: int
    word: Bits


@dataclass(frozen=True, slots=True)
class Block:
    """The one block of a version and level: ``length`` codewords, the last ``ec`` of them check codewords, of which
    error correction may change ``capacity``. ``drawn`` (length, 8): the bits that are drawn."""

    length: int
    ec: int
    capacity: int
    drawn: Bits

    @property
    def data_bits(self) -> int:
        return int(self.drawn[: -self.ec].sum())


def dimension(version: int) -> int:
    """Size of a version: modules a side."""
    return 9 + 2 * version


def version_of(modules: int) -> int | None:
    """The version with ``modules`` modules a side; None if there is none."""
    version, rest = divmod(modules - 9, 2)
    return version if rest == 0 and version in VERSIONS else None


@cache
def function_patterns(version: int) -> FunctionPatterns:
    """A version's finder pattern with its separator, and the timing patterns along two edges."""
    size = dimension(version)
    known, dark = np.zeros((2, size, size), dtype=np.bool_)
    known[0], known[:, 0] = True, True
    dark[0, ::2], dark[::2, 0] = True, True
    known[:8, :8] = True
    dark[:8, :8] = patterns.function_patterns(1).dark[:8, :8]
    data = ~known
    data[8, :9] = data[:9, 8] = False
    for array in (known, dark, data):
        array.setflags(write=False)
    return FunctionPatterns(known=known, dark=dark, data=data)


@cache
def block(version: int, level: str) -> Block:
    """How a version and level divide the codewords. Raises KeyError for a level that the version has not."""
    bits, ec, capacity = _SYMBOLS[version, level]
    data = -(-bits // 8)
    drawn = np.ones((data + ec, 8), dtype=np.bool_)
    drawn[data - 1, 8 - (8 * data - bits) :] = False
    drawn.setflags(write=False)
    return Block(data + ec, ec, capacity, drawn)


@cache
def formats(version: int) -> tuple[Format, ...]:
    """All that the format information of a version may say."""
    return tuple(
        Format(level, mask, _format_word(number << 2 | mask))
        for number, (of, level) in enumerate(_SYMBOLS)
        if of == version
        for mask in MASKS
    )


def _format_word(value: int) -> Bits:
    """The word of a symbol number and a mask, 5 bits together (7.9.2): that of a QR code under another mask."""
    words = FORMAT_WORDS ^ _bits(_QR_FORMAT_MASK)
    word = words[(words[:, :5] == _bits(value)[-5:]).all(axis=1)][0]
    return np.asarray(word ^ _bits(_FORMAT_MASK))


def _bits(value: int) -> Bits:
    """(15,), most significant first."""
    return np.array([value >> i & 1 for i in reversed(range(15))], dtype=np.bool_)


FORMAT_POSITIONS: Final = (np.array([*[8] * 8, *range(7, 0, -1)]), np.array([*range(1, 9), *[8] * 7]))
"""Rows and columns, (15,) each, of the format information, most significant bit first."""


@cache
def places(version: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the modules that carry codewords, first bit first."""
    size, data = dimension(version), function_patterns(version).data
    at = [
        (row, column)
        for turn, right in enumerate(range(size - 1, 0, -2))
        for row in (range(size - 1, -1, -1) if turn % 2 == 0 else range(size))
        for column in (right, right - 1)
        if data[row, column]
    ]
    rows, columns = np.array(at, dtype=np.intp).T
    return rows, columns


@cache
def mask_bits(version: int, mask: int) -> Bits:
    """Whether a data mask inverts each of the `places`."""
    i, j = places(version)
    zero = (i % 2, (i // 2 + j // 3) % 2, (i * j % 2 + i * j % 3) % 2, ((i + j) % 2 + i * j % 3) % 2)[mask]
    return np.asarray(zero == 0)


def assemble(data: NDArray[np.uint8], version: int, level: str, mask: int) -> Bits:
    """Assembles the symbol, modules (M, M), True is dark, that holds these data codewords."""
    words = np.concatenate([data, encode(data[None], block(version, level).ec)[0]])
    modules = function_patterns(version).dark.copy()
    bits = np.unpackbits(words)[block(version, level).drawn.ravel()].astype(np.bool_)
    modules[places(version)] = bits ^ mask_bits(version, mask)
    modules[FORMAT_POSITIONS] = next(one.word for one in formats(version) if (one.level, one.mask) == (level, mask))
    return modules


@cache
def syntax(version: int) -> Syntax:
    """The syntax of a version's messages (tables 2 and 3)."""
    modes = (NUMERIC, ALPHANUMERIC, BYTE, KANJI)[: version if version < 3 else 4]
    widths = (version + 2, version + 1, version + 1, version)
    counts = dict(zip(modes, widths, strict=False))
    return Syntax(version - 1, dict(enumerate(modes)), counts, terminator=2 * version + 1)


def parse_message(data: NDArray[np.uint8], version: int, level: str) -> Message | None:
    """Parses the data codewords of a symbol; None if they are no message."""
    drawn = block(version, level)
    bits = np.unpackbits(data)[drawn.drawn[: -drawn.ec].ravel()]
    return parse_bits(np.packbits(bits).tobytes(), drawn.data_bits, syntax(version))
