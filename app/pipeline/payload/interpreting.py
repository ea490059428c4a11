"""Interprets messages: text, charset and content type."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Final

from app.pipeline.payload.charsets import GB18030, SHIFT_JIS, Charset, guess_charset
from app.pipeline.payload.eci import BINARY, charset_name, decode_eci, is_known
from app.pipeline.qrcode.segments import Message, Segment

_ISO_15434: Final = re.compile(rb"\[\)>\x1e\d\d")
_MODE_CHARSETS: Final = {"kanji": SHIFT_JIS, "hanzi": Charset("GB2312", "gb18030")}
_NEIGHBOURS: Final = {"kanji": SHIFT_JIS, "hanzi": GB18030}
_ASCII: Final = Charset("US-ASCII", "ascii")
_BYTE: Final = "byte"


class CharsetSource(StrEnum):
    """Who says which charset bytes are in: the symbol, the request, the mode of its segments, or nobody, so that it is
    guessed."""

    ECI = "eci"
    HINT = "hint"
    MODE = "mode"
    GUESSED = "guessed"


class ContentType(StrEnum):
    """Kinds of payloads: text; bytes with control characters or declared binary; both in one symbol; GS1 element
    strings; a message with the header of ISO/IEC 15434; bytes under an ECI that has no charset."""

    TEXT = "Text"
    BINARY = "Binary"
    MIXED = "Mixed"
    GS1 = "GS1"
    ISO15434 = "ISO15434"
    UNKNOWN_ECI = "UnknownECI"


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What a message means: ``charset`` is that of its byte segments, of several the first; ``source`` says who named
    it."""

    text: str
    content_type: ContentType
    charset: str
    source: CharsetSource


def interpret(messages: Iterable[Message], hint: Charset | None = None) -> Interpretation:
    """Interprets a message, or those of several symbols in their order as one.

    Bytes under an ECI are in its charset. Without one they are in that of ``hint``, else in a guessed one: the same for
    all byte segments, and likelier that of Kanji or Hanzi segments where there are some. Kanji segments are Shift JIS
    and Hanzi segments GB 2312 whatever ECI stands before them, digits and alphanumeric characters ASCII. Segments in
    one charset that follow each other are decoded as one: encoders cut characters.
    """
    messages = tuple(messages)
    segments = [segment for message in messages for segment in message.segments]
    plain = b"".join(one.payload for one in segments if one.mode == _BYTE and one.eci is None)
    neighbour = next((_NEIGHBOURS[one.mode] for one in segments if one.mode in _NEIGHBOURS), None)
    charset, source = (hint, CharsetSource.HINT) if hint else (guess_charset(plain, neighbour), CharsetSource.GUESSED)
    text = "".join(message.application.decode("ascii") for message in messages) + _text(segments, charset)
    kind = _content_type(messages, segments, charset)
    first = next((one for one in segments if one.mode == _BYTE and one.payload), None)
    if first is None:
        return Interpretation(text, kind, _mode_charset(segments).name, CharsetSource.MODE)
    if first.eci is not None:
        return Interpretation(text, kind, charset_name(first.eci), CharsetSource.ECI)
    return Interpretation(text, kind, charset.name, source)


def _text(segments: Iterable[Segment], charset: Charset) -> str:
    pieces: list[str] = []
    run, run_of = b"", None
    for segment in segments:
        of = _key(segment)
        if of != run_of and run:
            pieces.append(_decode(run, run_of, charset))
            run = b""
        run, run_of = run + segment.payload, of
    return "".join([*pieces, _decode(run, run_of, charset)])


def _key(segment: Segment) -> str | int:
    """What a segment is decoded by: its mode, or for bytes the ECI if there is one."""
    return segment.eci if segment.mode == _BYTE and segment.eci is not None else segment.mode


def _decode(run: bytes, of: str | int | None, charset: Charset) -> str:
    if isinstance(of, int):
        return decode_eci(run, of)
    if of == _BYTE:
        return charset.decode(run)
    return _MODE_CHARSETS.get(of or "", _ASCII).decode(run)


def _mode_charset(segments: Iterable[Segment]) -> Charset:
    """That of the first Kanji or Hanzi segment, else ASCII."""
    return next((_MODE_CHARSETS[one.mode] for one in segments if one.mode in _MODE_CHARSETS), _ASCII)


def _content_type(messages: Iterable[Message], segments: Iterable[Segment], charset: Charset) -> ContentType:
    if any(message.fnc1 == 1 for message in messages):
        return ContentType.GS1
    blocks = [(eci, b"".join(one.payload for one in run)) for eci, run in groupby(segments, key=lambda one: one.eci)]
    if _ISO_15434.match(b"".join(payload for _, payload in blocks)):
        return ContentType.ISO15434
    if any(payload and eci is not None and not is_known(eci) for eci, payload in blocks):
        return ContentType.UNKNOWN_ECI
    blocks = [(eci, payload) for eci, payload in blocks if payload]
    binary = {not (eci is None and charset.has_control_bytes) and is_binary(payload, eci) for eci, payload in blocks}
    if len(binary) == 2:
        return ContentType.MIXED
    return ContentType.BINARY if True in binary else ContentType.TEXT


_WIDE: Final = (25, 33, 34, 35)  # ECIs whose text has zero bytes


def is_binary(payload: bytes, eci: int | None = None) -> bool:
    """Whether bytes are no text: declared binary, or with control characters other than tab, line feed and carriage
    return."""
    if eci == BINARY:
        return True
    return eci not in _WIDE and any(byte < 0x20 and byte not in b"\t\n\r" for byte in payload)
