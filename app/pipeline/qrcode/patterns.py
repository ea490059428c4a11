"""Sizes and function patterns of the versions 1 to 40 (ISO/IEC 18004:2015).

Arrays are indexed [row, column] from the symbol's top left and have ``dimension(version)`` modules a side.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

VERSIONS = range(1, 41)
QUIET_ZONE = 4
"""Width of the light margin around a symbol, in modules (section 9.1)."""
_FINDER = np.array([[max(abs(r - 3), abs(c - 3)) not in (2, 4) for c in range(-1, 8)] for r in range(-1, 8)])
_ALIGNMENT = np.array([[max(abs(r - 2), abs(c - 2)) != 1 for c in range(5)] for r in range(5)])


def dimension(version: int) -> int:
    """Number of modules a side."""
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


def render(modules: NDArray[np.bool_], *, pixels: int, quiet_zone: int = QUIET_ZONE) -> NDArray[np.uint8]:
    """Draws modules (M, M), True is dark, black on white at ``pixels`` a module, quiet zone included: (S, S) uint8."""
    light = np.pad(~modules, quiet_zone, constant_values=True)
    return np.kron(light, np.ones((pixels, pixels), dtype=np.bool_)).astype(np.uint8) * np.uint8(255)
