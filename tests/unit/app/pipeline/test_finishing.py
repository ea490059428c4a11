"""Parts of messages in structured append, as an outcome ends."""

from dataclasses import replace
from functools import reduce
from operator import xor

from app.pipeline.finishing import finish
from app.pipeline.payload.charsets import Charset
from app.pipeline.payload.interpreting import CharsetSource
from app.pipeline.qrcode.contents import read_contents
from app.pipeline.qrcode.segments import Message, Segment, StructuredAppend
from app.pipeline.results import Found, Outcome
from tests.support.codes import encode
from tests.support.fakes import symbol

MODULES = encode("one of several", version=2)


def found(payload: bytes, index: int, total: int, parity: int, eci: int | None = None) -> Found:
    message = Message((Segment("byte", eci, payload),), StructuredAppend(index, total, parity), 0, b"", 0)
    contents = read_contents(MODULES)
    assert contents is not None
    return Found(symbol().stating(replace(contents, message=message)), "direct")


def parts_of(stored: bytes, *cuts: int, parity: int | None = None) -> list[Found]:
    stated = reduce(xor, stored) if parity is None else parity
    pieces = [stored[begin:end] for begin, end in zip((0, *cuts), (*cuts, len(stored)), strict=True)]
    return [found(piece, index, len(pieces), stated) for index, piece in enumerate(pieces)]


def outcome_of(*codes: Found) -> Outcome:
    return Outcome(codes=codes, width=100, height=100, route=None, trace=(), truncated=False)


def texts(codes: list[Found], hint: Charset | None = None) -> list[str]:
    return [one.symbol.text for one in finish(outcome_of(*codes), hint).codes]


def test_parts_in_any_order_have_the_charset_of_their_message() -> None:
    one, two, three = parts_of("冷蔵庫 für Äpfel".encode(), 12, 16)
    outcome = finish(outcome_of(three, one, two, one))
    symbols = [code.symbol for code in outcome.codes]
    assert [each.text for each in symbols] == ["\ufffdpfel", "冷蔵庫 f\ufffd", "\ufffdr \ufffd", "冷蔵庫 f\ufffd"]
    assert {(each.charset, each.charset_source) for each in symbols} == {("UTF-8", CharsetSource.GUESSED)}
    assert outcome.messages[0].text == "冷蔵庫 für Äpfel"


def test_a_cut_character_is_replaced_in_both_parts() -> None:
    assert texts(parts_of("1 für 2".encode(), 4)) == ["1 f\ufffd", "\ufffdr 2"]
    assert texts(parts_of("常温保存".encode("cp932"), 3)) == ["常\ufffd", "\ufffd保存"]
    assert texts(parts_of("常温保存".encode("euc_jp"), 3), Charset("EUC-JP", "euc_jp")) == ["常\ufffd", "\ufffd保存"]


def test_parts_of_which_only_the_parity_differs_are_read_alone() -> None:
    """They may be of different messages."""
    assert texts([found("für".encode(), 0, 2, 1), found("déjà vu".encode("latin-1"), 1, 2, 1)]) == ["für", "déjà vu"]


def test_parts_that_name_their_charset_keep_it() -> None:
    stored = ("Größe".encode("latin-1"), " für".encode())
    parity = reduce(xor, b"".join(stored))
    codes = [found(stored[0], 0, 2, parity, eci=3), found(stored[1], 1, 2, parity)]
    assert texts(codes) == ["Größe", " für"]
