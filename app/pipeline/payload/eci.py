"""Charsets that Extended Channel Interpretations name (AIM ITS/04-023)."""

from typing import Final

from app.pipeline.payload.charsets import Charset

BINARY: Final = 899
"""The ECI of 8-bit binary data."""
# Codecs are the supersets that encoders write under these names: cp932 for Shift JIS, gb18030 for GB 2312 and GBK.
_CHARSETS: Final = {
    0: ("IBM437", "cp437"),
    1: ("ISO-8859-1", "latin-1"),
    2: ("IBM437", "cp437"),
    3: ("ISO-8859-1", "latin-1"),
    **{number: (f"ISO-8859-{number - 2}", f"iso8859-{number - 2}") for number in (*range(4, 14), *range(15, 19))},
    20: ("Shift_JIS", "cp932"),
    21: ("windows-1250", "cp1250"),
    22: ("windows-1251", "cp1251"),
    23: ("windows-1252", "cp1252"),
    24: ("windows-1256", "cp1256"),
    25: ("UTF-16BE", "utf-16-be"),
    26: ("UTF-8", "utf-8"),
    27: ("US-ASCII", "ascii"),
    28: ("Big5", "big5hkscs"),
    29: ("GB2312", "gb18030"),
    30: ("EUC-KR", "cp949"),
    31: ("GBK", "gb18030"),
    32: ("GB18030", "gb18030"),
    33: ("UTF-16LE", "utf-16-le"),
    34: ("UTF-32BE", "utf-32-be"),
    35: ("UTF-32LE", "utf-32-le"),
    170: ("ISO646-INV", "ascii"),
}


def charset_name(eci: int) -> str:
    """The charset that an ECI names: as in the registry of IANA, "binary", or "ECI n" for numbers without one."""
    if eci == BINARY:
        return "binary"
    return _CHARSETS[eci][0] if eci in _CHARSETS else f"ECI {eci}"


def is_known(eci: int) -> bool:
    """Whether bytes under an ECI can be turned into text, or are declared to be none."""
    return eci in _CHARSETS or eci == BINARY


def charset_of_eci(eci: int) -> Charset:
    """The charset of bytes under an ECI; Latin-1 for one without a charset."""
    return Charset(charset_name(eci), _CHARSETS[eci][1] if eci in _CHARSETS else "latin-1")
