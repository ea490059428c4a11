from pathlib import Path

import numpy as np
import pytest
import segno
import zxingcpp

from app.pipeline.engines.zxing import ZXing
from app.pipeline.qrcode.codewords import blocks
from app.pipeline.qrcode.messages import count_bits
from app.pipeline.qrcode.patterns import LEVELS, dimension, function_patterns, render
from app.pipeline.qrcode.segments import message_bits
from training.data.symbols import (
    CORPUS,
    corpus,
    draw_from_corpus,
    main,
    random_message,
    random_message_symbol,
    random_symbol,
    random_text_symbol,
)

POOLS = {"short": (8, 60, 40), "long": (8, 300, 40), "tiny": (8, 20, 2)}
"""Shortest and longest payload, highest version."""


@pytest.mark.parametrize("pool", POOLS)
def test_pools_hold_what_they_say(pool: str) -> None:
    shortest, longest, highest = POOLS[pool]
    symbols = corpus(pool)
    assert len(symbols) == 300
    assert len({symbol.payload for symbol in symbols}) > 290
    assert {symbol.level for symbol in symbols} == set("lmqh")
    lengths = [len(symbol.payload) for symbol in symbols]
    assert shortest <= min(lengths)
    assert longest >= max(lengths) > 0.8 * longest
    assert min(symbol.version for symbol in symbols) >= 1
    assert max(symbol.version for symbol in symbols) <= highest
    for symbol in symbols:
        patterns = function_patterns(symbol.version)
        assert np.array_equal(symbol.modules[patterns.known], patterns.dark[patterns.known])


@pytest.mark.parametrize("pool", POOLS)
def test_corpus_decodes_to_its_payloads(pool: str) -> None:
    reader = ZXing()
    for symbol in corpus(pool)[::15]:
        (read,) = reader.read(render(symbol.modules, pixels=4))
        assert (read.payload, read.version) == (symbol.payload, symbol.version)
        assert read.ec_level == symbol.level.upper()


def test_corpus_is_what_the_encoder_makes() -> None:
    for symbol in corpus("short")[:10]:
        code = segno.make(symbol.payload.decode(), error=symbol.level, micro=False, boost_error=False)
        assert np.array_equal(np.array([list(row) for row in code.matrix], dtype=np.bool_), symbol.modules)


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


@pytest.mark.slow
def test_the_command_encodes_the_corpus_again(tmp_path: Path) -> None:
    main(["--out", str(tmp_path / "corpus.npz")])
    with np.load(tmp_path / "corpus.npz") as made, np.load(CORPUS) as shipped:
        assert made.files == shipped.files
        assert all(np.array_equal(made[name], shipped[name]) for name in made.files)


@pytest.mark.parametrize("version", [1, 2, 7, 40])
def test_random_texts_decode(version: int) -> None:
    rng = np.random.default_rng(version)
    for _ in range(6):
        symbol = random_text_symbol(rng, version)
        (read,) = ZXing().read(render(symbol.modules, pixels=3))
        assert read.payload == symbol.payload
        assert (read.version, read.ec_level) == (version, symbol.level.upper())
        assert len(symbol.payload) >= 7


@pytest.mark.parametrize("pool", POOLS)
def test_symbols_drawn_from_a_pool_differ(pool: str) -> None:
    drawn = draw_from_corpus(np.random.default_rng(0), pool, 250)
    assert len({symbol.payload for symbol in drawn}) == 250
    assert [symbol.payload for symbol in drawn] != [symbol.payload for symbol in corpus(pool)[:250]]
