"""Parsers of what HTTP carries that are written in Python. Each target raises where something is wrong."""

import logging
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from app.errors import RequestError
from app.http.multipart import read_files
from app.routers.restore import prefers_json

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every malformed form


def form(data: bytes) -> None:
    """A multipart body in two pieces. The first byte says where it is cut; the boundary comes next, on its own line."""
    cut, (boundary, _, body) = data[:1], data[1:].partition(b"\n")
    middle = len(body) * (cut or b"\0")[0] // 256

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body[:middle]
        yield body[middle:]

    kind = "multipart/form-data; boundary=" + boundary.decode("latin-1")
    try:
        files = _finish(read_files(kind, stream(), field="file", most=2, refusal="No more than two."))
    except RequestError:
        return
    assert len(files) <= 2
    assert all(file in body for file in files)


def _finish(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never has to wait."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a small form was not parsed in memory")


def accept(data: bytes) -> None:
    """An Accept header."""
    assert prefers_json(data.decode("latin-1")) in (True, False)
