"""Versions of the small symbols, Micro QR (ISO/IEC 18004:2015) and rMQR (ISO/IEC 23941:2022), by their names."""

import re
from typing import Final

_MICRO: Final = re.compile(r"M([1-4])")
_RECTANGULAR: Final = re.compile(r"R(\d+)x(\d+)")


def modules_of(name: str) -> tuple[int, int] | None:
    """Height and width in modules of "M1" to "M4" or a version like "R11x27"; None for other names."""
    if micro := _MICRO.fullmatch(name):
        return (9 + 2 * int(micro[1]),) * 2
    if rectangular := _RECTANGULAR.fullmatch(name):
        return int(rectangular[1]), int(rectangular[2])
    return None
