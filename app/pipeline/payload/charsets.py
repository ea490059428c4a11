"""Charsets by name, and the guess at that of bytes which name none."""

import codecs
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import webencodings

from app.pipeline.payload.plausibility import BINARY, STEPS, Language, SingleByteCharsets

REPLACEMENT: Final = "\ufffd"
"""Stands for what cannot be decoded."""
_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Charset:
    """A charset: its ``name`` in answers, and Python's ``codec`` for it."""

    name: str
    codec: str

    def decode(self, payload: bytes) -> str:
        """The text of bytes; those that the charset has not become replacement characters. A byte order mark is no part
        of it."""
        return payload.decode(self.codec, "replace").removeprefix(_MARK)

    def decode_pieces(self, pieces: Sequence[bytes]) -> list[str]:
        """The text of each of several pieces that follow each other. A character cut between two is a replacement
        character at the end of the one and at the beginning of the other."""
        if len(pieces) == 1:
            return [self.decode(pieces[0])]
        decoder = codecs.getincrementaldecoder(self.codec)("replace")
        texts, begun_in = [], 0
        for number, piece in enumerate(pieces):
            text = ""
            for byte in piece:
                begun_in = begun_in if decoder.getstate()[0] else number
                done = decoder.decode(bytes([byte]))
                is_rest = begun_in < number
                begun_in = number if done else begun_in
                if done and is_rest:  # an invalid beginning comes before what is whole
                    done = done[1:] if done[0] == REPLACEMENT else REPLACEMENT
                text += done
            texts.append(text + REPLACEMENT if decoder.getstate()[0] else text)
        return [texts[0].removeprefix(_MARK), *texts[1:]] if texts else []

    @property
    def has_control_bytes(self) -> bool:
        """Whether text in it has bytes that elsewhere are control characters."""
        return self.codec.startswith(("utf-16", "iso2022"))


def find_charset(label: str) -> Charset | None:
    """The charset of a name in the registry of WHATWG's Encoding Standard, in any case; None if there is none."""
    found = webencodings.lookup(label)
    return Charset(found.name, found.codec_info.name) if found and found.name != "x-user-defined" else None


