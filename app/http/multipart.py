"""Parses multipart forms in memory: bodies are bounded, and spooling would write photographs to disk."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import MalformedBody, TooManyFiles

_MAX_BOUNDARY: Final = 70  # RFC 2046, 5.1.1
_MAX_FIELDS: Final = 16
_MAX_HEADERS: Final = 8
_MAX_HEADER_BYTES: Final = 64 * 1024  # file names may be long; they are not used
_PIECE_BYTES: Final = 16 * 1024
"""What is parsed in one go. The dearest, a header of nothing but spaces, takes 2.4 ms."""
_MAX_OUTSIDE: Final = 1024
"""Bytes accepted before the first boundary and after the last, where nothing belongs."""


class _Form:
    """Collects what the parser reports: the field and the bytes of each file, and the number of other fields."""

    def __init__(self, *, most: int, refusal: str) -> None:
        self._most = most
        self._refusal = refusal
        self._name, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._content: bytearray | None = None
        self._fields = 0
        self.files: list[tuple[str, bytearray]] = []
        self.begun = self.complete = False

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
        self._content = None
        if b"filename" in options:
            if len(self.files) == self._most:
                raise TooManyFiles(self._refusal)
            self._content = bytearray()
            self.files.append((options[b"name"].decode("utf-8", "replace"), self._content))
        else:
            self._fields += 1
            if self._fields > _MAX_FIELDS:
                raise MalformedBody("The form has too many fields.")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._content is not None:
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


async def read_files(
    content_type: str, stream: AsyncIterator[bytes], *, field: str, most: int, refusal: str
) -> list[bytes]:
    """Parses a multipart form: the contents of the files in fields named ``field``, in the form's order.

    Raises MalformedBody if the stream is not one complete form, and TooManyFiles with ``refusal`` as its detail if the
    form has more than ``most`` files in fields of any name.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise MalformedBody(f"The form's boundary must have 1 to {_MAX_BOUNDARY} characters.")
    form = _Form(most=most, refusal=refusal)
    outside = 0
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.on_part_begin,
                "on_header_field": form.on_header_field,
                "on_header_value": form.on_header_value,
                "on_header_end": form.on_header_end,
                "on_headers_finished": form.on_headers_finished,
                "on_part_data": form.on_part_data,
                "on_end": form.on_end,
            },
            max_header_count=_MAX_HEADERS,
            max_header_size=_MAX_HEADER_BYTES,
        )
        async for piece in _in_pieces(stream):
            was_complete = form.complete
            parser.write(piece)
            if was_complete or not form.begun:
                outside += len(piece)
            if outside > _MAX_OUTSIDE:
                raise MalformedBody("The body has data before the form's first boundary or after its last one.")
    except FormParserError as exc:
        raise MalformedBody from exc
    if not form.complete:
        raise MalformedBody("The form ends before its closing boundary.")
    return [bytes(content) for name, content in form.files if name == field]
