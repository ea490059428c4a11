"""Attack 8: requests at the edges of HTTP, and what RFC 9110 and 9112 want answered."""

import gzip
import socket
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from typing import Final

from tests.support.live.servers import BOUNDARY, GOOD, Server, file_part, form, read_answer, upload
from tools.attack.bench import service
from tools.attack.figures import Figure, at_most, is_true

HOST: Final = "qr.example.org"
_LONGEST_LINE: Final = 1000
_KIND: Final = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY


def _get(target: bytes = b"/livez", *fields: bytes, method: bytes = b"GET", host: bytes = HOST.encode()) -> bytes:
    return b"\r\n".join([b"%b %b HTTP/1.1" % (method, target), b"Host: " + host, *fields, b"", b""])


def _good(*fields: bytes, body: bytes = b"") -> bytes:
    body = body or form(file_part(GOOD))
    head = [b"POST /decode HTTP/1.1", b"Host: " + HOST.encode(), _KIND, *fields]
    return b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", body])


CASES: Final[dict[str, tuple[bytes, int]]] = {
    "an equal repeated Content-Length": (_good(b"Content-Length: %d" % len(form(file_part(GOOD)))), 400),
    "a list of equal lengths": (_get(b"/livez", b"Content-Length: 0, 0"), 400),
    "GET with both lengths": (_get(b"/livez", b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "a target in absolute form": (_get(b"http://%b/livez" % HOST.encode()), 200),
    "a target in absolute form, other Host": (_get(b"http://%b/livez" % HOST.encode(), host=b"evil.example"), 200),
    "HEAD on health": (_get(method=b"HEAD"), 200),
    "HEAD on readiness": (_get(b"/readyz", method=b"HEAD"), 200),
    "HEAD on /decode": (_get(b"/decode", method=b"HEAD"), 405),
    "a method of 40 KB": (_get(method=b"M" * 40_000), 400),
    "a method of 1 KB": (_get(method=b"M" * 1000), 400),
    "a target of 40 KB": (_get(b"/" + b"a" * 40_000), 414),
    "a field of 40 KB": (_get(b"/livez", b"X: " + b"y" * 40_000), 431),
    "cookies of 40 KB": (_get(b"/livez", *[b"Cookie: c=" + b"y" * 1000] * 40), 431),
    "a thousand fields": (_get(b"/livez", *[b"X: y"] * 1000), 431),
    "a folded field": (_get(b"/livez", b"X: y\r\n  z"), 400),
    "a field with a bare CR": (_get(b"/livez", b"X: y\rz: w"), 400),
    "Content-Encoding: gzip": (_good(b"Content-Encoding: gzip", body=gzip.compress(form(file_part(GOOD)))), 415),
    "Content-Encoding: identity": (_good(b"Content-Encoding: identity"), 200),
    "an empty line before the head": (b"\r\n" + _get(), 200),
    "three empty lines before the head": (b"\r\n" * 3 + _get(), 400),
    "an unknown Host": (_get(host=b"evil.example"), 421),
    "an unknown Host, upload": (upload(GOOD), 421),
    "health by address": (_get(host=b"127.0.0.1:8000"), 200),
    "a page by address": (_get(b"/", host=b"127.0.0.1:8000"), 421),
    "a Host that is none": (_get(host=b"[::1"), 400),
    "an empty Host": (_get(host=b""), 421),
    "chunks of no valid size": (_get(b"/livez", b"Transfer-Encoding: chunked") + b"0x5\r\nhello\r\n", 200),
}
"""Requests by what is special about them, and the status of their answer."""
_NOT_KEPT: Final = {400, 408, 413, 414, 415, 421, 431}


def status_of(server: Server, raw: bytes) -> tuple[int, bool]:
    """The status of the answer, and whether the connection ended with it."""
    with server.connect(20) as connection:
        connection.sendall(raw)
        if raw.startswith(b"HEAD "):
            response = HTTPResponse(connection, method="HEAD")
            response.begin()
            return response.status, response.getheader("Connection") == "close"
        answer = read_answer(connection)
        return answer.status, answer.headers.get("connection") == "close"


def _half_closed(server: Server) -> int:
    with server.connect(20) as connection:
        connection.sendall(_good())
        connection.shutdown(socket.SHUT_WR)
        return read_answer(connection).status


def measure() -> Iterator[Figure]:
    with service(allowed_hosts=HOST) as server:
        for name, (raw, wanted) in CASES.items():
            try:
                status, closed = status_of(server, raw)
            except (OSError, HTTPException) as exc:
                yield is_true(name, False, figure=repr(exc), wanted=str(wanted))
                continue
            ok = status == wanted and closed >= (wanted in _NOT_KEPT)
            yield is_true(name, ok, figure=f"{status}{', closed' if closed else ''}", wanted=str(wanted))
        half_closed = _half_closed(server)
        yield is_true("a client that stops sending", half_closed == 200, figure=str(half_closed), wanted="200")
        yield at_most("longest line in the log", max(map(len, server.log)), _LONGEST_LINE, unit="characters")
