from dataclasses import dataclass

import numpy as np
import pytest
import segno
from numpy.typing import NDArray
from segno import consts

from app.pipeline.qrcode.codewords import ALPHANUMERIC, BYTE, NUMERIC, assemble, blocks
from app.pipeline.qrcode.log_odds import (
    LogOdds,
    codeword_log_odds,
    format_evidence,
    rank_formats,
    version_distance,
)
from app.pipeline.qrcode.messages import count_bits, payload_bits
from app.pipeline.qrcode.patterns import (
    LEVELS,
    MASKS,
    VERSIONS,
    dimension,
    format_positions,
    format_word,
    function_patterns,
    mask_pattern,
    version_positions,
    version_word,
    zigzag,
)
from app.pipeline.qrcode.reed_solomon import syndromes
from app.pipeline.qrcode.segments import message_bits
from tests.support.codes import Modules, encode

SEGNO_LEVELS = {
    "L": consts.ERROR_LEVEL_L,
    "M": consts.ERROR_LEVEL_M,
    "Q": consts.ERROR_LEVEL_Q,
    "H": consts.ERROR_LEVEL_H,
}
ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


@dataclass(frozen=True)
class Made:
    """A symbol of another encoder, and the number of bits of its message."""

    modules: Modules
    version: int
    level: str
    mask: int
    bits: int


def log_odds_of(modules: Modules) -> LogOdds:
    return np.where(modules, 4, -4).astype(np.float32)


def made(version: int, level: str, mask: int) -> Made:
    """One segment of a random mode and length."""
    rng = np.random.default_rng((version, LEVELS.index(level), mask))
    mode, name, alphabet = (
        (NUMERIC, "numeric", ALNUM[:10]),
        (ALPHANUMERIC, "alphanumeric", ALNUM),
        (BYTE, "byte", "äb:c"),
    )[int(rng.integers(3))]
    room = 8 * blocks(version, level).data_codewords - 4 - count_bits(version, mode)
    counts = np.arange(1, 1 << count_bits(version, mode))
    longest = int((payload_bits(mode, counts) <= room).sum())
    count = longest if rng.random() < 0.3 else int(rng.integers(1, longest + 1))
    text = "".join(rng.choice(list(alphabet), count))
    code = segno.make(
        text,
        version=version,
        error=level.lower(),
        mask=mask,
        mode=name,
        encoding="latin-1" if mode == BYTE else None,
        micro=False,
        boost_error=False,
    )
    bits = 4 + count_bits(version, mode) + int(payload_bits(mode, np.array([count]))[0])
    return Made(np.array([list(row) for row in code.matrix], dtype=np.bool_), version, level, mask, bits)


def sampled() -> list[tuple[int, str, int]]:
    """Every version at every level, and every mask several times."""
    return [(version, level, (3 * version + 5 * i) % 8) for version in VERSIONS for i, level in enumerate(LEVELS)]


