"""Multipart forms, whole and byte by byte: the files that are taken from them, and refusals."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.errors import MalformedBody, QrestoreError, TooManyFiles
from app.http.multipart import Form, read_form

KIND = "multipart/form-data; boundary=boundary"
NAMED = b'Content-Disposition: form-data; name="%s"'
FILE = b'Content-Disposition: form-data; name="%s"; filename="%s"'


def form(*parts: tuple[bytes, bytes]) -> bytes:
    """A form; each part is a pair of its header lines and its content."""
    return b"".join(b"--boundary\r\n%s\r\n\r\n%s\r\n" % part for part in parts) + b"--boundary--\r\n"


def read_all(body: bytes, kind: str = KIND, *, piece: int = 1 << 16, most: int = 2) -> Form:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), piece):
            yield body[start : start + piece]

    wanted = {"file": "file", "fields": ("effort", "budget")}
    return asyncio.run(read_form(kind, stream(), **wanted, most=most, refusal="Too many."))


def read(body: bytes, kind: str = KIND, *, piece: int = 1 << 16, most: int = 2) -> list[bytes]:
    return read_all(body, kind, piece=piece, most=most).files


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_files_of_the_field_come_in_order_and_whole(piece: int) -> None:
    first, second = bytes(range(256)) * 3 + b"\r\n--boundar", b""
    body = form(
        (FILE % (b"file", b"a.png"), first),
        (NAMED % b"note", b"words"),
        (FILE % (b"file", b"b.png"), second),
    )
    assert read(body, piece=piece) == [first, second]


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_fields_that_were_asked_for_come_as_text(piece: int) -> None:
    body = form(
        (NAMED % b"effort", b"fast"), (FILE % (b"file", b"a"), b"x" * 5000), (NAMED % b"budget", "\u00bd".encode())
    )
    found = read_all(body, piece=piece)
    assert found == Form([b"x" * 5000], {"effort": "fast", "budget": "\u00bd"})


def test_what_was_not_asked_for_is_named_and_not_kept() -> None:
    body = form(
        (NAMED % b"file", b"words"),
        (FILE % (b"picture", b"a"), b"x"),
        (NAMED % (b"n" * 5000), b"y" * 100_000),
        (FILE % (b"effort", b"a"), b"fast"),
    )
    assert read_all(body) == Form(unknown={"file", "picture", "n" * 64, "effort"})


def test_a_field_that_comes_twice_is_named() -> None:
    assert read_all(form(*[(NAMED % b"effort", b"fast")] * 2)).repeated == {"effort"}


@pytest.mark.parametrize("name", [b"../../etc/passwd", b"x" * 10_000, b"\\xff\xfe", b"a; b=c", b""])
def test_any_file_name_is_accepted(name: bytes) -> None:
    assert read(form((FILE % (b"file", name), b"x"))) == [b"x"]


@pytest.mark.parametrize("quoted", ['"boundary"', "boundary; charset=punycode", "boundary; charset=undefined"])
def test_only_the_boundary_of_the_content_type_matters(quoted: str) -> None:
    body = form((NAMED % b"note", b"a" * 100_000), (FILE % (b"file", b"a"), b"x"))
    assert read(body, f"multipart/form-data; boundary={quoted}") == [b"x"]


def test_too_many_files_are_refused_whatever_their_field() -> None:
    with pytest.raises(TooManyFiles, match="Too many"):
        read(form(*[(FILE % (b"other", b"a"), b"x")] * 3))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        form((FILE % (b"file", b"a"), b"x"))[:-6],
        form((b"Content-Type: image/png", b"x")),
        form((b'Content-Disposition: form-data; filename="a"', b"x")),
        form(*[(NAMED % b"note", b"x")] * 17),
        form((b"\r\n".join([FILE % (b"file", b"a"), *[b"X: y"] * 9]), b"x")),
        form((b"X: " + b"y" * 70_000 + b"\r\n" + FILE % (b"file", b"a"), b"x")),
        form((NAMED % b"effort", b"x" * 1025)),
        form((NAMED % b"effort", b"\xff")),
    ],
    ids=[
        "empty",
        "text",
        "cut",
        "undisposed",
        "nameless",
        "many fields",
        "many headers",
        "long header",
        "long field",
        "no UTF-8",
    ],
)
def test_an_invalid_form_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        read(body)


@pytest.mark.parametrize("where", ["before", "behind"])
def test_only_a_few_bytes_may_surround_a_form(where: str) -> None:
    def surrounded(count: int) -> bytes:
        body, waste = form((FILE % (b"file", b"a"), b"x")), b"\r\n" * (count // 2)
        return waste + body if where == "before" else body + waste

    assert read(surrounded(4), piece=64) == [b"x"]
    with pytest.raises(MalformedBody):
        read(surrounded(4096), piece=64)


@pytest.mark.parametrize("boundary", ["", "b" * 71, "b" * 300])
def test_the_length_of_a_boundary_is_bounded(boundary: str) -> None:
    with pytest.raises(QrestoreError):
        read(b"", f"multipart/form-data; boundary={boundary}")
