"""Parsers of what HTTP carries that are written in Python. Each target raises where something is wrong."""

import logging
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from app.routers.restore import prefers_json

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every malformed form


def form(data: bytes) -> None:
    """A multipart body in two pieces. The first byte says where it is cut; the boundary comes next, on its own line."""
    cut, (boundary, _, body) = data[:1], data[1:].partition(b"\n")
    headers = Headers(raw=[(b"content-type", b"multipart/form-data; boundary=" + boundary)])
    middle = len(body) * (cut or b"\0")[0] // 256

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body[:middle]
        yield body[middle:]

    parser = MultiPartParser(headers, stream(), max_files=2, max_fields=16)
    try:
        _finish(parser.parse())
    except MultiPartException:
        pass
    finally:
        for file in parser._files_to_close_on_error:  # those of parts without an end, too
            file.close()


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
