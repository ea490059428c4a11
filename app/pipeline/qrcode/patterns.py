"""Sizes, function patterns, masks, and format and version information of versions 1 to 40 (ISO/IEC 18004:2015).

Arrays are indexed [row, column] from the symbol's top left and have ``dimension(version)`` modules a side.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]
"""Modules or bits, any shape; True is dark, and 1."""

LEVELS = ("L", "M", "Q", "H")
MASKS = range(8)
_LEVEL_INDICATOR = {"L": 0b01, "M": 0b00, "Q": 0b11, "H": 0b10}
_FORMAT_GENERATOR, _FORMAT_MASK = 0b10100110111, 0x5412
_VERSION_GENERATOR = 0b1111100100101
VERSIONS = range(1, 41)
QUIET_ZONE = 4
"""Width of the light margin around a symbol, in modules (section 9.1)."""
_FINDER = np.array([[max(abs(r - 3), abs(c - 3)) not in (2, 4) for c in range(-1, 8)] for r in range(-1, 8)])
_ALIGNMENT = np.array([[max(abs(r - 2), abs(c - 2)) != 1 for c in range(5)] for r in range(5)])


def dimension(version: int) -> int:
    """Size of a version: modules a side."""
    return 17 + 4 * version


def version_of(modules: int) -> int | None:
    """The version with ``modules`` modules a side; None if there is none."""
    version, rest = divmod(modules - 17, 4)
    return version if rest == 0 and version in VERSIONS else None


def alignment_centres(version: int) -> tuple[int, ...]:
    """Row and column coordinates of the alignment pattern centres (annex E), ascending; empty for version 1."""
    if version == 1:
        return ()
    count = version // 7 + 2
    step = 26 if version == 32 else (version * 4 + count * 2 + 1) // (2 * count - 2) * 2
    last = dimension(version) - 7
    return (6, *(last - step * i for i in reversed(range(count - 1))))


@dataclass(frozen=True, slots=True)
class FunctionPatterns:
    """Masks (M, M) of a version's modules.

    ``known``: modules whose value the version alone fixes. ``dark``: their values, False elsewhere. ``data``: modules
    that carry codewords, that is, all that are neither known nor format nor version information.
    """

    known: NDArray[np.bool_]
    dark: NDArray[np.bool_]
    data: NDArray[np.bool_]


@cache
def function_patterns(version: int) -> FunctionPatterns:
    """A version's finder patterns with separators, timing and alignment patterns, and dark module."""
    size = dimension(version)
    # One module of slack around the symbol takes the outer halves of the separators and is cut off at the end.
    known = np.zeros((size + 2, size + 2), dtype=np.bool_)
    dark = np.zeros_like(known)
    timing = np.arange(size) % 2 == 0
    for line in (np.s_[7, 1:-1], np.s_[1:-1, 7]):
        known[line], dark[line] = True, timing
    centres = alignment_centres(version)
    for row in centres:
        for column in centres:
            if (row, column) in ((6, 6), (6, centres[-1]), (centres[-1], 6)):
                continue
            box = np.s_[row - 1 : row + 4, column - 1 : column + 4]
            known[box], dark[box] = True, _ALIGNMENT
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        corner = np.s_[top : top + 9, left : left + 9]
        known[corner], dark[corner] = True, _FINDER
    known, dark = known[1:-1, 1:-1], dark[1:-1, 1:-1]
    known[size - 8, 8] = dark[size - 8, 8] = True

    reserved = known.copy()
    reserved[8, :9] = reserved[:9, 8] = reserved[8, -8:] = reserved[-8:, 8] = True
    if version >= 7:
        reserved[:6, -11:-8] = reserved[-11:-8, :6] = True
    data = ~reserved
    for array in (known, dark, data):
        array.setflags(write=False)
    return FunctionPatterns(known=known, dark=dark, data=data)


def complete_symbol(dark: NDArray[np.float32], version: int) -> NDArray[np.float32]:
    """Completes probabilities ``dark`` (M, M) by a version's function patterns and quiet zone: (M + 8, M + 8)."""
    patterns = function_patterns(version)
    return np.pad(np.where(patterns.known, patterns.dark, dark), QUIET_ZONE).astype(np.float32)


