"""Soft decoding of rMQR codes: what an independent encoder wrote comes out, and nothing comes out of noise."""

import numpy as np
import pytest

from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import Bits
from app.pipeline.qrcode.small.contents import read_small_contents, small_blocks
from app.pipeline.qrcode.small.patterns import format_information, small_patterns, small_zigzag
from app.pipeline.qrcode.small.rectangular import assemble_rectangular, decode_rectangular, likely_versions
from app.pipeline.qrcode.small.versions import RECTANGULAR_VERSIONS, modules_of, rectangular_symbol
from tests.support.rectangular_codes import VERSIONS, rectangular_modules

EVERY = [(version, level) for version in VERSIONS for level in "MH"]
SEVERAL_BLOCKS = [("R9x139", "M"), ("R11x139", "H"), ("R13x99", "H"), ("R17x139", "M"), ("R17x139", "H")]


def clear(modules: Bits) -> LogOdds:
    return np.where(modules, np.float32(8), np.float32(-8))


def test_the_versions_are_in_the_order_of_their_indicators() -> None:
    assert RECTANGULAR_VERSIONS == VERSIONS


@pytest.mark.parametrize(("version", "level"), EVERY)
def test_what_zint_writes_comes_out(version: str, level: str) -> None:
    modules = rectangular_modules(version, level, "1234")
    soft = decode_rectangular(clear(modules), version)
    assert soft is not None
    assert np.array_equal(soft.modules, modules)
    contents = read_small_contents(soft.modules)
    assert contents is not None
    assert (contents.message.payload, contents.level) == (b"1234", level)


@pytest.mark.parametrize(("version", "level"), EVERY)
def test_weak_erased_and_wrong_modules_are_corrected(version: str, level: str) -> None:
    """One uncertain module wrong in every sixth codeword, one certain module wrong in one codeword, and as many erased
    as one block bears."""
    modules = rectangular_modules(version, level, "1234")
    log_odds, rng = clear(modules), np.random.default_rng(VERSIONS.index(version))
    rows, columns = small_zigzag(version)
    words = rng.permutation(len(rows) // 8)
    weak = 8 * words[1::6]
    log_odds[rows[weak], columns[weak]] *= np.float32(-0.05)
    log_odds[rows[8 * words[0] + 3], columns[8 * words[0] + 3]] *= np.float32(-0.5)
    log_odds[rows[8 * words[2] : 8 * words[2] + 8], columns[8 * words[2] : 8 * words[2] + 8]] = 0
    soft = decode_rectangular(log_odds, version)
    assert soft is not None
    assert np.array_equal(soft.modules, modules)
    assert soft.surplus >= 20
    contents = read_small_contents(soft.modules, log_odds > 0)
    assert contents is not None
    assert contents.errors >= len(weak)


@pytest.mark.parametrize("version", VERSIONS)
def test_noise_behind_true_function_patterns_is_not_read(version: str) -> None:
    rng = np.random.default_rng(VERSIONS.index(version))
    patterns, information = small_patterns(version), format_information(version)
    for _ in range(4):
        noise = rng.normal(0, 4, patterns.known.shape)
        log_odds = np.where(patterns.known, clear(patterns.dark), noise)
        word = information.words[VERSIONS.index(version) + 32 * int(rng.integers(2))]
        log_odds[information.rows, information.columns] = np.where(word, 8, -8)
        assert decode_rectangular(log_odds.astype(np.float32), version) is None


@pytest.mark.parametrize(("version", "level"), SEVERAL_BLOCKS)
def test_a_block_that_is_lost_is_not_made_up(version: str, level: str) -> None:
    """Whatever evidence there is for the others."""
    modules = rectangular_modules(version, level, "1234")
    symbol = rectangular_symbol(VERSIONS.index(version), high=level == "H")
    structure, (rows, columns) = small_blocks(symbol), small_zigzag(version)
    assert structure.count > 1
    of_last = np.flatnonzero(structure.stream // structure.length == structure.count - 1)
    bits = (8 * of_last[:, None] + np.arange(8)).ravel()
    rng = np.random.default_rng(7)
    for _ in range(10):
        log_odds = clear(modules)
        log_odds[rows[bits], columns[bits]] = rng.normal(0, 4, len(bits))
        assert decode_rectangular(log_odds, version) is None


@pytest.mark.parametrize(("version", "level"), EVERY)
def test_the_version_is_told_by_what_stands_beside_the_finder_pattern(version: str, level: str) -> None:
    modules, information = rectangular_modules(version, level, "1234"), format_information(version)
    seen = clear(modules)[information.rows[0], information.columns[0]]
    seen[[0, 7, 13]] *= -1  # three wrong modules
    height, _ = modules_of(version) or (0, 0)
    (best, score), *others = likely_versions(seen, height)
    assert (best, score) == (version, 8 * 12)
    assert all(modules_of(one)[0] == height and lower < score for one, lower in others)  # type: ignore[index]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="R7x43 has"):
        decode_rectangular(np.zeros((43, 7), np.float32), "R7x43")
    with pytest.raises(ValueError, match="R7x43-M holds"):
        assemble_rectangular(np.zeros(7, np.uint8), rectangular_symbol(0, high=False))