def data_of(symbol: Made) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Words (count, length) and data codewords, by the code under test."""
    soft = codeword_log_odds(log_odds_of(symbol.modules), symbol.version, symbol.level, symbol.mask)
    words = np.packbits(soft > 0, axis=2)[:, :, 0]
    return words, words.ravel()[blocks(symbol.version, symbol.level).message]


@pytest.mark.parametrize("version", VERSIONS)
def test_symbols_of_an_encoder_are_disassembled_and_assembled_again(version: int) -> None:
    for sample in sampled():
        if sample[0] != version:
            continue
        symbol = made(*sample)
        words, data = data_of(symbol)
        assert not syndromes(words, blocks(version, symbol.level).ec).any()
        assert message_bits(data, version) == symbol.bits
        assert np.array_equal(assemble(data, version, symbol.level, symbol.mask), symbol.modules)


@pytest.mark.parametrize("version", VERSIONS)
def test_blocks_are_those_of_an_encoder(version: int) -> None:
    for level in LEVELS:
        structure = blocks(version, level)
        parts = consts.ECC[version][SEGNO_LEVELS[level]]
        assert structure.count == sum(part.num_blocks for part in parts)
        assert structure.ec == parts[0].num_total - parts[0].num_data
        assert structure.length == parts[-1].num_total
        assert structure.data_codewords == sum(part.num_blocks * part.num_data for part in parts)
        assert len(structure.stream) == int(function_patterns(version).data.sum()) // 8
        drawn = np.sort(structure.stream)
        assert np.array_equal(drawn, np.flatnonzero(~structure.absent.ravel()))


@pytest.mark.parametrize(
    ("version", "level", "reserved", "correctable"),
    [(1, "L", 3, 2), (1, "M", 2, 4), (1, "Q", 1, 6), (1, "H", 1, 8), (2, "L", 2, 4), (3, "L", 1, 7), (4, "L", 0, 10)],
)
def test_reserved_codewords(version: int, level: str, reserved: int, correctable: int) -> None:
    structure = blocks(version, level)
    assert structure.reserved == reserved
    assert (structure.ec - reserved) // 2 == correctable


@pytest.mark.parametrize("mask", MASKS)
def test_masks_are_those_of_an_encoder(mask: int) -> None:
    for version in (1, 6, 7):
        other = (mask + 3) % 8
        differs = encode("7", version=version, mask=mask) ^ encode("7", version=version, mask=other)
        data = function_patterns(version).data
        assert np.array_equal(mask_pattern(version, mask) ^ mask_pattern(version, other), differs & data)
        assert not mask_pattern(version, mask)[~data].any()


@pytest.mark.parametrize("version", [1, 2, 6, 7, 40])
def test_zigzag_visits_every_data_module_once(version: int) -> None:
    rows, columns = zigzag(version)
    visited = np.zeros((dimension(version),) * 2, dtype=int)
    np.add.at(visited, (rows, columns), 1)
    assert np.array_equal(visited, function_patterns(version).data)
    last = dimension(version) - 1
    assert list(zip(rows[:4].tolist(), columns[:4].tolist(), strict=True)) == [
        (last, last),
        (last, last - 1),
        (last - 1, last),
        (last - 1, last - 1),
    ]


def test_format_words_are_those_of_the_standard() -> None:
    """Annex C: the example of level M and mask 5, the two ends of table C.1, and the distance of the code."""
    assert "".join(map(str, format_word("M", 5).astype(int))) == "100000011001110"
    assert int("".join(map(str, format_word("M", 0).astype(int))), 2) == 0x5412
    assert int("".join(map(str, format_word("Q", 7).astype(int))), 2) == 0x2BED
    words = np.array([format_word(level, mask) for level in LEVELS for mask in MASKS])
    distances = (words[:, None] != words).sum(axis=2)
    assert distances[~np.eye(32, dtype=bool)].min() == 7


def test_version_words_are_those_of_the_standard() -> None:
    """Annex D: the example of version 7, the last of table D.1, and the distance of the code."""
    assert int("".join(map(str, version_word(7).astype(int))), 2) == 0x07C94
    assert int("".join(map(str, version_word(40).astype(int))), 2) == 0x28C69
    words = np.array([version_word(version) for version in range(7, 41)])
    assert (words[:, None] != words).sum(axis=2)[~np.eye(34, dtype=bool)].min() == 8


def test_formats_are_ranked_by_both_copies_together() -> None:
    log_odds = log_odds_of(encode("ranked", version=2, error="q", mask=6))
    rows, columns = format_positions(2)
    log_odds[rows[0, :5], columns[0, :5]] *= -0.5
    best, second, *rest = rank_formats(log_odds, 2)
    assert (best.level, best.mask, best.distance) == ("Q", 6, 0)
    assert best.score == pytest.approx(4 * 25 - 2 * 5)
    assert best.score > second.score
    assert len(rest) == 30
    log_odds[rows[1, 3:5], columns[1, 3:5]] *= -0.1
    again = rank_formats(log_odds, 2)[0]
    assert (again.level, again.mask, again.distance) == ("Q", 6, 2)


def test_version_distance_is_that_of_the_better_copy() -> None:
    log_odds = log_odds_of(encode("far", version=8))
    assert version_distance(log_odds, 8) == 0
    rows, columns = version_positions(8)
    log_odds[rows[0, :7], columns[0, :7]] *= -1
    assert version_distance(log_odds, 8) == 0
    log_odds[rows[1, :4], columns[1, :4]] *= -1
    assert version_distance(log_odds, 8) == 4
    assert version_distance(log_odds_of(encode("far", version=6)), 6) is None
    assert version_distance(log_odds_of(np.zeros((49, 49), dtype=np.bool_)), 8) == int(version_word(8).sum())


def test_format_information_says_as_much_as_its_better_copy() -> None:
    log_odds = log_odds_of(encode("ranked", version=2, error="q", mask=6))
    rows, columns = format_positions(2)
    best = rank_formats(log_odds, 2)[0]
    whole = format_evidence(log_odds, 2, best)
    log_odds[rows[0], columns[0]] = 4  # under a dark sticker
    one_copy = format_evidence(log_odds, 2, best)
    assert 24 < whole < 26
    assert 9 < one_copy < 11
    log_odds[rows[1], columns[1]] = 4
    assert format_evidence(log_odds, 2, rank_formats(log_odds, 2)[0]) < 0


def test_assemble_needs_the_right_number_of_codewords() -> None:
    with pytest.raises(ValueError, match="version 1-L holds 19 data codewords"):
        assemble(np.zeros(18, dtype=np.uint8), 1, "L", 0)
