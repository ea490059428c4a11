"""Charsets by name, and the guess at that of bytes which name none."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

import numpy as np
import webencodings

from app.pipeline.payload.plausibility import BINARY, STEPS, Language, SingleByteCharsets


@dataclass(frozen=True, slots=True)
class Charset:
    """A charset: its ``name`` in answers, and Python's ``codec`` for it."""

    name: str
    codec: str

    def decode(self, payload: bytes) -> str:
        """The text of bytes; those that the charset has not become replacement characters. A byte order mark of UTF-16
        is no part of it."""
        text = payload.decode(self.codec, "replace")
        return text.removeprefix("\ufeff") if self.has_zero_bytes else text

    @property
    def has_zero_bytes(self) -> bool:
        """Whether text in it has bytes that elsewhere are control characters."""
        return self.codec.startswith("utf-16")


def find_charset(label: str) -> Charset | None:
    """The charset of a name in the registry of WHATWG's Encoding Standard, in any case; None if there is none."""
    found = webencodings.lookup(label)
    return Charset(found.name, found.codec_info.name) if found and found.name != "x-user-defined" else None


UTF_8: Final = Charset("UTF-8", "utf-8")
SHIFT_JIS: Final = Charset("Shift_JIS", "cp932")
GB18030: Final = Charset("GB18030", "gb18030")
_LATIN_1: Final = Charset("ISO-8859-1", "latin-1")
_UTF_16: Final = {b"\xff\xfe": Charset("UTF-16LE", "utf-16-le"), b"\xfe\xff": Charset("UTF-16BE", "utf-16-be")}
_WESTERN: Final = ("de", "fr", "en", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "is")
_CENTRAL: Final = ("pl", "cs", "hu", "ro", "sk", "hr", "sl")
_CYRILLIC: Final = ("ru", "uk", "bg", "sr")
_SINGLE_BYTE: Final = (
    (_LATIN_1, (BINARY,)),
    (_LATIN_1, _WESTERN),
    (Charset("windows-1252", "cp1252"), _WESTERN),
    (Charset("windows-1250", "cp1250"), _CENTRAL),
    (Charset("ISO-8859-2", "iso8859-2"), _CENTRAL),
    (Charset("windows-1251", "cp1251"), _CYRILLIC),
    (Charset("ISO-8859-5", "iso8859-5"), _CYRILLIC),
    (Charset("ISO-8859-7", "iso8859-7"), ("el",)),
)
_DOUBLE_BYTE: Final = (
    (SHIFT_JIS, Language("ja")),
    (GB18030, Language("zh_Hans")),
    (Charset("Big5", "big5hkscs"), Language("zh_Hant")),
    (Charset("EUC-KR", "cp949"), Language("ko")),
)
# Bits that a charset must gain over Latin-1, and Latin-1 over bytes of any value, before it is taken. Of strings of
# `training.measure.charsets` in other charsets than Unicode's (seeds 201 and 202, 4,716) and of names alone (seed 201)
# 99.4 and 97.6 % are right with 3 and 8 bits, and 14 % of 1,000 times 8 random bytes are taken for text beyond Latin-1.
# With 4 and 12 these are 99.5, 97.9 and 15 %, but ff fe fd becomes text. ISO 8859-5 is rarer than the others.
_FOR_WESTERN, _FOR_OTHERS, _FOR_RARE, _FOR_BINARY = 0, 3 * STEPS, 6 * STEPS, 8 * STEPS
_DEMANDS: Final = np.array(
    [_FOR_BINARY, _FOR_WESTERN, _FOR_WESTERN, _FOR_OTHERS, _FOR_OTHERS, _FOR_OTHERS, _FOR_RARE, _FOR_OTHERS]
)
_FOR_NEIGHBOUR: Final = 10 * STEPS
"""What is granted to the charset of segments beside the bytes in question."""
_MOST: Final = 4096
"""Bytes that are looked at: more say nothing new."""

_SINGLE_BYTE_SCORES: Final = SingleByteCharsets([(charset.codec, languages) for charset, languages in _SINGLE_BYTE])
_SEPARATORS: Final = "\t\r\n\x04\x1c\x1d\x1e\x1f"
"""Control characters of texts and of messages with fields."""
_NO_TEXT: Final = ("Cc", "Cn", "Co", "Cs")
_CUT: Final = re.compile(rb"[\x80-\xbf]{0,3}(.*?)(?:[\xc2-\xf4][\x80-\xbf]{0,2})?", re.DOTALL)


def guess_charset(payload: bytes, neighbour: Charset | None = None) -> Charset:
    """The likeliest charset of bytes: UTF-8 if they are valid, UTF-16 if they say so by a byte order mark, else the one
    in which their characters follow each other most plausibly; Latin-1 if they do so in none.

    ``neighbour``: the charset of other segments of the same symbol, which is likelier than others. UTF-8 cut within its
    first or last character, as in a part of a structured append, counts as valid.
    """
    if _is_utf_8(payload):
        return UTF_8
    if (wide := _UTF_16.get(payload[:2])) and _is_utf_16(payload, wide):
        return wide
    costs = _SINGLE_BYTE_SCORES.costs(payload[:_MOST]) + _DEMANDS
    best = int(costs.argmin())
    charset, fewest = _SINGLE_BYTE[best][0], int(costs[best])
    for candidate, language in _DOUBLE_BYTE:
        text = _strictly(payload, candidate)
        if text is not None:
            text = text if len(payload) <= _MOST else payload[:_MOST].decode(candidate.codec, "ignore")
            cost = language.cost(text) + _FOR_OTHERS - (_FOR_NEIGHBOUR if candidate == neighbour else 0)
            if cost < fewest:
                charset, fewest = candidate, cost
    return charset


def _is_utf_8(payload: bytes) -> bool:
    """Whether bytes are valid UTF-8, or are but for cuts and have four bytes in the right places at least, as two
    characters of three bytes have."""
    if _strictly(payload, UTF_8) is not None:
        return True
    whole = _CUT.fullmatch(payload)
    text = _strictly(whole[1], UTF_8) if whole else None
    return whole is not None and text is not None and len(whole[1]) - len(text) >= 4


def _is_utf_16(payload: bytes, charset: Charset) -> bool:
    """Whether bytes are UTF-16 without control characters and characters that do not exist."""
    text = _strictly(payload, charset)
    return text is not None and not any(unicodedata.category(one) in _NO_TEXT for one in text if one not in _SEPARATORS)


def _strictly(payload: bytes, charset: Charset) -> str | None:
    """The text of bytes; None if the charset has not all of them."""
    try:
        return payload.decode(charset.codec)
    except UnicodeDecodeError:
        return None
