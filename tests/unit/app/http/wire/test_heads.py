"""Heads of requests: where they end, and which of them are refused before they are parsed."""

import pytest

from app.errors import HeadTooLarge, MalformedBody, QrestoreError, TargetTooLong
from app.http.wire import heads
from tests.support.timing import least_seconds

GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


def fault(raw: bytes) -> QrestoreError | None:
    received = bytearray(raw)
    return heads.fault_of(received, heads.end_of(received))


@pytest.mark.parametrize("blank", [b"\r\n", b"\n"])
def test_a_head_ends_at_its_first_empty_line(blank: bytes) -> None:
    head = GET + blank
    assert heads.end_of(bytearray(head + b"body\r\n\r\n")) == len(head)
    assert heads.end_of(bytearray(head[:-1])) == -1


@pytest.mark.parametrize(
    "raw", [b"", b"G", GET, GET + b"\r\n", b"M" * 32 + b" / HTTP/1.1\r\n\r\n", GET + b"X: y\r\n" * 90]
)
def test_what_may_yet_be_good_is_no_fault(raw: bytes) -> None:
    assert fault(raw) is None


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"\x16\x03\x01", MalformedBody),
        (b"\r\n" + GET, MalformedBody),
        (b"M" * 33, MalformedBody),
        (b"M" * 40_000 + b" / HTTP/1.1\r\n\r\n", MalformedBody),
        (b"GET /" + b"a" * 9000, TargetTooLong),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", TargetTooLong),
        (GET + b"X: " + b"y" * 17_000, HeadTooLarge),
        (GET + b"X: " + b"y" * 17_000 + b"\r\n\r\n", HeadTooLarge),
        (GET + b"X: y\r\n" * 101, HeadTooLarge),
        (GET + b"Cookie: " + b"c" * 900 + (b"\r\nCookie: " + b"c" * 900) * 20, HeadTooLarge),
        (GET + b"X: y\0\r\n\r\n", MalformedBody),
        (GET + b"X: y\rz\r\n\r\n", MalformedBody),
        (GET + b"X: y\r\n z\r\n\r\n", MalformedBody),
        (GET + b"Content-Length: 5\r\ncontent-length : 5\r\n\r\n", MalformedBody),
        (GET + b"Content-Length: 5, 5\r\n\r\n", MalformedBody),
        (GET + b"content-length: 5\r\nTRANSFER-ENCODING: chunked\r\n\r\n", MalformedBody),
    ],
    ids=lambda value: repr(value[:12] + value[-12:]) if isinstance(value, bytes) else value.__name__,
)
def test_faults(raw: bytes, kind: type[QrestoreError]) -> None:
    assert type(fault(raw)) is kind


@pytest.mark.parametrize("lines", [b"X:" + b" " * 16_000 + b"\0", b"Content-Length:" + b" " * 16_000 + b"x"])
def test_no_head_takes_quadratic_time(lines: bytes) -> None:
    assert least_seconds(lambda: fault(b"GET / HTTP/1.1\r\n" + lines + b"\r\n\r\n")) < 0.05


@pytest.mark.parametrize(
    ("line", "health"), [(b"GET /livez", True), (b"HEAD /readyz?x=1", True), (b"GET /livez/", False), (b"GET", False)]
)
def test_which_requests_ask_for_health(line: bytes, *, health: bool) -> None:
    assert heads.asks_for_health(line + b" HTTP/1.1\r\n\r\n") is health
