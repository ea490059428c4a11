"""The chunked coding: payloads whole and byte by byte, refusals, and what the coding itself may cost."""

import pytest

from app.errors import MalformedBody
from app.http.wire.chunks import Dechunker


def chunked(payload: bytes, size: int, *, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
    return (
        b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"
    )


def read(raw: bytes, *, step: int = 1 << 20) -> tuple[bytes, bytes, bool]:
    """The payload, what is left behind it, and whether the body has ended; ``step`` bytes arrive at a time."""
    dechunker, buffer, payload = Dechunker(), bytearray(), b""
    for start in range(0, len(raw), step):
        buffer += raw[start : start + step]
        before = -1
        while len(buffer) != before:
            before = len(buffer)
            payload += dechunker.take(buffer)
    return payload, bytes(buffer), dechunker.ended


@pytest.mark.parametrize("step", [1, 3, 1000, 1 << 20])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_payload_comes_out_however_it_arrives(size: int, step: int) -> None:
    payload = bytes(range(256)) * 8
    assert read(chunked(payload, size) + b"GET /", step=step) == (payload, b"GET /", True)


def test_large_chunks_come_in_pieces_and_lose_nothing() -> None:
    payload = bytes(range(256)) * 4096
    dechunker, buffer = Dechunker(), bytearray(chunked(payload, 1 << 20))
    pieces = []
    while not dechunker.ended:
        pieces.append(dechunker.take(buffer))
    assert b"".join(pieces) == payload
    assert max(map(len, pieces)) <= 64 * 1024


def test_payload_of_many_small_chunks_is_handed_on_in_few_pieces() -> None:
    dechunker, buffer = Dechunker(), bytearray(chunked(bytes(3000), 1))
    pieces = []
    while not dechunker.ended:
        pieces.append(dechunker.take(buffer))
    assert sum(map(bool, pieces)) <= 2


def test_extensions_and_trailers_are_dropped() -> None:
    assert read(chunked(b"hello", 2, extension=b' ;a="b c"', trailer=b"X-Sum: 5\r\nY:\r\n")) == (b"hello", b"", True)


def test_nothing_is_taken_after_the_end() -> None:
    dechunker, buffer = Dechunker(), bytearray(b"0\r\n\r\n5\r\nhello\r\n")
    dechunker.take(buffer)
    assert dechunker.ended
    assert dechunker.take(buffer) == b""
    assert buffer == b"5\r\nhello\r\n"


@pytest.mark.parametrize("step", [1, 1 << 20])
@pytest.mark.parametrize(
    "raw",
    [
        b"zz\r\n",
        b"\r\n",
        b"-5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"5 5\r\nhello\r\n",
        b"f" * 17 + b"\r\n",
        b"2\r\nhello\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n" + bytes(2000),
        b"5;\0\r\nhello\r\n",
        b"5;" + b"e" * 2000 + b"\r\n",
        b"5" * 2000,
        b"0\r\nno field\r\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\n" + b"X" * 2000 + b"\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_anything_else_is_refused(raw: bytes, step: int) -> None:
    with pytest.raises(MalformedBody):
        read(raw, step=step)


@pytest.mark.parametrize(
    ("size", "length", "fits"),
    [(1, 3000, True), (1, 4000, False), (64, 1_000_000, True), (32, 1_000_000, False), (1024, 20 << 20, True)],
)
def test_the_coding_may_cost_16_kib_and_an_eighth_of_the_body(size: int, length: int, *, fits: bool) -> None:
    raw = chunked(bytes(length), size)
    if fits:
        assert read(raw)[0] == bytes(length)
    else:
        with pytest.raises(MalformedBody, match="too small"):
            read(raw)


def test_the_coding_may_never_cost_more_than_256_kib() -> None:
    with pytest.raises(MalformedBody, match="too small"):
        read(chunked(bytes(8 << 20), 128))


@pytest.mark.parametrize("raw", [b"1;" + b"e" * 900 + b"\r\nx\r\n", b"0\r\n" + b"X: y\r\n" * 200])
def test_extensions_and_trailers_count(raw: bytes) -> None:
    with pytest.raises(MalformedBody, match="too small"):
        read(raw * 40 if raw[:1] == b"1" else raw[:3] + raw[3:] * 40)
