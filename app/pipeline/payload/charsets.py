"""Charsets by name, and the guess at that of bytes which name none."""

import re
from dataclasses import dataclass
from typing import Final

import webencodings

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
_SHIFT_JIS: Final = Charset("Shift_JIS", "cp932")
_LATIN_1: Final = Charset("ISO-8859-1", "latin-1")


def guess_charset(payload: bytes) -> Charset:
    """The likeliest charset of bytes: UTF-8 if they are valid, else Shift JIS if that is plausible, else Latin-1."""
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return UTF_8
    latin = payload.decode("latin-1")
    try:
        japanese = payload.decode("shift_jis")
    except UnicodeDecodeError:
        return _LATIN_1
    return _SHIFT_JIS if _LATIN_CONTROLS.search(latin) or _JAPANESE_RUN.search(japanese) else _LATIN_1
