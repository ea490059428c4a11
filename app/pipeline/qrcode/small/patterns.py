"""Function patterns, masks and format information of the small symbols.

Arrays are indexed [row, column] from the symbol's top left: (M, M) of Micro QR, (H, W) of rMQR.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import Bits, FunctionPatterns, bch_word, mask_of
from app.pipeline.qrcode.small.versions import MICRO_VERSIONS, modules_of

MICRO_MASKS: Final = (1, 4, 6, 7)
"""The masks of QR codes that the mask references 0 to 3 of Micro QR codes stand for (7.8.3)."""
RECTANGULAR_MASK: Final = 4
"""The only mask of rMQR codes."""
SMALL_QUIET_ZONE: Final = 2
"""Width of the light margin around a small symbol, in modules (9.1)."""
_MICRO_GENERATOR, _MICRO_MASK = 0b10100110111, 0x4445
_RECTANGULAR_GENERATOR, _RECTANGULAR_MASKS = 0b1111100100101, (0x1FAB2, 0x20A7B)
_FINDER: Final = np.array([[max(abs(r - 3), abs(c - 3)) not in (2, 4) for c in range(8)] for r in range(8)])
_SUB_FINDER: Final = np.array([[max(abs(r - 2), abs(c - 2)) != 1 for c in range(5)] for r in range(5)])
_ALIGNMENT: Final = np.array([[(r, c) != (1, 1) for c in range(3)] for r in range(3)])
# Columns of the vertical timing patterns, by the width of the symbol (ISO/IEC 23941:2022, annex D).
_TIMING_COLUMNS: Final = {
    27: (), 43: (21,), 59: (19, 39), 77: (25, 51), 99: (23, 49, 75), 139: (27, 55, 83, 111),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FormatInformation:
    """Where the format information is, rows and columns (copies, bits), and every word as drawn in each copy
    (values, copies, bits), most significant bit first."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    words: Bits


@cache
def small_patterns(version: str) -> FunctionPatterns:
    """The function patterns of a version."""
    height, width = modules_of(version) or (0, 0)
    known, dark = np.zeros((2, height, width), dtype=np.bool_)
    draw = _draw_micro if version in MICRO_VERSIONS else _draw_rectangular
    draw(known, dark)
    data = ~known
    information = format_information(version)
    data[information.rows, information.columns] = False
    for array in (known, dark, data):
        array.setflags(write=False)
    return FunctionPatterns(known=known, dark=dark, data=data)


def _draw_micro(known: Bits, dark: Bits) -> None:
    alternating = np.arange(len(known)) % 2 == 0
    for line in (np.s_[0, :], np.s_[:, 0]):
        known[line], dark[line] = True, alternating
    known[:8, :8], dark[:8, :8] = True, _FINDER


def _draw_rectangular(known: Bits, dark: Bits) -> None:
    height, width = known.shape
    down, along = np.arange(height) % 2 == 0, np.arange(width) % 2 == 0
    for column in (0, *_TIMING_COLUMNS[width], width - 1):
        known[:, column], dark[:, column] = True, down
    for row in (0, height - 1):
        known[row], dark[row] = True, along
    for column in _TIMING_COLUMNS[width]:
        for top in (0, height - 3):
            box = np.s_[top : top + 3, column - 1 : column + 2]
            known[box], dark[box] = True, _ALIGNMENT
    # Corner finder patterns: three dark modules along both edges, and a light one in the angle.
    for edge, across, light in (
        (np.s_[0, -3:], np.s_[:3, -1], (1, -2)),
        (np.s_[-1, :3], np.s_[-3:, 0], (-2, 1)),
    ):
        known[edge] = known[across] = known[light] = True
        dark[edge] = dark[across] = True
        dark[light] = False
    known[-5:, -5:], dark[-5:, -5:] = True, _SUB_FINDER
    rows = min(height, 8)
    known[:rows, :8], dark[:rows, :8] = True, _FINDER[:rows]


def timing_columns(version: str) -> tuple[int, ...]:
    """Columns of the vertical timing patterns within an rMQR code, each with an alignment pattern at both ends."""
    _, width = modules_of(version) or (0, 0)
    return _TIMING_COLUMNS[width]


@cache
def format_information(version: str) -> FormatInformation:
    """The format information of a version: of Micro QR one copy of 15 bits, values symbol number * 4 + mask; of rMQR
    two copies of 18 bits, values version indicator + 32 at level H."""
    if version in MICRO_VERSIONS:
        rows = [[8] * 8 + list(range(7, 0, -1))]
        columns = [[*range(1, 9), *[8] * 7]]
        words = [[bch_word(value, _MICRO_GENERATOR, 15, _MICRO_MASK)] for value in range(32)]
    else:
        height, width = modules_of(version) or (0, 0)
        first = [(3, 11), (2, 11), (1, 11), *((row, column) for column in (10, 9, 8) for row in range(5, 0, -1))]
        last = [(height - 6, width - column) for column in (3, 4, 5)]
        last += [(height - row, width - column) for column in (6, 7, 8) for row in range(2, 7)]
        rows = [[row for row, _ in copy] for copy in (first, last)]
        columns = [[column for _, column in copy] for copy in (first, last)]
        words = [
            [bch_word(value, _RECTANGULAR_GENERATOR, 18, mask) for mask in _RECTANGULAR_MASKS] for value in range(64)
        ]
    return FormatInformation(np.array(rows, np.intp), np.array(columns, np.intp), np.array(words))


@cache
def small_zigzag(version: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the modules that carry codewords, first bit first."""
    data = small_patterns(version).data
    height, width = data.shape
    right = np.arange(width - (1 if version in MICRO_VERSIONS else 2), 0, -2)
    upward = (np.arange(len(right)) % 2 == 0)[:, None]
    lines = np.where(upward, np.arange(height - 1, -1, -1), np.arange(height))
    rows = np.repeat(lines.ravel(), 2)
    columns = (right[:, None, None] - np.arange(2) + np.zeros((1, height, 1), dtype=np.intp)).ravel()
    carries = data[rows, columns]
    return rows[carries], columns[carries]


@cache
def small_mask(version: str, mask: int) -> Bits:
    """The pattern of a data mask, 0 to 7 as of QR codes, True where it inverts a module."""
    height, width = small_patterns(version).data.shape
    rows, columns = np.mgrid[:height, :width]
    return np.asarray(mask_of(rows, columns, mask) & small_patterns(version).data)
