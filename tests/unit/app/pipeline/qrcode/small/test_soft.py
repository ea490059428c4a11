"""Soft decoding of Micro QR codes: what an independent encoder wrote comes out, and nothing comes out of noise."""

import numpy as np
import pytest

from app.pipeline.qrcode.patterns import Bits
from app.pipeline.qrcode.reed_solomon import encode
from app.pipeline.qrcode.small.contents import drawn_bits, read_small_contents
from app.pipeline.qrcode.small.patterns import MICRO_MASKS, small_mask, small_patterns, small_zigzag
from app.pipeline.qrcode.small.soft import decode_micro
from app.pipeline.qrcode.small.versions import MICRO_VERSIONS, micro_symbol
from tests.support.micro_codes import SYMBOLS, micro_modules


def clear(modules: Bits) -> np.ndarray:
    return np.where(modules, np.float32(8), np.float32(-8))


@pytest.mark.parametrize("mask", range(4))
@pytest.mark.parametrize(("version", "level", "payload"), SYMBOLS)
def test_what_segno_writes_comes_out(version: str, level: str | None, payload: str, mask: int) -> None:
    modules = micro_modules(version, level, payload, mask)
    soft = decode_micro(clear(modules), version)
    assert soft is not None
    assert np.array_equal(soft.modules, modules)


@pytest.mark.parametrize(("version", "level", "payload"), [one for one in SYMBOLS if one[0] != "M1"])
def test_uncertain_modules_are_corrected_and_counted(version: str, level: str, payload: str) -> None:
    modules = micro_modules(version, level, payload)
    log_odds = clear(modules)
    rows, columns = small_zigzag(version)
    wrong = np.random.default_rng(3).choice(len(rows) // 8, 4, replace=False)  # in four codewords
    log_odds[rows[8 * wrong], columns[8 * wrong]] *= -0.05
    soft = decode_micro(log_odds, version)
    assert soft is not None
    assert np.array_equal(soft.modules, modules)
    contents = read_small_contents(soft.modules, log_odds > 0)
    assert contents is not None
    assert contents.message.payload == payload.encode()
    assert contents.errors >= 3  # the last data codeword of M3 has 4 bits, after which codewords begin elsewhere


@pytest.mark.parametrize("version", MICRO_VERSIONS)
def test_noise_behind_true_function_patterns_is_not_read(version: str) -> None:
    rng = np.random.default_rng(MICRO_VERSIONS.index(version))
    patterns = small_patterns(version)
    for _ in range(60):
        noise = rng.normal(0, 4, patterns.known.shape).astype(np.float32)
        log_odds = np.where(patterns.known, clear(patterns.dark), noise)
        assert decode_micro(log_odds.astype(np.float32), version) is None


def test_a_word_with_bits_that_are_not_drawn_is_none() -> None:
    """Error correction would change only the half of a codeword that M3 has not."""
    modules = micro_modules("M3", "L", "LOT 4711", mask=0)
    at, drawn, inverts = small_zigzag("M3"), drawn_bits(micro_symbol(3)), small_mask("M3", MICRO_MASKS[0])
    bits = np.zeros(len(drawn), np.bool_)
    bits[drawn] = modules[at] ^ inverts[at]
    data = np.packbits(bits)[None, :11]
    data[0, -1] |= 0b0101
    bits = np.unpackbits(np.concatenate([data, encode(data, 6)], axis=1)[0]).astype(np.bool_)
    modules[at] = bits[drawn] ^ inverts[at]
    assert read_small_contents(modules) is None


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="M2 has"):
        decode_micro(np.zeros((11, 11), np.float32), "M2")
