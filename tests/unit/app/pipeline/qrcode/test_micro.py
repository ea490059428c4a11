"""Micro QR codes: their structure is that of an independent encoder; hard and soft decoding."""

import numpy as np
import pytest

from app.pipeline.qrcode import micro
from app.pipeline.qrcode.micro_soft import decode_micro, read_contents
from app.pipeline.qrcode.patterns import Bits
from tests.support.micro_codes import SYMBOLS, micro_modules


def clear(modules: Bits) -> np.ndarray:
    return np.where(modules, np.float32(8), np.float32(-8))


@pytest.mark.parametrize("mask", micro.MASKS)
@pytest.mark.parametrize(("version", "level", "payload"), SYMBOLS)
def test_what_segno_writes_is_read_and_assembled_again(
    version: str, level: str | None, payload: str, mask: int
) -> None:
    modules = micro_modules(version, level, payload, mask)
    contents = read_contents(modules)
    assert contents is not None
    assert contents.message.payload == payload.encode()
    assert (contents.small_version, contents.level, contents.mask) == (version, level or "", mask)
    assert (contents.version, contents.errors, contents.confidence) == (None, 0, 1.0)
    soft = decode_micro(clear(modules), int(version[1]))
    assert soft is not None
    assert np.array_equal(soft.modules, modules)


def test_kanji_and_several_segments_are_parsed() -> None:
    contents = read_contents(micro_modules("M3", "L", "点茗"))
    assert contents is not None
    assert [(one.mode, one.payload) for one in contents.message.segments] == [("kanji", "点茗".encode("cp932"))]


def test_a_mirrored_symbol_says_so() -> None:
    contents = read_contents(micro_modules("M4", "M", "hello wor").T)
    assert contents is not None
    assert contents.mirrored
    assert contents.message.payload == b"hello wor"


@pytest.mark.parametrize(("version", "level", "capacity"), [("M2", "L", 1), ("M3", "M", 4), ("M4", "Q", 7)])
def test_errors_are_corrected_up_to_the_capacity(version: str, level: str, capacity: int) -> None:
    number = int(version[1])
    modules = micro_modules(version, level, "77")
    rows, columns = micro.places(number)
    for count in (capacity, capacity + 1):
        broken = modules.copy()
        broken[rows[: 8 * count : 8], columns[: 8 * count : 8]] ^= True
        contents = read_contents(broken)
        if count > capacity:
            assert contents is None or contents.message.payload != b"77"
        else:
            assert contents is not None
            assert (contents.message.payload, contents.errors, contents.margin) == (b"77", capacity, 0.0)


def test_a_broken_m1_is_refused() -> None:
    modules = micro_modules("M1", None, "12345")
    rows, columns = micro.places(1)
    modules[rows[5], columns[5]] ^= True
    assert read_contents(modules) is None


@pytest.mark.parametrize(("version", "level", "payload"), [one for one in SYMBOLS if one[0] != "M1"])
def test_soft_decoding_corrects_uncertain_modules(version: str, level: str, payload: str) -> None:
    modules = micro_modules(version, level, payload)
    rng = np.random.default_rng(3)
    log_odds = clear(modules)
    rows, columns = micro.places(int(version[1]))
    wrong = rng.choice(len(rows), 5, replace=False)
    log_odds[rows[wrong], columns[wrong]] *= -0.05
    soft = decode_micro(log_odds, int(version[1]))
    assert soft is not None
    assert np.array_equal(soft.modules, modules)


@pytest.mark.parametrize("version", micro.VERSIONS)
def test_noise_behind_true_function_patterns_is_not_read(version: int) -> None:
    rng = np.random.default_rng(version)
    patterns = micro.function_patterns(version)
    for _ in range(60):
        noise = rng.normal(0, 4, patterns.known.shape).astype(np.float32)
        log_odds = np.where(patterns.known, clear(patterns.dark), noise)
        assert decode_micro(log_odds.astype(np.float32), version) is None


def test_other_shapes_are_refused() -> None:
    assert read_contents(np.zeros((21, 21), np.bool_)) is None
    assert read_contents(np.zeros((11, 13), np.bool_)) is None
    with pytest.raises(ValueError, match="M2 has 13 modules"):
        decode_micro(np.zeros((11, 11), np.float32), 2)
