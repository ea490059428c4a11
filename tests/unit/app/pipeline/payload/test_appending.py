"""Structured append: groups, order, missing parts, and characters cut between symbols."""

from functools import reduce
from operator import xor

import pytest

from app.pipeline.payload.appending import AppendedMessage, put_together
from app.pipeline.payload.charsets import Charset
from app.pipeline.qrcode.segments import Message, Segment, StructuredAppend


def parts_of(*payloads: bytes, parity: int | None = None, eci: int | None = None) -> list[Message]:
    stated = reduce(xor, b"".join(payloads)) if parity is None else parity
    return [
        Message((Segment("byte", eci, payload),), StructuredAppend(index, len(payloads), stated), 0, b"", 0)
        for index, payload in enumerate(payloads)
    ]


ALONE = Message((Segment("byte", None, b"alone"),), None, 0, b"", 0)


def test_parts_in_any_order() -> None:
    one, two, three = parts_of(b"one ", b"two ", b"three")
    assert put_together([three, ALONE, None, one, two]) == [
        AppendedMessage("one two three", b"one two three", (3, 4, 0), complete=True, missing=())
    ]
    assert put_together([ALONE, None]) == []


def test_missing_parts_are_named() -> None:
    parts = parts_of(b"a", b"b", b"c", b"d")
    assert put_together([parts[1], parts[3]]) == [AppendedMessage("bd", b"bd", (0, 1), complete=False, missing=(0, 2))]


def test_a_part_that_is_seen_twice_counts_once() -> None:
    one, two = parts_of(b"one ", b"two")
    (found,) = put_together([one, two, one])
    assert (found.parts, found.complete) == ((0, 1), True)


def test_double_byte_characters_cut_between_symbols_are_whole() -> None:
    text = "配送先は東京都"
    for codec, eci in (("utf-8", None), ("utf-8", 26), ("shift_jis", 20)):
        stored = text.encode(codec)
        (found,) = put_together(parts_of(stored[:5], stored[5:10], stored[10:], eci=eci))
        assert (found.text, found.payload, found.complete) == (text, stored, True)
    stored = text.encode("euc-jp")
    assert put_together(parts_of(stored[:3], stored[3:]), Charset("EUC-JP", "euc-jp"))[0].text == text


def test_groups_differ_by_parity_or_total() -> None:
    pages = parts_of(b"first ", b"page") + parts_of(b"second ", b"page") + parts_of(b"a third", b" ", b"page")
    assert [one.text for one in put_together(pages)] == ["first page", "second page", "a third page"]


def test_groups_with_the_same_parity_and_total_are_told_apart_by_their_bytes() -> None:
    """The parity of both is 0: every byte comes twice."""
    one, other = parts_of(b"abc", b"cab"), parts_of(b"xyzz", b"yx")
    assert {message.structured_append.parity for message in one + other if message.structured_append} == {0}
    found = put_together([other[0], one[1], one[0], other[1]])
    assert sorted((part.text, part.complete) for part in found) == [("abccab", True), ("xyzzyx", True)]


def test_what_cannot_be_told_apart_is_not_joined() -> None:
    one, other = parts_of(b"abc", b"ab", b"c"), parts_of(b"xyz", b"xy", b"z")
    found = put_together([one[0], other[0], other[1]])
    assert [(part.text, part.complete, part.missing) for part in found] == [
        ("abc", False, (1, 2)), ("xyz", False, (1, 2)), ("xy", False, (0, 2)),
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "charset"), [("Größe", "latin-1"), ("日本語", "shift_jis")])
def test_a_parity_counted_in_another_charset_is_right(text: str, charset: str) -> None:
    """segno counts so, whatever it writes."""
    pieces = text[:2].encode(), text[2:].encode()
    parity = reduce(xor, text.encode(charset))
    (found,) = put_together(parts_of(*pieces, parity=parity))
    assert (found.text, found.complete) == (text, True)
    assert not put_together(parts_of(*pieces, parity=parity ^ 1))[0].complete


def test_a_wrong_parity_is_never_complete() -> None:
    (found,) = put_together(parts_of(b"one ", b"two", parity=1))
    assert (found.text, found.complete, found.missing) == ("one two", False, ())


def test_an_index_beyond_the_total_is_left_alone() -> None:
    stray = Message((Segment("byte", None, b"x"),), StructuredAppend(5, 3, 120), 0, b"", 0)
    assert put_together([stray]) == []