UTF_8: Final = Charset("UTF-8", "utf-8")
SHIFT_JIS: Final = Charset("Shift_JIS", "cp932")
GB18030: Final = Charset("GB18030", "gb18030")
_LATIN_1: Final = Charset("ISO-8859-1", "latin-1")
_ISO_2022_JP: Final = Charset("ISO-2022-JP", "iso2022_jp_ext")
_UTF_16: Final = {b"\xff\xfe": Charset("UTF-16LE", "utf-16-le"), b"\xfe\xff": Charset("UTF-16BE", "utf-16-be")}
_WESTERN: Final = ("de", "fr", "en", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "is")
_CENTRAL: Final = ("pl", "cs", "hu", "ro", "sk", "hr", "sl")
_CYRILLIC: Final = ("ru", "uk", "bg", "sr")
# Bits that a charset must gain over Latin-1, and Latin-1 over bytes of any value, before it is taken. Of strings of
# `training.measure.charsets` in other charsets than Unicode's (seeds 201 and 202, 4,716) and of names alone (seed 201)
# 99.4 and 97.6 % are right with 3 and 8 bits, and 14 % of 1,000 times 8 random bytes are taken for text beyond Latin-1.
# With 4 and 12 these are 99.5, 97.9 and 15 %, but ff fe fd becomes text. ISO 8859-5 is rarer than the others.
#
# The charsets from windows-1253 on are rarer still. They need more than any text has by chance that is right without
# them, of 16,000 strings (seeds 2 and 201 to 207) and all 30,457 names. The comment is the text that has most.
_SINGLE_BYTE: Final = (
    (_LATIN_1, (BINARY,), 8),
    (_LATIN_1, _WESTERN, 0),
    (Charset("windows-1252", "cp1252"), _WESTERN, 0),
    (Charset("windows-1250", "cp1250"), _CENTRAL, 3),
    (Charset("ISO-8859-2", "iso8859-2"), _CENTRAL, 3),
    (Charset("windows-1251", "cp1251"), _CYRILLIC, 3),
    (Charset("ISO-8859-5", "iso8859-5"), _CYRILLIC, 6),
    (Charset("ISO-8859-7", "iso8859-7"), ("el",), 3),
    (Charset("windows-1253", "cp1253"), ("el",), 4),  # менде
    (Charset("windows-1254", "cp1254"), ("tr",), 20),  # guyanský dolar
    (Charset("windows-1255", "cp1255"), ("he",), 18),  # йемба
    (Charset("windows-1256", "cp1256"), ("ar",), 14),  # ханьб
    (Charset("windows-874", "cp874"), ("th",), 10),  # ｻｻｷ ｶﾅ
    (Charset("KOI8-R", "koi8-r"), ("ru", "bg"), 17),  # дирхам ОАЭ
    (Charset("KOI8-U", "koi8-u"), ("uk",), 20),  # ΑΦΜ 41918, where it stands twice
    (Charset("IBM866", "cp866"), ("ru", "bg"), 13),  # 扎扎文
)
_DOUBLE_BYTE: Final = (
    (SHIFT_JIS, Language("ja"), 3),
    (GB18030, Language("zh_Hans"), 3),
    (Charset("Big5", "big5hkscs"), Language("zh_Hant"), 3),
    (Charset("EUC-KR", "cp949"), Language("ko"), 3),
    (Charset("EUC-JP", "euc_jp"), Language("ja"), 16),  # 立陶宛塔咯呐司
)
_DEMANDS: Final = STEPS * np.array([demand for *_, demand in _SINGLE_BYTE])
_TURKISH, _HEBREW = ([charset.codec for charset, *_ in _SINGLE_BYTE].index(codec) for codec in ("cp1254", "cp1255"))
_ONLY_TURKISH: Final = frozenset("ğşĞŞ".encode("cp1254"))
_FOR_ONLY_TURKISH: Final = 14 * STEPS
"""What is granted to Turkish for letters that the Czech and Slovak texts have not which ask for its 20 bits."""
_LONG, _FOR_LONG_HEBREW = 8, 10 * STEPS
"""What is granted to Hebrew from so many bytes on: only shorter texts ask for its 18 bits, longer ones for 5."""
_FOR_NEIGHBOUR: Final = 10 * STEPS
"""What is granted to the charset of segments beside the bytes in question."""
_MOST: Final = 4096
"""Bytes that are looked at: more say nothing new."""

_SINGLE_BYTE_SCORES: Final = SingleByteCharsets([(charset.codec, languages) for charset, languages, _ in _SINGLE_BYTE])
UTF_8_BEHIND: Final = bytes(range(0x80, 0xC0))
"""Bytes that in UTF-8 stand behind the first one of a character."""
_SEPARATORS: Final = "\t\r\n\x04\x1c\x1d\x1e\x1f"
"""Control characters of texts and of messages with fields."""
_NO_TEXT: Final = ("Cc", "Cn", "Co", "Cs")
_SURE: Final = 4
"""Bytes behind the first ones of characters that make UTF-8 sure but for its ends, as two characters of three bytes
have."""
_FOR_CUT, _FOR_UNKNOWN = 12 * STEPS, 16 * STEPS
"""What a character costs that is cut in UTF-8, and one that is in none of the other charsets."""


def guess_charset(payload: bytes, neighbour: Charset | None = None) -> Charset:
    """The likeliest charset of bytes: UTF-8 if they are valid, UTF-16 and ISO-2022-JP if they say so by a byte order
    mark and by escapes, else the one in which their characters follow each other most plausibly; Latin-1 if they do so
    in none.

    ``neighbour``: the charset of other segments of the same symbol, which is likelier than others. UTF-8 cut within its
    first or last character counts as valid if enough of it is left.
    """
    return _guess(payload, neighbour)[0]


def guess_charset_of_parts(runs: Sequence[bytes], neighbour: Charset | None = None) -> Charset:
    """The likeliest charset of a message in structured append of which parts are missing: ``runs`` are the bytes
    between these. Each may begin and end within a character, so that UTF-8 is taken where it has a whole character
    beyond ASCII, and this with the others is more plausible than the bytes are in any other charset."""
    charset, fewest = _guess(b"".join(runs), neighbour)
    cut = [one for run in runs if (one := _cut_utf_8(run))]
    text = "".join(whole for whole, _ in cut)
    if fewest == 0 or len(cut) < len(runs) or text.isascii():  # "café" may have been cut, too
        return charset
    if _bytes_behind(text) >= _SURE:
        return UTF_8
    return UTF_8 if _cost(text) + _FOR_CUT * sum(ends for _, ends in cut) < fewest else charset


