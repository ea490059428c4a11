"""Messages: segments, ECI, FNC1, structured append, and symbology identifiers."""

import numpy as np
import pytest

from app.pipeline.qrcode.codewords import blocks
from app.pipeline.qrcode.segments import Message, Segment, StructuredAppend, parse_message
from tests.support.codes import bits_of

VERSION, LEVEL = 5, "L"


def parsed(*segments: tuple[str, bytes | str | int]) -> Message:
    bits = bits_of(*segments)
    total = blocks(VERSION, LEVEL).data_codewords
    data = [int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8)]
    message = parse_message(np.array((data + [0xEC, 0x11] * total)[:total], dtype=np.uint8), VERSION)
    assert message is not None
    assert message.bits == len(bits) - 4
    return message


@pytest.mark.parametrize(
    ("mode", "characters", "payload"),
    [
        ("numeric", "0", b"0"),
        ("numeric", "09", b"09"),
        ("numeric", "007", b"007"),
        ("numeric", "0123456789012", b"0123456789012"),
        ("alphanumeric", "A", b"A"),
        ("alphanumeric", "AC-42 $%*+./:", b"AC-42 $%*+./:"),
        ("byte", bytes(range(100)), bytes(range(100))),
        ("kanji", "点茗日本".encode("shift_jis"), "点茗日本".encode("shift_jis")),
        ("kanji", b"\xe0\x40\xea\xa4", b"\xe0\x40\xea\xa4"),
        ("hanzi", "汉字、龙".encode("gb2312"), "汉字、龙".encode("gb2312")),
    ],
)
def test_characters_of_each_mode(mode: str, characters: str | bytes, payload: bytes) -> None:
    message = parsed((mode, characters))
    assert message.segments == (Segment(mode, None, payload),)
    assert message.payload == payload


@pytest.mark.parametrize("number", [0, 3, 26, 127, 128, 899, 16383, 16384, 999_999])
def test_every_length_of_an_eci(number: int) -> None:
    assert parsed(("eci", number), ("byte", b"x")).segments == (Segment("byte", number, b"x"),)


def test_eci_holds_until_the_next() -> None:
    message = parsed(("numeric", "1"), ("eci", 20), ("byte", b"a"), ("alphanumeric", "B"), ("eci", 26), ("byte", b"c"))
    assert [(one.mode, one.eci) for one in message.segments] == [
        ("numeric", None), ("byte", 20), ("alphanumeric", 20), ("byte", 26),
    ]  # fmt: skip
    assert message.payload == b"1aBc"


def test_empty_segments_are_kept_and_add_nothing() -> None:
    message = parsed(("byte", b""), ("numeric", "42"), ("alphanumeric", ""))
    assert message.segments == (
        Segment("byte", None, b""),
        Segment("numeric", None, b"42"),
        Segment("alphanumeric", None, b""),
    )
    assert message.payload == b"42"


@pytest.mark.parametrize("index", [0, 2, 15])
def test_structured_append(index: int) -> None:
    message = parsed(("append", index << 12 | 15 << 8 | 0xA7), ("byte", b"part"))
    assert message.structured_append == StructuredAppend(index, 16, 0xA7)
    assert parsed(("byte", b"whole")).structured_append is None


def test_percent_signs_of_alphanumeric_characters_separate_elements_after_fnc1() -> None:
    assert parsed(("fnc1", 1), ("alphanumeric", "10AB%%C%21D")).payload == b"10AB%C\x1d21D"
    assert parsed(("fnc1", 1), ("alphanumeric", "10A%%%21")).payload == b"10A%\x1d21"
    assert parsed(("alphanumeric", "10AB%%C%")).payload == b"10AB%%C%"
    assert parsed(("fnc1", 1), ("byte", b"10A%%")).payload == b"10A%%"


@pytest.mark.parametrize(("indicator", "application"), [(7, b"07"), (99, b"99"), (165, b"A"), (222, b"z")])
def test_an_application_indicator_is_part_of_the_payload(indicator: int, application: bytes) -> None:
    message = parsed(("fnc1", 2), ("application", indicator), ("byte", b"text"))
    assert (message.fnc1, message.application, message.payload) == (2, application, application + b"text")


@pytest.mark.parametrize(
    ("before", "identifier"),
    [
        ([], "]Q1"),
        ([("eci", 26)], "]Q2"),
        ([("fnc1", 1)], "]Q3"),
        ([("eci", 26), ("fnc1", 1)], "]Q4"),
        ([("fnc1", 2), ("application", 1)], "]Q5"),
        ([("fnc1", 2), ("application", 1), ("eci", 3)], "]Q6"),
    ],
)
def test_symbology_identifiers(before: list[tuple[str, int]], identifier: str) -> None:
    assert parsed(*before, ("numeric", "1")).identifier == identifier


@pytest.mark.parametrize("left", range(4))
def test_a_terminator_may_be_cut_short(left: int) -> None:
    """19 data codewords: 1-L. Digits fill all but a few bits."""
    digits = {0: "9" * 39 + "12", 1: "9" * 41, 2: "9" * 40, 3: "9" * 40}[left]
    bits = bits_of(("numeric", digits))[:-4]
    data = np.array([int(bits.ljust(152, "0")[i : i + 8], 2) for i in range(0, 152, 8)], dtype=np.uint8)
    message = parse_message(data, 1)
    assert message is not None
    assert message.payload == digits.encode()
