"""Parsers of HTTP bodies and headers that are written in Python."""

import logging
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from app.errors import RegionOutside, RequestError
from app.http.base64_text import decode_base64
from app.http.multipart import read_form
from app.pipeline.part import Part
from app.pipeline.symbologies import GROUPS
from app.pipeline.symbologies import parse as parse_symbologies
from app.routers.restore import prefers_json

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # warns of every malformed form


def form(data: bytes) -> None:
    """Parses a multipart body that arrives in two pieces.

    The first byte sets where it is cut; the first line holds the boundary.
    """
    cut, (boundary, _, body) = data[:1], data[1:].partition(b"\n")
    middle = len(body) * (cut or b"\0")[0] // 256

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body[:middle]
        yield body[middle:]

    kind = "multipart/form-data; boundary=" + boundary.decode("latin-1")
    try:
        found = _finish(read_form(kind, stream(), file="file", fields=("effort",), most=2, refusal="No more than two."))
    except RequestError:
        return
    assert len(found.files) <= 2
    assert all(file in body for file in found.files)
    assert set(found.fields) <= {"effort"}
    assert not found.unknown & {"effort"} or b"filename" in body


def _finish(work: Coroutine[Any, Any, Any], *, waits: bool = False) -> Any:
    """The result of a coroutine that never waits, or only lets others go first."""
    try:
        while True:
            work.send(None)
            assert waits, "a small form was not parsed in memory"
    except StopIteration as stop:
        return stop.value


def accept(data: bytes) -> None:
    """Parses an Accept header."""
    assert prefers_json(data.decode("latin-1")) in (True, False)


def base64(data: bytes) -> None:
    """Decodes the base64 of a JSON member: what an encoder writes must come out the same."""
    text = data.decode("utf-8", "replace")
    try:
        decoded = _finish(decode_base64(text), waits=True)
    except ValueError:
        decoded = None
    try:
        expected = b64decode(data, validate=True)
    except ValueError:
        return
    if b64encode(expected) == data:  # the standard library takes superfluous padding
        assert decoded == expected


def region(data: bytes) -> None:
    """Parses a region and cuts it out of pictures: a part of each that is not empty, or a refusal."""
    try:
        part = Part.parse(data.decode("utf-8", "replace"))
    except ValueError:
        return
    for height, width in ((1, 1), (480, 640), (1, 60_000)):
        try:
            rows, columns = part.of(height, width)
        except RegionOutside:
            continue
        assert 0 <= rows.start < rows.stop <= height
        assert 0 <= columns.start < columns.stop <= width


def symbologies(data: bytes) -> None:
    """Parses names of symbologies: some of those there are, or a refusal."""
    try:
        named = parse_symbologies(data.decode("utf-8", "replace"))
    except ValueError:
        return
    assert named
    assert named <= GROUPS["all"]
