"""Where the bits of a QR code are (ISO/IEC 18004:2015, sections 7.3 to 7.10): format and version information, masks,
the order of codewords and their blocks, and which data codewords form a message.

Log-odds are (M, M) float32 arrays with M = dimension(version): the natural logarithm of P(dark) / P(light), so that
positive means dark. They belong to an upright symbol; callers transpose those of a mirrored one.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import (
    Bits,
    format_positions,
    format_word,
    function_patterns,
    mask_pattern,
    version_positions,
    version_word,
    zigzag,
)
from app.pipeline.qrcode.reed_solomon import encode

PADDING = (0xEC, 0x11)
# Mode indicators (7.4; Hanzi mode is that of GB/T 18284).
TERMINATOR, NUMERIC, ALPHANUMERIC, STRUCTURED_APPEND, BYTE, FNC1_FIRST = range(6)
ECI, KANJI, FNC1_SECOND, HANZI = 7, 8, 9, 13
CHARACTER_MODES = (NUMERIC, ALPHANUMERIC, BYTE, KANJI, HANZI)
GB_2312 = 1
"""The one character set of Hanzi mode, which follows its mode indicator in 4 bits (GB/T 18284-2000)."""

# Table 9, versions 1 to 40: error correction codewords per block, then number of blocks.
_EC = {
    "L": "7 10 15 20 26 18 20 24 30 18 20 24 26 30 22 24 28 30 28 28"
    " 28 28 30 30 26 28 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
    "M": "10 16 26 18 24 16 18 22 22 26 30 22 22 24 24 28 28 26 26 26"
    " 26 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28",
    "Q": "13 22 18 26 18 24 18 22 20 24 28 26 24 20 30 24 28 28 26 30"
    " 28 30 30 30 30 28 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
    "H": "17 28 22 16 22 28 26 26 24 28 24 28 22 24 24 30 28 28 26 28"
    " 30 24 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
}
_BLOCKS = {
    "L": "1 1 1 1 1 2 2 2 2 4 4 4 4 4 6 6 6 6 7 8 8 9 9 10 12 12 12 13 14 15 16 17 18 19 19 20 21 22 24 25",
    "M": "1 1 1 2 2 4 4 4 5 5 5 8 9 9 10 10 11 13 14 16 17 17 18 20 21 23 25 26 28 29 31 33 35 37 38 40 43 45 47 49",
    "Q": "1 1 2 2 4 4 6 6 8 8 8 10 12 16 12 17 16 18 21 20 23 23 25 27 29 34 34 35 38 40 43 45 48 51 53 56 59 62 65 68",
    "H": "1 1 2 4 4 4 5 6 8 8 11 11 16 16 18 16 19 21 25 25"
    " 25 34 30 32 35 37 40 42 45 48 51 54 57 60 63 66 70 74 77 81",
}
_RESERVED = {(1, "L"): 3, (1, "M"): 2, (1, "Q"): 1, (1, "H"): 1, (2, "L"): 2, (3, "L"): 1}


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of a symbol's codewords, laid out as a (count, length) array; the longest block has
    ``length``.

    Shorter blocks are aligned right: their first codeword is ``absent``, a zero that is never drawn. ``stream`` and
    ``message`` are flat indices into that array: of all codewords in drawing order, and of data codewords in reading
    order. Of each block's ``ec`` error correction codewords, ``reserved`` serve to detect misdecodes (p of table 9).
    """

    count: int
    length: int
    ec: int
    reserved: int
    absent: NDArray[np.bool_]
    stream: NDArray[np.intp]
    message: NDArray[np.intp]

    @property
    def data_codewords(self) -> int:
        """Number of data codewords of all blocks."""
        return len(self.message)


@cache
def blocks(version: int, level: str) -> Blocks:
    """How a version and level divide the codewords into blocks. Raises KeyError for an unknown level."""
    ec, count = (int(table[level].split()[version - 1]) for table in (_EC, _BLOCKS))
    return lay_out(int(function_patterns(version).data.sum()) // 8, ec, count, _RESERVED.get((version, level), 0))


def lay_out(total: int, ec: int, count: int, reserved: int = 0) -> Blocks:
    """Divides ``total`` codewords into ``count`` blocks with ``ec`` check codewords each; the first blocks are shorter
    where they do not divide evenly."""
    short, long_blocks = divmod(total, count)
    length = short + (long_blocks > 0)
    index = np.arange(count * length, dtype=np.intp).reshape(count, length)
    absent = np.zeros((count, length), dtype=np.bool_)
    absent[: count - long_blocks, 0] = long_blocks > 0
    data = np.where(absent[:, :1], np.roll(index, -1, axis=1), index)[:, : length - ec]
    present = np.ones(data.shape, dtype=np.bool_)
    present[:, -1] = ~absent[:, 0]
    stream = np.concatenate([data.T[present.T], index[:, length - ec :].T.ravel()])
    message = data[present]
    for array in (absent, stream, message):
        array.setflags(write=False)
    return Blocks(count, length, ec, reserved, absent, stream, message)


def assemble(data: NDArray[np.uint8], version: int, level: str, mask: int) -> Bits:
    """Assembles the symbol, modules (M, M), True is dark, that holds these data codewords, which are in reading order.

    Raises ValueError unless their number is that of the version and level.
    """
    structure = blocks(version, level)
    if data.shape != (structure.data_codewords,):
        raise ValueError(f"version {version}-{level} holds {structure.data_codewords} data codewords, not {data.shape}")
    words = np.zeros((structure.count, structure.length), dtype=np.uint8)
    words.ravel()[structure.message] = data
    words[:, -structure.ec :] = encode(words[:, : -structure.ec], structure.ec)
    patterns, at = function_patterns(version), zigzag(version)
    modules = patterns.dark.copy()
    bits = np.unpackbits(words.ravel()[structure.stream])
    modules[at] = np.pad(bits, (0, len(at[0]) - len(bits))).astype(np.bool_)
    modules ^= mask_pattern(version, mask)
    modules[format_positions(version)] = format_word(level, mask)
    if version >= 7:
        modules[version_positions(version)] = version_word(version)
    return modules
