"""Parses multipart forms in memory: bodies are bounded, and spooling would write photographs to disk."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import MalformedBody, TooManyFiles

_MAX_BOUNDARY: Final = 70  # RFC 2046, 5.1.1
_MAX_FIELDS: Final = 16
_MAX_HEADERS: Final = 8
_MAX_HEADER_BYTES: Final = 64 * 1024  # file names may be long; they are not used
_PIECE_BYTES: Final = 16 * 1024
"""What is parsed in one go. The most expensive piece, a header of nothing but spaces, takes 2.4 ms."""
_MAX_OUTSIDE: Final = 1024
"""Bytes accepted before the first boundary and after the last, where nothing belongs."""
_MAX_VALUE: Final = 1024
"""Bytes of a field that is no file."""
_SHOWN_NAME: Final = 64
"""Characters of an unknown field's name that are kept."""


@dataclass(slots=True)
class Form:
    """What a form holds: the ``files`` of its file field, in order, and the values of its other ``fields``.

    Fields that were not asked for are ``unknown``, by the beginnings of their names; ``repeated`` came more than once.
    """

    files: list[bytes] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    repeated: set[str] = field(default_factory=set)


class _Parts:
    """Collects what the parser reports of a form: each file, the value of each field, and what was not asked for."""

    def __init__(self, *, file: str, fields: Collection[str], most: int, refusal: str) -> None:
        self._file, self._known = file, fields
        self._most = most
        self._refusal = refusal
        self._name, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._content: bytearray | None = None
        self._is_file = False
        self._file_count = self._field_count = 0
        self._files: list[bytearray] = []
        self._values: dict[str, bytearray] = {}
        self._form = Form()
        self.begun = self.complete = False

    @property
    def form(self) -> Form:
        """What was collected. Raises MalformedBody for a value that is no UTF-8."""
        self._form.files = [bytes(content) for content in self._files]
        try:
            self._form.fields = {name: value.decode() for name, value in self._values.items()}
        except UnicodeDecodeError as exc:
            raise MalformedBody("A field of the form is not UTF-8.") from exc
        return self._form

    def on_part_begin(self) -> None:
        self.begun = True
        self._disposition = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise MalformedBody("A part of the form has no name.")
        name = options[b"name"].decode("utf-8", "replace")
        self._is_file = b"filename" in options
        self._content = self._begin_file(name) if self._is_file else self._begin_field(name)

    def _begin_file(self, name: str) -> bytearray | None:
        """Where the content of a file goes; None if it is not wanted."""
        if self._file_count == self._most:
            raise TooManyFiles(self._refusal)
        self._file_count += 1
        if name != self._file:
            self._form.unknown.add(name[:_SHOWN_NAME])
            return None
        self._files.append(bytearray())
        return self._files[-1]

    def _begin_field(self, name: str) -> bytearray | None:
        self._field_count += 1
        if self._field_count > _MAX_FIELDS:
            raise MalformedBody("The form has too many fields.")
        if name not in self._known:
            self._form.unknown.add(name[:_SHOWN_NAME])
            return None
        if name in self._values:
            self._form.repeated.add(name)
        self._values[name] = bytearray()
        return self._values[name]

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._content is None:
            return
        if not self._is_file and len(self._content) + end - start > _MAX_VALUE:
            raise MalformedBody("A field of the form is too long.")
        self._content += data[start:end]

    def on_end(self) -> None:
        self.complete = True


async def _in_pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream in pieces of a bounded size, between which the event loop does other work."""
    async for chunk in stream:
        for start in range(0, len(chunk), _PIECE_BYTES):
            if start:
                await asyncio.sleep(0)
            yield chunk[start : start + _PIECE_BYTES]


async def read_form(
    content_type: str, stream: AsyncIterator[bytes], *, file: str, fields: Collection[str], most: int, refusal: str
) -> Form:
    """Parses a multipart form: the files of the field named ``file``, and the values of ``fields``.

    Raises MalformedBody if the stream is not one complete form, and TooManyFiles with ``refusal`` as its detail if the
    form has more than ``most`` files in fields of any name.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise MalformedBody(f"The form's boundary must have 1 to {_MAX_BOUNDARY} characters.")
    parts = _Parts(file=file, fields=fields, most=most, refusal=refusal)
    outside = 0
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.on_part_begin,
                "on_header_field": parts.on_header_field,
                "on_header_value": parts.on_header_value,
                "on_header_end": parts.on_header_end,
                "on_headers_finished": parts.on_headers_finished,
                "on_part_data": parts.on_part_data,
                "on_end": parts.on_end,
            },
            max_header_count=_MAX_HEADERS,
            max_header_size=_MAX_HEADER_BYTES,
        )
        async for piece in _in_pieces(stream):
            was_complete = parts.complete
            parser.write(piece)
            if was_complete or not parts.begun:
                outside += len(piece)
            if outside > _MAX_OUTSIDE:
                raise MalformedBody("The body has data before the form's first boundary or after its last one.")
    except FormParserError as exc:
        raise MalformedBody from exc
    if not parts.complete:
        raise MalformedBody("The form ends before its closing boundary.")
    return parts.form