def _guess(payload: bytes, neighbour: Charset | None) -> tuple[Charset, int]:
    """The likeliest charset, and the cost of the bytes in it; 0 where there is no doubt."""
    if _is_iso_2022_jp(payload):
        return _ISO_2022_JP, 0
    if _is_utf_8(payload):
        return UTF_8, 0
    if (wide := _UTF_16.get(payload[:2])) and _has_no_control_characters(payload, wide):
        return wide, 0
    costs = _SINGLE_BYTE_SCORES.costs(payload[:_MOST]) + _DEMANDS
    costs[_HEBREW] -= _FOR_LONG_HEBREW if len(payload) >= _LONG else 0
    costs[_TURKISH] -= 0 if _ONLY_TURKISH.isdisjoint(payload) else _FOR_ONLY_TURKISH
    best = int(costs.argmin())
    charset, fewest = _SINGLE_BYTE[best][0], int(costs[best])
    for candidate, language, demand in _DOUBLE_BYTE:
        text = _strictly(payload, candidate)
        if text is not None:
            text = text if len(payload) <= _MOST else payload[:_MOST].decode(candidate.codec, "ignore")
            cost = language.cost(text) + STEPS * demand - (_FOR_NEIGHBOUR if candidate == neighbour else 0)
            if cost < fewest:
                charset, fewest = candidate, cost
    return charset, fewest


def _is_utf_8(payload: bytes) -> bool:
    """Whether bytes are valid UTF-8, or surely so but for cuts."""
    if _strictly(payload, UTF_8) is not None:
        return True
    cut = _cut_utf_8(payload)
    return cut is not None and _bytes_behind(cut[0]) >= _SURE


def _bytes_behind(text: str) -> int:
    """How many bytes UTF-8 has behind the first ones of characters."""
    return len(text.encode()) - len(text)


def _cut_utf_8(payload: bytes) -> tuple[str, int] | None:
    """The whole characters of UTF-8, and at how many ends one is cut; None if the bytes are anything else."""
    rest = payload.lstrip(UTF_8_BEHIND)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(rest)
    except UnicodeDecodeError:
        return None
    begun = len(payload) - len(rest)
    return (text, bool(begun) + bool(decoder.getstate()[0])) if begun <= 3 else None


def _cost(text: str) -> int:
    """What a text costs in the charset and language that make it cheapest."""
    text = text[:_MOST]
    costs = [language.cost(text) for charset, language, _ in _DOUBLE_BYTE if _encode(text, charset) is not None]
    for number, (charset, *_) in enumerate(_SINGLE_BYTE):
        stored = _encode(text, charset)
        if number and stored is not None:
            costs.append(int(_SINGLE_BYTE_SCORES.costs(stored)[number]))
    if costs:
        return min(costs)
    plain = text.encode("ascii", "ignore")
    return int(_SINGLE_BYTE_SCORES.costs(plain).min()) + _FOR_UNKNOWN * (len(text) - len(plain))


def _is_iso_2022_jp(payload: bytes) -> bool:
    """Whether bytes have the escapes to characters of two bytes and back, and are valid between them."""
    escaped = max(payload.find(b"\x1b$B"), payload.find(b"\x1b$@"))
    is_over = escaped >= 0 and max(payload.rfind(b"\x1b(B"), payload.rfind(b"\x1b(J")) > escaped
    return is_over and _has_no_control_characters(payload, _ISO_2022_JP)


def _has_no_control_characters(payload: bytes, charset: Charset) -> bool:
    """Whether bytes are text without control characters and characters that do not exist."""
    text = _strictly(payload, charset)
    return text is not None and not any(unicodedata.category(one) in _NO_TEXT for one in text if one not in _SEPARATORS)


def _strictly(payload: bytes, charset: Charset) -> str | None:
    """The text of bytes; None if the charset has not all of them."""
    try:
        return payload.decode(charset.codec)
    except UnicodeDecodeError:
        return None


def _encode(text: str, charset: Charset) -> bytes | None:
    """The bytes of a text; None if the charset has not all of it."""
    try:
        return text.encode(charset.codec)
    except UnicodeEncodeError:
        return None
