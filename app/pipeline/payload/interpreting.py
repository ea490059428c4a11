"""Interprets messages: text, charset and content type."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Final

from app.pipeline.payload.charsets import (
    GB18030,
    REPLACEMENT,
    SHIFT_JIS,
    UTF_8,
    UTF_8_BEHIND,
    Charset,
    guess_charset,
    guess_charset_of_parts,
)
from app.pipeline.payload.eci import BINARY, charset_name, charset_of_eci, is_known
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
    one charset that follow each other are decoded as one: encoders cut characters. What is left of a character whose
    other bytes are in a part that is missing becomes a replacement character.
    """
    messages = tuple(messages)
    charset, source = _charset_of_bytes(messages, hint)
    application = "".join(message.application.decode("ascii") for message in messages)
    text = "".join(run.text for run in _runs(messages, charset))
    return _interpretation(messages, application + text, charset, source)


def interpret_parts(messages: Sequence[Message], hint: Charset | None = None) -> list[Interpretation]:
    """Interprets each of the parts of one message in structured append, in their order, with what the others tell: the
    charset of bytes that name none is guessed from all of them, and a character that is cut between two parts becomes
    one replacement character in either."""
    charset, source = _charset_of_bytes(messages, hint)
    texts = [message.application.decode("ascii") for message in messages]
    for run in _runs(messages, charset):
        for number, text in zip(run.pieces, run.texts, strict=True):
            texts[number] += text
    return [_interpretation([one], text, charset, source) for one, text in zip(messages, texts, strict=True)]


def _charset_of_bytes(messages: Sequence[Message], hint: Charset | None) -> tuple[Charset, CharsetSource]:
    """The charset of bytes without an ECI, and who says so."""
    if hint:
        return hint, CharsetSource.HINT
    modes = [segment.mode for message in messages for segment in message.segments]
    neighbour = next((_NEIGHBOURS[mode] for mode in modes if mode in _NEIGHBOURS), None)
    plain: list[bytes] = []
    for number, message in enumerate(messages):
        payload = b"".join(one.payload for one in message.segments if one.mode == _BYTE and one.eci is None)
        if not plain or _follows_a_gap(messages, number):
            plain.append(b"")
        plain[-1] += payload
    if len(plain) == 1 and _is_whole(messages):
        return guess_charset(plain[0], neighbour), CharsetSource.GUESSED
    return guess_charset_of_parts(plain, neighbour), CharsetSource.GUESSED


def _follows_a_gap(messages: Sequence[Message], number: int) -> bool:
    """Whether the part before a message is not the message before it in the sequence."""
    place = messages[number].structured_append
    before = messages[number - 1].structured_append if number else None
    return place is not None and place.index != (before.index + 1 if before else 0)


def _is_whole(messages: Sequence[Message]) -> bool:
    """Whether no part is missing before the first message and after the last one."""
    last = messages[-1].structured_append if messages else None
    return last is None or (not _follows_a_gap(messages, 0) and last.index == last.total - 1)


@dataclass(slots=True)
class _Run:
    """Bytes in one charset that follow each other: ``pieces`` by the number of their message. ``is_torn``: whether what
    comes before is in a part that is missing."""

    charset: Charset
    is_torn: bool
    pieces: dict[int, bytes] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(self._decode([b"".join(self.pieces.values())]))

    @property
    def texts(self) -> list[str]:
        """The texts of the pieces."""
        return self._decode(list(self.pieces.values()))

    def _decode(self, pieces: list[bytes]) -> list[str]:
        rest = pieces[0].lstrip(UTF_8_BEHIND) if self.is_torn and self.charset.codec == UTF_8.codec else pieces[0]
        texts = self.charset.decode_pieces([rest, *pieces[1:]])
        return texts if rest == pieces[0] else [REPLACEMENT + texts[0], *texts[1:]]


def _runs(messages: Sequence[Message], charset: Charset) -> Iterator[_Run]:
    """``charset``: that of bytes without an ECI."""
    run, run_of = _Run(_ASCII, is_torn=False), None
    for number, message in enumerate(messages):
        is_torn = _follows_a_gap(messages, number)
        for segment in (one for one in message.segments if one.payload):
            of = _key(segment)
            if is_torn or of != run_of:
                if run.pieces:
                    yield run
                run, run_of = _Run(_charset_of(of, charset), is_torn), of
            run.pieces[number] = run.pieces.get(number, b"") + segment.payload
            is_torn = False
    if run.pieces:
        yield run


def _key(segment: Segment) -> str | int:
    """What a segment is decoded by: its mode, or for bytes the ECI if there is one."""
    return segment.eci if segment.mode == _BYTE and segment.eci is not None else segment.mode


def _charset_of(key: str | int, charset: Charset) -> Charset:
    if isinstance(key, int):
        return charset_of_eci(key)
    return charset if key == _BYTE else _MODE_CHARSETS.get(key, _ASCII)


def _interpretation(messages: Sequence[Message], text: str, charset: Charset, source: CharsetSource) -> Interpretation:
    segments = [segment for message in messages for segment in message.segments]
    kind = _content_type(messages, segments, charset)
    first = next((one for one in segments if one.mode == _BYTE and one.payload), None)
    if first is None:
        return Interpretation(text, kind, _mode_charset(segments).name, CharsetSource.MODE)
    if first.eci is not None:
        return Interpretation(text, kind, charset_name(first.eci), CharsetSource.ECI)
    return Interpretation(text, kind, charset.name, source)


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
