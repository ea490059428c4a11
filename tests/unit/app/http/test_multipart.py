"""Multipart forms, whole and byte by byte: the files that are taken from them, and refusals."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.errors import MalformedBody, QrestoreError, TooManyFiles
from app.http.multipart import read_files

KIND = "multipart/form-data; boundary=boundary"
NAMED = b'Content-Disposition: form-data; name="%s"'
FILE = b'Content-Disposition: form-data; name="%s"; filename="%s"'


def form(*parts: tuple[bytes, bytes]) -> bytes:
    """A form; each part is a pair of its header lines and its content."""
    return b"".join(b"--boundary\r\n%s\r\n\r\n%s\r\n" % part for part in parts) + b"--boundary--\r\n"


def read(body: bytes, kind: str = KIND, *, piece: int = 1 << 16, most: int = 2) -> list[bytes]:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), piece):
            yield body[start : start + piece]

    return asyncio.run(read_files(kind, stream(), field="file", most=most, refusal="Too many."))


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_files_of_the_field_come_in_order_and_whole(piece: int) -> None:
    first, second = bytes(range(256)) * 3 + b"\r\n--boundar", b""
    body = form(
        (FILE % (b"file", b"a.png"), first),
        (NAMED % b"note", b"words"),
        (FILE % (b"file", b"b.png"), second),
    )
    assert read(body, piece=piece) == [first, second]


def test_a_field_without_a_file_name_is_no_file_and_other_fields_do_not_count() -> None:
    assert read(form((NAMED % b"file", b"words"))) == []
    assert read(form((FILE % (b"picture", b"a"), b"x"))) == []


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
    ],
    ids=["empty", "text", "cut", "undisposed", "nameless", "many fields", "many headers", "long header"],
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
