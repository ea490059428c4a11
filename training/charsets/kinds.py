"""The kinds that characters are of: each a number."""

import unicodedata
from typing import Final

_SINGLE_BYTE: Final = (
    *("cp1250", "cp1251", "cp1252", "latin-1", "iso8859-2", "iso8859-5", "iso8859-7"),
    *("cp1254", "cp1255", "cp1256", "cp874"),
)
_ALPHABETS: Final = ("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "THAI")
_SIGNS: Final = "!\"#%&'()*+,-./:;=?@_`" + "«»„“”\u2018\u2019–—…•·°№§©®€£¥±²³¿¡ªº\u00b4µ¼½\xa0\xad"
_ASCII_CLASSES: Final = ("space", "separator", "digit", "ascii sign")
_WIDE: Final = (
    "hiragana",
    "katakana",
    "half-width",
    "han",
    "hangul",
    "cjk sign",
    "wide digit",
    "wide letter",
    "wide sign",
)
SETS: Final = (*_WIDE, "rare", "sign")
"""Kinds of many characters, each of which has costs of its own."""
_RANGES: Final = (
    *((0x3041, 0x309F, "hiragana"), (0x30A1, 0x30FF, "katakana"), (0xFF66, 0xFF9F, "half-width")),
    *((0x4E00, 0x9FFF, "han"), (0x3400, 0x4DBF, "rare"), (0xF900, 0xFAFF, "rare"), (0xAC00, 0xD7A3, "hangul")),
    *((0x3000, 0x303F, "cjk sign"), (0xFF10, 0xFF19, "wide digit"), (0xFF21, 0xFF3A, "wide letter")),
    *((0xFF41, 0xFF5A, "wide letter"), (0xFF01, 0xFF65, "wide sign"), (0xFFE0, 0xFFE6, "wide sign")),
)


def _letters() -> list[str]:
    """The letters of the single-byte charsets, in lower case, with the vowels that stand above or below others."""
    stored = bytes(range(256))
    every = {one for codec in _SINGLE_BYTE for one in stored.decode(codec, "ignore") if one not in _SIGNS}
    return sorted({_lower(one) for one in every if unicodedata.category(one)[0] in "LM" and _alphabet(one)})


def _lower(one: str) -> str:
    """A capital I with a dot becomes a plain i."""
    return one.lower()[0]


def _alphabet(one: str) -> str:
    """The alphabet that a character's name begins with; empty if it is none of those that are told apart."""
    first = unicodedata.name(one, "").split(" ")[0]
    return first if first in _ALPHABETS else ""


_LETTERS: Final = _letters()
NAMES: Final = (*_ASCII_CLASSES, "bad", *SETS, *_SIGNS, *_LETTERS)
NUMBERS: Final = {name: number for number, name in enumerate(NAMES)}
"""The numbers of kinds. A space, of which kind the ends of a text are, is 0; signs and letters are their own names."""
ASCII: Final = tuple(NUMBERS[name] for name in NAMES if name in _ASCII_CLASSES or (len(name) == 1 and name.isascii()))
"""The kinds of bytes below 128 apart from control characters."""
SCRIPTS: Final = {NUMBERS[one]: _alphabet(one) for one in _LETTERS}
"""The alphabets of letters: LATIN, GREEK, CYRILLIC, HEBREW, ARABIC or THAI."""


def kind_of(code: int) -> int:
    """The kind of a character by its number, below 65536."""
    return NUMBERS[_name_of(chr(code))]


def _name_of(one: str) -> str:
    category = unicodedata.category(one)
    if one in " \n\r\t":
        return "space"
    if one in "\x04\x1c\x1d\x1e\x1f":
        return "separator"
    if category in ("Cc", "Cn", "Co", "Cs") or one == "\ufffd":
        return "bad"
    if one.isascii() and one.isdigit():
        return "digit"
    if _lower(one) in NUMBERS:
        return _lower(one)
    if name := next((name for first, last, name in _RANGES if first <= ord(one) <= last), None):
        return name
    if one.isascii():
        return "ascii sign"
    return "sign" if category[0] in "PSN" else "rare"


def case_of(code: int) -> int:
    """0: no letter with a case, 1: lower, 2: upper."""
    category = unicodedata.category(chr(code))
    return {"Ll": 1, "Lu": 2}.get(category, 0) if not 0xFF00 <= code < 0xFFF0 else 0
