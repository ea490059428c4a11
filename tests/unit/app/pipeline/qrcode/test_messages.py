import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.engines.zxing import ZXing
from app.pipeline.qrcode.codewords import (
    ALPHANUMERIC,
    BYTE,
    ECI,
    FNC1_FIRST,
    FNC1_SECOND,
    HANZI,
    KANJI,
    NUMERIC,
    STRUCTURED_APPEND,
    assemble,
    blocks,
)
from app.pipeline.qrcode.patterns import render
from app.pipeline.qrcode.segments import message_bits


def codewords_of(bits: str, total: int, padding: tuple[int, ...] = (0xEC, 0x11)) -> NDArray[np.uint8]:
    """The bits, then zeros up to the end of the codeword, then padding."""
    plain = bits.replace(" ", "")
    plain += "0" * (-len(plain) % 8)
    data = [int(plain[i : i + 8], 2) for i in range(0, len(plain), 8)]
    return np.array((data + list(padding) * total)[:total], dtype=np.uint8)


@pytest.mark.parametrize(
    ("bits", "end"),
    [
        ("0100 00000001 01000001 0000", 20),
        ("0100 00000001 01000001 0000 00000000", 20),  # segno's idle zero codeword
        ("0001 0000000011 1111100111 0000", 24),
        ("0001 0000000001 1001 0000", 18),
        ("0001 0000000010 1100011 0000", 21),
        ("0010 000000010 11111101000 0000", 24),
        ("0010 000000001 101100 0000", 19),
        ("1000 00000001 0000000000000 0000", 25),
        ("1000 00000001 0000000111111 0000", 25),  # no character of Shift JIS
        ("1101 0001 00000001 0000000000000 0000", 29),
        ("0111 00011010 0100 00000001 01000001 0000", 32),
        ("0111 1000000010000000 0001 0000000001 0001 0000", 38),
        ("0111 110011110100001000111111 0001 0000000001 0001 0000", 46),
        ("0101 0001 0000000001 0001 0000", 22),
        ("1001 00000000 0001 0000000001 0001 0000", 30),
        ("0011 0000 0001 10101010 0001 0000000001 0001 0000", 38),
        ("0001 0000000001 0001 0100 00000001 01000001 0000", 38),
        ("0001 0000000001 0001 0101 0001 0000000001 0001 0000", 40),  # FNC1 in the middle
        ("0001 0000000000 0100 00000001 01000001 0000", 34),  # an empty segment
        ("0001 0000000001 0001 0000 0001", 18),  # ones after the terminator
    ],
)
@pytest.mark.parametrize("padding", [(0xEC, 0x11), (0x11, 0xEC), (0x00,), (0xFF,), (0x5A, 0xC3, 0x99)])
def test_messages_that_are_parsed_whatever_follows(bits: str, end: int, padding: tuple[int, ...]) -> None:
    assert message_bits(codewords_of(bits, 19, padding), 1) == end


@pytest.mark.parametrize(
    ("bits", "why"),
    [
        ("0000", "nothing in it"),
        ("0100 00000000 0000", "an empty segment and no other"),
        ("0100 11111111 01000001 0000", "longer than the symbol"),
        ("0001 0000000011 1111101000 0000", "three digits of 1000"),
        ("0001 0000000001 1010 0000", "a digit of 10"),
        ("0001 0000000010 1100100 0000", "two digits of 100"),
        ("0010 000000010 11111101001 0000", "two characters of 45 x 45"),
        ("0010 000000001 101101 0000", "a character of 45"),
        ("1101 0010 00000001 0000000000000 0000", "no such set of Hanzi"),
        ("0111 11100000 0100 00000001 01000001 0000", "no such designator"),
        ("0111 00011010 0000", "a designator of nothing"),
        ("0001 0000000001 0001 1001 00000000 0001 0000000001 0001 0000", "FNC1 in second position after characters"),
        ("1001 11111111 0001 0000000001 0001 0000", "no such application"),
        ("0110 00000001 01000001 0000", "no such mode"),
        ("1110 00000001 01000001 0000", "no mode of this standard"),
    ],
)
def test_messages_that_are_not_parsed(bits: str, why: str) -> None:
    assert message_bits(codewords_of(bits, 19), 1) is None, why


