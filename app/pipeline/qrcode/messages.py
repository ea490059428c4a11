"""Lengths of the parts of a message in data codewords (ISO/IEC 18004:2015, 7.4; Hanzi mode: GB/T 18284)."""

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import ALPHANUMERIC, BYTE, HANZI, KANJI, NUMERIC


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
