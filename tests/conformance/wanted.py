"""What encoders are asked for: messages whose bytes, modes, ECI, FNC1 and structured append are known before any
encoder or reader has run."""

from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from typing import Final

LEVELS: Final = "LMQH"
_CODECS: Final = {
    None: "utf-8", 3: "latin-1", 7: "iso8859-5", 9: "iso8859-7", 20: "shift_jis", 22: "cp1251", 25: "utf-16-be",
    26: "utf-8", 28: "big5", 30: "euc_kr", 32: "gb18030",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Characters that a symbol must hold: in a ``mode``, or whatever mode the encoder likes if it is ""; ``eci`` is the
    number that must be in force, None if none was stated."""

    mode: str
    text: str
    eci: int | None = None
    raw: bytes | None = None

    @property
    def payload(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return self.text.encode(
            {"kanji": "shift_jis", "hanzi": "gb2312"}.get(self.mode, _CODECS.get(self.eci, "utf-8"))
        )


@dataclass(frozen=True)
class Wanted:
    """A message: ``fnc1`` is 0, or the position, with the ``application`` indicator after the second. ``append``:
    index, total and parity. ``level``, ``version``, ``small_version`` and ``mask``: what the encoder is told, where it
    can be. ``is_text`` is False where a reader can but guess the text. ``elements``: those of GS1."""

    name: str
    parts: tuple[Part, ...]
    fnc1: int = 0
    application: str = ""
    append: tuple[int, int, int] | None = None
    level: str = "M"
    version: int | None = None
    mask: int | None = None
    family: str = "QRCode"
    small_version: str | None = None
    is_text: bool = True
    elements: tuple[tuple[str, str], ...] = field(default=())

    @property
    def payload(self) -> bytes:
        return self.application.encode() + b"".join(part.payload for part in self.parts)

    @property
    def text(self) -> str | None:
        return self.application + "".join(part.text for part in self.parts) if self.is_text else None

    @property
    def identifier(self) -> str:
        return f"]Q{(1, 3, 5)[self.fnc1] + any(part.eci is not None for part in self.parts)}"

    @property
    def is_plain(self) -> bool:
        """Whether it holds characters only: neither FNC1 nor structured append."""
        return not self.fnc1 and self.append is None

    def letters(self, part: Part) -> str:
        """What stands in alphanumeric mode for the text of a part: with FNC1, % is a separator, and %% a percent."""
        return part.text.replace("%", "%%").replace("\x1d", "%") if self.fnc1 else part.text

    @property
    def application_indicator(self) -> int:
        """The 8 bits of the application indicator (7.4.8.3)."""
        return int(self.application or 0) if not self.application.isalpha() else ord(self.application) + 100

    @property
    def has_eci(self) -> bool:
        return any(part.eci is not None for part in self.parts)


def _one(name: str, mode: str, text: str, eci: int | None = None, **options: object) -> Wanted:
    return Wanted(name, (Part(mode, text, eci),), **options)  # type: ignore[arg-type]


def _binary(name: str, raw: bytes, eci: int | None = None) -> Wanted:
    return Wanted(name, (Part("byte", "", eci, raw),), is_text=False)


_GS1: Final = "0109521234543213" + "10ABC123"
_MORE: Final = "\x1d217%7"
_ELEMENTS: Final = (("01", "09521234543213"), ("10", "ABC123"))
_KANJI: Final = "点茗日本語"

MODES: Final = (
    _one("numeric", "numeric", "01234567890123456789"),
    _one("numeric-one-digit", "numeric", "7"),
    _one("numeric-zeros", "numeric", "00000"),
    _one("alphanumeric", "alphanumeric", "AC-42 $%*+./:Z"),
    _one("alphanumeric-odd", "alphanumeric", "HELLO"),
    _one("byte", "byte", "https://example.org/a?b=c"),
    _one("byte-utf-8", "byte", "Grüße, 日本 €"),
    Wanted("byte-latin-1", (Part("byte", "", None, "Straße".encode("latin-1")),), is_text=False),
    _binary("byte-binary", bytes([0, 1, 2, 128, 255, 29, 13, 10])),
    _one("kanji", "kanji", _KANJI),
    _one("hanzi", "hanzi", "中文汉字"),
    Wanted(
        "mixed",
        (
            Part("numeric", "00012345"),
            Part("alphanumeric", "AB:C/"),
            Part("byte", "abc é"),
            Part("kanji", "日本"),
            Part("numeric", "9"),
        ),
    ),
)
ECIS: Final = (
    _one("eci-3", "byte", "Grüße", 3),
    _one("eci-9", "byte", "Ελλάδα", 9),
    _one("eci-20", "byte", "日本ｶﾅ", 20),
    _one("eci-22", "byte", "Привет", 22),
    _one("eci-25", "byte", "Grüße 日", 25),
    _one("eci-26", "byte", "Grüße, 日本 €", 26),
    _one("eci-28", "byte", "中文", 28),
    _one("eci-30", "byte", "한국어", 30),
    _one("eci-32", "byte", "中文 €", 32),
    _binary("eci-899", bytes([0, 255, 1, 254, 128]), 899),
    _binary("eci-1000", b"unassigned", 1000),
    _binary("eci-811799", b"private", 811799),
    Wanted("eci-switched", (Part("byte", "Жук", 7), Part("byte", "é日", 26), Part("byte", "Ελλ", 9))),
    Wanted("eci-none-then-one", (Part("byte", "plain "), Part("byte", "Ж日", 26))),
    Wanted("eci-and-digits", (Part("byte", "é日", 26), Part("numeric", "0123456789", 26))),
    Wanted("eci-and-kanji", (Part("byte", "é€", 26), Part("kanji", "日本", 26))),
)
_PIECES: Final = ("Stück eins, ", "Stück zwei, ", "Stück drei")
_PARITY: Final = reduce(xor, "".join(_PIECES).encode())
APPENDS: Final = (
    *(
        _one(f"append-{index + 1}-of-3", "byte", piece, append=(index, 3, _PARITY))
        for index, piece in enumerate(_PIECES)
    ),
    _one("append-16-of-16", "numeric", "42", append=(15, 16, 0x5A)),
    _one("append-eci", "byte", "Ж日", 26, append=(0, 2, 0x11)),
    Wanted("append-gs1", (Part("alphanumeric", _GS1),), fnc1=1, elements=_ELEMENTS, append=(0, 2, 0x77)),
)
GS1S: Final = (
    Wanted("gs1", (Part("alphanumeric", _GS1),), fnc1=1, elements=_ELEMENTS),
    Wanted("gs1-separated", (Part("alphanumeric", _GS1 + _MORE),), fnc1=1, elements=(*_ELEMENTS, ("21", "7%7"))),
    Wanted(
        "gs1-byte",
        (Part("byte", _GS1 + "x" + _MORE),),
        fnc1=1,
        elements=(_ELEMENTS[0], ("10", "ABC123x"), ("21", "7%7")),
    ),
    Wanted("gs1-eci", (Part("byte", "10é日", 26),), fnc1=1),
    Wanted("application-37", (Part("byte", "AA1234Bbb112text"),), fnc1=2, application="37"),
    Wanted("application-a", (Part("alphanumeric", "AB12"),), fnc1=2, application="a"),
    Wanted("application-eci", (Part("byte", "Ж日", 26),), fnc1=2, application="09"),
)
FULL: Final = (
    _one("full-numeric", "numeric", "12345678901234567890123456789012345678901", version=1, level="L"),
    _one("full-alphanumeric", "alphanumeric", "ABCDEFGHIJKLMNOPQRSTUVWXY", version=1, level="L"),
    _one("full-byte", "byte", "seventeen letters", version=1, level="L"),
    _one("full-kanji", "kanji", "日本語日本語日本語日", version=1, level="L"),
)
VERSIONS: Final = tuple(
    _one(f"version-{version}-{level}", "byte", f"v{version} {level}", version=version, level=level)
    for version, level in ((1, "L"), (2, "H"), (6, "Q"), (7, "M"), (9, "L"), (10, "Q"), (14, "H"), (27, "M"), (40, "L"))
)
MASKS: Final = tuple(
    _one(f"mask-{mask}-{level}", "byte", f"mask {mask}{level}", mask=mask, level=level, version=2)
    for mask, level in zip(range(8), LEVELS * 2, strict=True)
)
QR: Final = (*MODES, *ECIS, *APPENDS, *GS1S, *FULL, *VERSIONS, *MASKS)
"""Everything that is asked for in QR codes of versions 1 to 40."""


def _small(version: str, level: str, mode: str, text: str, mask: int | None = None) -> Wanted:
    family = "MicroQRCode" if version[0] == "M" else "RMQRCode"
    name = f"{version}-{level}-{mode}" + ("" if mask is None else f"-mask-{mask}")
    return _one(name, mode, text, level=level, family=family, small_version=version, mask=mask)


_SHORT: Final = {"numeric": "12345", "alphanumeric": "AB-1", "byte": "ab1", "kanji": "日本"}
_MICRO_LEVELS: Final = (("M2", "L"), ("M2", "M"), ("M3", "L"), ("M3", "M"), ("M4", "L"), ("M4", "M"), ("M4", "Q"))
MICRO: Final = (
    *(
        _small(version, level, mode, _SHORT[mode], mask)
        for version, level in _MICRO_LEVELS
        for mask, mode in enumerate(_SHORT)
        if version != "M2" or mask < 2
    ),
    *(_small(version, level, "numeric", "86420", None) for version, level in _MICRO_LEVELS),
)
RECTANGULAR_SIZES: Final = (
    *(f"R{height}x{width}" for height in (7, 9) for width in (43, 59, 77, 99, 139)),
    *(f"R{height}x{width}" for height in (11, 13) for width in (27, 43, 59, 77, 99, 139)),
    *(f"R{height}x{width}" for height in (15, 17) for width in (43, 59, 77, 99, 139)),
)
RECTANGULAR: Final = tuple(
    _small(version, level, mode, text)
    for version in RECTANGULAR_SIZES
    for level in "MH"
    for mode, text in (("numeric", "1234"), ("alphanumeric", "AB-"), ("byte", "é"), ("kanji", "日"))
)
_RECTANGULAR_SPECIAL: Final = (
    _one("R13x77-eci-26", "byte", "é日€", 26, family="RMQRCode", small_version="R13x77"),
    Wanted(
        "R15x77-eci-switched", (Part("byte", "Ж", 7), Part("byte", "é日", 26)),
        family="RMQRCode", small_version="R15x77",
    ),
    Wanted(
        "R17x99-gs1", (Part("alphanumeric", _GS1 + _MORE),), fnc1=1, elements=(*_ELEMENTS, ("21", "7%7")),
        family="RMQRCode", small_version="R17x99",
    ),
)  # fmt: skip
_ANY_SIZE: Final = tuple(
    _one(f"{family}-{mode}", mode, text, level="M", family=family)
    for family in ("MicroQRCode", "RMQRCode")
    for mode, text in (("numeric", "1234567"), ("alphanumeric", "AC-42"), ("byte", "Straw"))
)
SMALL: Final = (*MICRO, *RECTANGULAR, *_RECTANGULAR_SPECIAL, *_ANY_SIZE)
"""What is asked for in Micro QR and rMQR codes. Not M1, which answers leave out: any blot reads as one."""
