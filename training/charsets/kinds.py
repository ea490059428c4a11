"""The kinds that characters are of: each a number below 256."""

import unicodedata
from typing import Final

SINGLE_BYTE: Final = ("cp1250", "cp1251", "cp1252", "latin-1", "iso8859-2", "iso8859-5", "iso8859-7")
_SIGNS: Final = "!\"#%&'()*+,-./:;=?@_" + "«»„“”‘’–—…•·°№§©®€£¥±²³¿¡ªº´`µ¼½\xa0\xad"
_BASIC: Final = ("space", "bad", "separator", "digit", "ascii sign", "sign")
_WIDE: Final = (
    *("hiragana", "katakana", "half-width", "han", "hangul", "cjk sign", "wide digit", "wide letter", "wide sign", "rare"),
)  # fmt: skip


def _letters() -> list[str]:
    """The letters of the single-byte charsets, in lower case."""
    found = set()
    for codec in SINGLE_BYTE:
        for byte in range(256):
            one = bytes([byte]).decode(codec, "ignore")
            if one and unicodedata.category(one) in ("Lu", "Ll") and one != "µ":
                found.add(one.lower())
    return sorted(found)


NAMES: Final = (*_BASIC, *_WIDE, *_SIGNS, *_letters())
NUMBERS: Final = {name: number for number, name in enumerate(NAMES)}
ASCII: Final = frozenset(
    NUMBERS[name]
    for name in NAMES
    if len(name) == 1 and name.isascii() or name in _BASIC and name not in ("bad", "sign")
)
"""The kinds of which bytes below 128 are, apart from control characters."""
_RANGES: Final = (
    *((0x3041, 0x309F, "hiragana"), (0x30A1, 0x30FF, "katakana"), (0xFF66, 0xFF9F, "half-width")),
    *((0x4E00, 0x9FFF, "han"), (0x3400, 0x4DBF, "rare"), (0xF900, 0xFAFF, "rare"), (0xAC00, 0xD7A3, "hangul")),
    *((0x3000, 0x303F, "cjk sign"), (0xFF10, 0xFF19, "wide digit"), (0xFF21, 0xFF3A, "wide letter")),
    *((0xFF41, 0xFF5A, "wide letter"), (0xFF01, 0xFF65, "wide sign"), (0xFFE0, 0xFFE6, "wide sign")),
)


def kind_of(code: int) -> int:
    """The kind of a character by its number."""
    one = chr(code)
    if one in " \n\r\t":
        return NUMBERS["space"]
    if code in (4, 0x1C, 0x1D, 0x1E, 0x1F):
        return NUMBERS["separator"]
    category = unicodedata.category(one)
    if category in ("Cc", "Cn", "Co", "Cs") or code == 0xFFFD:
        return NUMBERS["bad"]
    if one.isascii() and one.isdigit():
        return NUMBERS["digit"]
    if len(one.lower()) == 1 and one.lower() in NUMBERS:
        return NUMBERS[one.lower()]
    name = next((name for first, last, name in _RANGES if first <= code <= last), None)
    if name:
        return NUMBERS[name]
    if one.isascii():
        return NUMBERS["ascii sign"]
    return NUMBERS["sign" if category[0] in "PSN" else "rare"]


def case_of(code: int) -> int:
    """0: no letter with a case, 1: lower, 2: upper."""
    category = unicodedata.category(chr(code))
    return {"Ll": 1, "Lu": 2}.get(category, 0) if not 0xFF00 <= code < 0xFFF0 else 0
