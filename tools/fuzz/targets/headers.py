"""Parsers of HTTP bodies and headers that are written in Python."""

import logging
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from app.errors import RequestError
from app.http.multipart import read_form
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


def _finish(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a small form was not parsed in memory")


def accept(data: bytes) -> None:
    """Parses an Accept header."""
    assert prefers_json(data.decode("latin-1")) in (True, False)