def render(modules: NDArray[np.bool_], *, pixels: int, quiet_zone: int = QUIET_ZONE) -> NDArray[np.uint8]:
    """Draws a symbol's pattern of modules (M, M), True is dark, black on white at ``pixels`` a module, quiet zone
    included: (S, S) uint8."""
    light = np.pad(~modules, quiet_zone, constant_values=True)
    return np.kron(light, np.ones((pixels, pixels), dtype=np.bool_)).astype(np.uint8) * np.uint8(255)


@cache
def zigzag(version: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pattern in which a version places codewords: rows and columns of their modules, first bit first, remainder
    bits at the end (7.7.3)."""
    size, data = dimension(version), function_patterns(version).data
    right = np.array([*range(size - 1, 6, -2), *range(5, 0, -2)])
    upward = (np.arange(len(right)) % 2 == 0)[:, None]
    lines = np.where(upward, np.arange(size - 1, -1, -1), np.arange(size))
    rows = np.repeat(lines.ravel(), 2)
    columns = (right[:, None, None] - np.arange(2) + np.zeros((1, size, 1), dtype=np.intp)).ravel()
    carries = data[rows, columns]
    rows, columns = rows[carries], columns[carries]
    for array in (rows, columns):
        array.setflags(write=False)
    return rows, columns


@cache
def mask_pattern(version: int, mask: int) -> Bits:
    """The pattern of a data mask (M, M), True where it inverts a module (table 10); False outside the codewords."""
    i, j = np.indices((dimension(version),) * 2)
    pattern = np.asarray(mask_of(i, j, mask) & function_patterns(version).data)
    pattern.setflags(write=False)
    return pattern


def mask_of(i: NDArray[np.intp], j: NDArray[np.intp], mask: int) -> Bits:
    """Whether a data mask inverts the modules in rows ``i`` and columns ``j`` (table 10)."""
    zero = (
        (i + j) % 2,
        i % 2,
        j % 3,
        (i + j) % 3,
        (i // 2 + j // 3) % 2,
        i * j % 2 + i * j % 3,
        (i * j % 2 + i * j % 3) % 2,
        ((i + j) % 2 + i * j % 3) % 2,
    )[mask]
    return np.asarray(zero == 0)


def bch_word(value: int, generator: int, length: int, mask: int) -> list[bool]:
    """A value with its check bits, masked, as ``length`` bits, most significant first."""
    return _bits(_bch(value, generator) ^ mask, length)


def _bch(value: int, generator: int) -> int:
    """Appends the check bits to ``value``: the remainder of its division by the generator polynomial."""
    degree = generator.bit_length() - 1
    rest = value << degree
    while rest.bit_length() > degree:
        rest ^= generator << (rest.bit_length() - 1 - degree)
    return value << degree | rest


def _bits(value: int, count: int) -> list[bool]:
    """The ``count`` low bits of ``value``, most significant first."""
    return [bool(value >> i & 1) for i in reversed(range(count))]


FORMATS = tuple((level, mask) for level in LEVELS for mask in MASKS)
FORMAT_WORDS = np.array(
    [_bits(_bch(_LEVEL_INDICATOR[level] << 3 | mask, _FORMAT_GENERATOR) ^ _FORMAT_MASK, 15) for level, mask in FORMATS]
)


def format_word(level: str, mask: int) -> Bits:
    """The pattern of the format information: (15,) bits as drawn, most significant first (7.9.1)."""
    return np.array(FORMAT_WORDS[FORMATS.index((level, mask))])


@cache
def format_positions(version: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns, (2, 15) each, of the two copies of the format information, most significant bit first."""
    last = dimension(version) - 1
    rows = [*[8] * 8, 7, *range(5, -1, -1)], [*range(last, last - 7, -1), *[8] * 8]
    columns = [*range(6), 7, *[8] * 8], [*[8] * 7, *range(last - 7, last + 1)]
    return np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp)


@cache
def version_positions(version: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns, (2, 18) each, of the two copies of the version information, most significant bit first."""
    i = np.arange(17, -1, -1)
    along, across = i // 3, dimension(version) - 11 + i % 3
    return np.stack([along, across]), np.stack([across, along])


def version_word(version: int) -> Bits:
    """The pattern of the version information of versions 7 to 40: (18,) bits, most significant first (7.10)."""
    return np.array(_bits(_bch(version, _VERSION_GENERATOR), 18))
