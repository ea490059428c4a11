from pathlib import Path

import numpy as np
import pytest
import segno

from app.pipeline.engines.zxing import ZXing
from app.pipeline.qrcode.patterns import function_patterns, render
from training.data.corpus import CORPUS, corpus, draw_from_corpus, main

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


@pytest.mark.slow
def test_the_command_encodes_the_corpus_again(tmp_path: Path) -> None:
    main(["--out", str(tmp_path / "corpus.npz")])
    with np.load(tmp_path / "corpus.npz") as made, np.load(CORPUS) as shipped:
        assert made.files == shipped.files
        assert all(np.array_equal(made[name], shipped[name]) for name in made.files)


@pytest.mark.parametrize("pool", POOLS)
def test_symbols_drawn_from_a_pool_differ(pool: str) -> None:
    drawn = draw_from_corpus(np.random.default_rng(0), pool, 250)
    assert len({symbol.payload for symbol in drawn}) == 250
    assert [symbol.payload for symbol in drawn] != [symbol.payload for symbol in corpus(pool)[:250]]
