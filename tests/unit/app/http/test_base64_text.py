"""Base64 as people send it, and what is none."""

import asyncio
from base64 import b64encode, urlsafe_b64encode
from textwrap import fill

import pytest

from app.http import base64_text
from app.http.base64_text import decode_base64

DATA = bytes(range(256)) * 3 + b"\xfb\xff\xbe"


def decode(text: str) -> bytes:
    return asyncio.run(decode_base64(text))


@pytest.mark.parametrize("length", range(7))
@pytest.mark.parametrize("piece", [4, 7, 1 << 18])
def test_every_form_gives_the_same_bytes(length: int, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base64_text, "_PIECE", piece)
    data = DATA[-700 - length :]
    standard, safe = b64encode(data).decode(), urlsafe_b64encode(data).decode()
    lines = fill(standard, 76)
    for text in (standard, safe, lines, lines.replace("\n", "\r\n") + "\r\n", standard.rstrip("="), safe.rstrip("=")):
        assert decode(text) == data
        for head in (
            "data:;base64,",
            "data:image/png;base64,",
            "DATA:image/svg+xml;charset=utf-8;BASE64,",
            " data:a/b;base64,\n",
        ):
            assert decode(head + text) == data


@pytest.mark.parametrize(
    "text",
    [
        "A", "AAAAA", "AA=", "AAA==", "AAAA=", "AAAA====", "=", "====", "AA==AA==", "AA=A", "*", "AAA\u00e9", "AA AA A",
        "data:image/png,AAAA", "data:image/png;base64", "data:", "data:image/png;base64;AAAA", "data:a b;base64,AAAA",
        "data:" + "a" * 300 + ";base64,AAAA", "image/png;base64,AAAA", "AAAA\0",
    ],
)  # fmt: skip
def test_no_base64(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any message will do
        decode(text)


def test_padding_is_found_across_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base64_text, "_PIECE", 4)
    assert decode("AAAAAA=\n\n\n\n=") == bytes(4)
    for text in ("AA==AAAA", "AA=\n\n\n=A", "AAAAAA=\n\n\n\n=="):
        with pytest.raises(ValueError, match=r"padding|group"):
            decode(text)


def test_nothing_is_no_byte() -> None:
    assert decode("") == decode("data:,".replace(",", ";base64,")) == b""
