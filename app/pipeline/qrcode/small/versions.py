"""Versions of the small symbols by their names, "M1" to "M4" and "R7x43" to "R17x139": sizes, codewords, syntax."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from app.pipeline.qrcode.codewords import (
    ALPHANUMERIC,
    BYTE,
    ECI,
    FNC1_FIRST,
    FNC1_SECOND,
    KANJI,
    NUMERIC,
)
from app.pipeline.qrcode.segments import Syntax

MICRO_VERSIONS: Final = ("M1", "M2", "M3", "M4")
_MICRO: Final = re.compile(r"M([1-4])")
_RECTANGULAR: Final = re.compile(r"R(\d+)x(\d+)")
_COUNTED: Final = (NUMERIC, ALPHANUMERIC, BYTE, KANJI)
_MICRO_COUNTS: Final = (2, 1, 1, 0)  # bits of the character counts beyond the number of the version (table 3)
_RECTANGULAR_MODES: Final = {
    1: NUMERIC, 2: ALPHANUMERIC, 3: BYTE, 4: KANJI, 5: FNC1_FIRST, 6: FNC1_SECOND, 7: ECI,
}  # fmt: skip
# ISO/IEC 18004:2015, tables 7 and 9. Symbol numbers 0 to 7: version, level, bits of data, check codewords. M1 only
# detects errors, and has no level; readers call it L.
_MICRO_SYMBOLS: Final = (
    ("M1", "L", 20, 2), ("M2", "L", 40, 5), ("M2", "M", 32, 6), ("M3", "L", 84, 6), ("M3", "M", 68, 8),
    ("M4", "L", 128, 8), ("M4", "M", 112, 10), ("M4", "Q", 80, 14),
)  # fmt: skip
# ISO/IEC 23941:2022, tables 6 and 8, in the order of version indicators: bits of the character counts of digits,
# letters, bytes and Kanji; check codewords and blocks at level M, then at level H.
_RECTANGULAR_SYMBOLS: Final = {
    "R7x43": "4 3 3 2 7 1 10 1",
    "R7x59": "5 5 4 3 9 1 14 1",
    "R7x77": "6 5 5 4 12 1 22 1",
    "R7x99": "7 6 5 5 16 1 30 1",
    "R7x139": "7 6 6 5 24 1 44 2",
    "R9x43": "5 5 4 3 9 1 14 1",
    "R9x59": "6 5 5 4 12 1 22 1",
    "R9x77": "7 6 5 5 18 1 32 2",
    "R9x99": "7 6 6 5 24 1 44 2",
    "R9x139": "8 7 6 6 36 2 66 3",
    "R11x27": "4 4 3 2 8 1 10 1",
    "R11x43": "6 5 5 4 12 1 20 1",
    "R11x59": "7 6 5 5 16 1 32 2",
    "R11x77": "7 6 6 5 24 1 44 2",
    "R11x99": "8 7 6 6 32 2 60 2",
    "R11x139": "8 7 7 6 48 2 90 3",
    "R13x27": "5 5 4 3 9 1 14 1",
    "R13x43": "6 6 5 5 14 1 28 1",
    "R13x59": "7 6 6 5 22 1 40 2",
    "R13x77": "7 7 6 6 32 2 56 2",
    "R13x99": "8 7 7 6 40 2 78 3",
    "R13x139": "8 8 7 7 60 3 112 4",
    "R15x43": "7 6 6 5 18 1 36 2",
    "R15x59": "7 7 6 5 26 1 48 2",
    "R15x77": "8 7 7 6 36 2 72 3",
    "R15x99": "8 7 7 6 48 2 88 4",
    "R15x139": "9 8 7 7 72 3 130 5",
    "R17x43": "7 6 6 5 22 1 40 2",
    "R17x59": "8 7 6 6 32 2 60 2",
    "R17x77": "8 7 7 6 44 2 84 3",
    "R17x99": "8 8 7 6 60 3 104 4",
    "R17x139": "9 8 8 7 80 4 156 6",
}
RECTANGULAR_VERSIONS: Final = tuple(_RECTANGULAR_SYMBOLS)


@dataclass(frozen=True, slots=True)
class SmallSymbol:
    """A version at a level: ``data_bits`` are those of the message, None where check codewords leave whole ones for it;
    ``ec`` check codewords in each of ``blocks`` blocks."""

    version: str
    level: str
    data_bits: int | None
    ec: int
    blocks: int


def modules_of(name: str) -> tuple[int, int] | None:
    """Height and width in modules of "M1" to "M4" or a version like "R11x27"; None for other names."""
    if micro := _MICRO.fullmatch(name):
        return (9 + 2 * int(micro[1]),) * 2
    if rectangular := _RECTANGULAR.fullmatch(name):
        return int(rectangular[1]), int(rectangular[2])
    return None


@cache
def micro_symbol(number: int) -> SmallSymbol:
    """The Micro QR symbol with this symbol number, 0 to 7."""
    version, level, data_bits, ec = _MICRO_SYMBOLS[number]
    return SmallSymbol(version, level, data_bits, ec, 1)


@cache
def rectangular_symbol(indicator: int, *, high: bool) -> SmallSymbol:
    """The rMQR symbol with this version indicator, 0 to 31, at level H, or else M."""
    version = RECTANGULAR_VERSIONS[indicator]
    numbers = [int(number) for number in _RECTANGULAR_SYMBOLS[version].split()]
    ec, blocks = numbers[6:] if high else numbers[4:6]
    return SmallSymbol(version, "H" if high else "M", None, ec // blocks, blocks)


@cache
def small_syntax(version: str) -> Syntax:
    """How messages are written in symbols of a version (ISO/IEC 18004:2015, 7.4; ISO/IEC 23941:2022, 7.4)."""
    if version in MICRO_VERSIONS:
        number = MICRO_VERSIONS.index(version) + 1
        modes = dict(enumerate(_COUNTED[: number if number < 3 else 4]))
        counts = {mode: number + wider for mode, wider in zip(_COUNTED, _MICRO_COUNTS, strict=True)}
        return Syntax(number - 1, modes, counts, terminator=2 * number + 1)
    widths = [int(number) for number in _RECTANGULAR_SYMBOLS[version].split()[:4]]
    return Syntax(3, _RECTANGULAR_MODES, dict(zip(_COUNTED, widths, strict=True)), terminator=3)
