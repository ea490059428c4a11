import numpy as np
import pytest
import zxingcpp

from app.pipeline.engines.zxing import ZXing
from app.pipeline.qrcode.codewords import blocks
from app.pipeline.qrcode.messages import count_bits
from app.pipeline.qrcode.patterns import LEVELS, dimension, function_patterns, render
from app.pipeline.qrcode.segments import message_bits
from training.data.symbols import random_message, random_message_symbol, random_symbol, random_text_symbol


@pytest.mark.parametrize("version", [1, 2, 7, 14])
def test_random_symbols_have_their_patterns_and_fair_bits(version: int) -> None:
    patterns = function_patterns(version)
    drawn = [random_symbol(np.random.default_rng(seed), version) for seed in range(40)]
    for modules in drawn:
        assert modules.shape == (dimension(version),) * 2
        assert np.array_equal(modules[patterns.known], patterns.dark[patterns.known])
    free = np.stack(drawn)[:, ~patterns.known]
    assert free.mean() == pytest.approx(0.5, abs=0.03)
    assert free.mean(axis=0).min() > 0
    assert free.mean(axis=0).max() < 1


def test_random_symbols_follow_the_generator() -> None:
    once, again, other = (random_symbol(np.random.default_rng(seed), 3) for seed in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


@pytest.mark.parametrize("version", [1, 2, 9, 10, 27, 40])
def test_messages_are_well_formed_and_leave_padding(version: int) -> None:
    rng = np.random.default_rng(version)
    for level in LEVELS:
        data = random_message(rng, version, level)
        assert len(data) == blocks(version, level).data_codewords
        bits = message_bits(data, version)
        assert bits is not None
        share = (bits - 4 - count_bits(version, 4)) / (8 * len(data))
        assert 0 < share <= 0.96
        assert data[0] >> 4 == 4


def test_symbols_of_messages_decode() -> None:
    symbols = [random_message_symbol(np.random.default_rng(seed), 3, "M") for seed in range(4)]
    assert all(zxingcpp.read_barcodes(render(modules, pixels=4)) for modules in symbols)
    assert not np.array_equal(symbols[0], symbols[1])


@pytest.mark.parametrize("version", [1, 2, 7, 40])
def test_random_texts_decode(version: int) -> None:
    rng = np.random.default_rng(version)
    for _ in range(6):
        symbol = random_text_symbol(rng, version)
        (read,) = ZXing().read(render(symbol.modules, pixels=3))
        assert read.payload == symbol.payload
        assert (read.version, read.ec_level) == (version, symbol.level.upper())
        assert len(symbol.payload) >= 7