def test_a_message_may_fill_the_symbol() -> None:
    full = "0100 00010001" + "01000001" * 17
    assert message_bits(codewords_of(full + "0000", 19), 1) == 148
    digits = "0001 0000101001" + "0000000001" * 13 + "0000001" + "0"  # 41 digits and one bit of a terminator
    assert message_bits(codewords_of(digits, 19), 1) == 151
    spoiled = codewords_of(digits, 19)
    spoiled[-1] |= 1
    assert message_bits(spoiled, 1) is None


def segment(rng: Generator) -> str:
    """The bits of a segment of a version below 10, now and then one that is not allowed."""
    mode = int(rng.choice([NUMERIC, ALPHANUMERIC, BYTE, KANJI, HANZI, ECI, STRUCTURED_APPEND, FNC1_FIRST, FNC1_SECOND]))
    count = int(rng.integers(0, 6))

    def numbers(width: int, below: int, many: int) -> str:
        return "".join(f"{int(rng.integers(below)):0{width}b}" for _ in range(many))

    if mode == NUMERIC:
        rest = numbers(4, 11, 1) if count % 3 == 1 else numbers(7, 101, 1) if count % 3 else ""
        body = f"{count:010b}" + numbers(10, 1001, count // 3) + rest
    elif mode == ALPHANUMERIC:
        body = f"{count:09b}" + numbers(11, 2026, count // 2) + numbers(6, 46, count % 2)
    elif mode in (BYTE, KANJI):
        body = f"{count:08b}" + (numbers(8, 256, count) if mode == BYTE else numbers(13, 8192, count))
    elif mode == HANZI:
        body = ("0001" if rng.random() < 0.9 else "0010") + f"{count:08b}" + numbers(13, 8192, count)
    elif mode == ECI:
        body = numbers(8, 256, 1 if rng.random() < 0.8 else 3)
    else:
        body = numbers(8, 256, {STRUCTURED_APPEND: 2, FNC1_FIRST: 0, FNC1_SECOND: 1}[mode])
    return f"{mode if rng.random() < 0.98 else int(rng.integers(16)):04b}" + body


def test_exactly_what_zxing_parses_is_a_message() -> None:
    """Random segments, with a terminator or without, and random padding, in perfect symbols."""
    engine, rng = ZXing(), np.random.default_rng(15)
    total = blocks(3, "M").data_codewords
    parsed = 0
    for _ in range(600):
        bits = "".join(segment(rng) for _ in range(int(rng.integers(1, 5))))
        bits += "0000" * (rng.random() < 0.9)
        data = np.packbits(np.concatenate([np.array(list(bits), dtype=np.uint8), rng.integers(0, 2, 8 * total)]) > 0)
        modules = assemble(data[:total], 3, "M", int(rng.integers(8)))
        seen = any(symbol.version == 3 for symbol in engine.read(render(modules, pixels=4)))
        assert (message_bits(data[:total], 3) is not None) == seen, bits
        parsed += seen
    assert 150 < parsed < 450


@pytest.mark.parametrize(("version", "level"), [(1, "H"), (1, "L"), (2, "M"), (3, "L"), (5, "L")])
def test_random_data_are_hardly_ever_a_message(version: int, level: str) -> None:
    """In less than one case of 100: soft decoding counts on that for symbols of one block."""
    rng = np.random.default_rng(version)
    drawn = rng.integers(0, 256, (4000, blocks(version, level).data_codewords), dtype=np.uint8)
    assert sum(message_bits(data, version) is not None for data in drawn) < 60  # 40 with four deviations to spare
