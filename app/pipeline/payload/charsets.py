"""Charsets by name, and the guess at that of bytes which name none."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

import webencodings

from app.pipeline.payload.plausibility import costs, rows_of

_LATIN_CONTROLS: Final = re.compile(r"[\x80-\x9f]")
_JAPANESE_RUN: Final = re.compile(r"[^\x00-\x7f]{3}")


@dataclass(frozen=True, slots=True)
class Charset:
    """A charset: its ``name`` in answers, and Python's ``codec`` for it."""

    name: str
    codec: str

    def decode(self, payload: bytes) -> str:
        """The text of bytes; those that the charset has not become replacement characters."""
        return payload.decode(self.codec, "replace")


def find_charset(label: str) -> Charset | None:
    """The charset of a name in the registry of WHATWG's Encoding Standard, in any case; None if there is none."""
    found = webencodings.lookup(label)
    return Charset(found.name, found.codec_info.name) if found and found.name != "x-user-defined" else None


UTF_8: Final = Charset("UTF-8", "utf-8")
_LATIN_1: Final = Charset("ISO-8859-1", "latin-1")
_WINDOWS_LATIN: Final = Charset("windows-1252", "cp1252")
_BOMS: Final = {b"\xff\xfe": Charset("UTF-16LE", "utf-16"), b"\xfe\xff": Charset("UTF-16BE", "utf-16")}
_WESTERN: Final = rows_of("en", "nb")
_CENTRAL: Final = rows_of("pl", "hr")
_CYRILLIC: Final = rows_of("ru", "sr")
_CANDIDATES: Final = (
    (_LATIN_1, _WESTERN, 0.0),
    (_WINDOWS_LATIN, _WESTERN, 0.0),
    (Charset("Shift_JIS", "cp932"), rows_of("ja"), 2.0),
    (Charset("GB18030", "gb18030"), rows_of("zh_Hans"), 2.0),
    (Charset("Big5", "big5hkscs"), rows_of("zh_Hant"), 2.0),
    (Charset("EUC-KR", "cp949"), rows_of("ko"), 2.0),
    (Charset("windows-1251", "cp1251"), _CYRILLIC, 2.0),
    (Charset("windows-1250", "cp1250"), _CENTRAL, 2.0),
    (Charset("ISO-8859-2", "iso8859-2"), _CENTRAL, 2.0),
    (Charset("ISO-8859-7", "iso8859-7"), rows_of("el"), 2.0),
    (Charset("ISO-8859-5", "iso8859-5"), _CYRILLIC, 2.0),
)
"""Charsets, the languages that they are for, and what must speak for them, in bits, before others are left."""
_BINARY: Final = rows_of("binary")
_MOST: Final = 4096
"""Bytes that are looked at: more say nothing new."""


def guess_charset(payload: bytes) -> Charset:
    """The likeliest charset of bytes."""
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return UTF_8
    if wide := _BOMS.get(payload[:2]):
        try:
            text = payload.decode("utf-16")
            if all(c in "\r\n\t\x1c\x1d\x1e\x04" or unicodedata.category(c) not in ("Cc","Cn","Co","Cs") for c in text): return wide
        except UnicodeDecodeError:
            pass
    return _likeliest(payload)


def _likeliest(payload: bytes) -> Charset:
    latin = payload.decode("latin-1")
    best, fewest = _LATIN_1, costs(latin, _BINARY)[0] + NULL*8
    c1 = _LATIN_CONTROLS.search(latin)
    for charset, rows, prior in _CANDIDATES:
        if charset is (_LATIN_1 if c1 else _WINDOWS_LATIN): continue
        try:
            text = payload.decode(charset.codec)
        except UnicodeDecodeError:
            continue
        bits = costs(text, rows).min() + int(prior*8)
        if bits < fewest:
            best, fewest = charset, bits
    return best
NULL=6.0
