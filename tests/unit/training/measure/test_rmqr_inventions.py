import numpy as np
import pytest

from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.small.patterns import format_information, small_patterns
from app.pipeline.qrcode.small.soft import SmallRead
from app.pipeline.qrcode.small.versions import modules_of, rectangular_symbol
from training.measure import rmqr_inventions
from training.measure.rmqr_inventions import KINDS, count_reads, main


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("indicator", [0, 10, 31])
def test_inputs_are_what_a_reader_may_be_handed(kind: str, indicator: int) -> None:
    symbol = rectangular_symbol(indicator, high=indicator % 2 == 1)
    log_odds, truth = KINDS[kind](np.random.default_rng(indicator), symbol)
    assert log_odds.shape == modules_of(symbol.version)
    assert log_odds.dtype == np.float32
    assert np.isfinite(log_odds).all()
    assert (truth is not None) == (kind == "damaged")
    patterns, information = small_patterns(symbol.version), format_information(symbol.version)
    assert np.array_equal((log_odds > 0)[patterns.known], patterns.dark[patterns.known])
    word = information.words[indicator + 32 * (symbol.level == "H")]
    assert np.array_equal((log_odds > 0)[information.rows, information.columns], word)


def test_damage_may_be_that_of_one_block() -> None:
    symbol, rng = rectangular_symbol(31, high=True), np.random.default_rng(2)
    data = small_patterns(symbol.version).data
    shares = []
    for _ in range(40):
        log_odds, truth = KINDS["damaged"](rng, symbol)
        shares.append(((log_odds > 0) != truth)[data].mean())
    assert min(shares) < 0.1
    assert max(shares) > 0.35


def test_nothing_is_invented() -> None:
    counts = count_reads(90, seed=1)
    assert [tally.n for tally in counts.values()] == [30] * 3
    assert [tally.false for tally in counts.values()] == [0] * 3
    assert counts["noise"].right == counts["random bits"].right == 0


def test_a_reader_that_invents_is_caught(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def credulous(log_odds: LogOdds, version: str) -> SmallRead:
        assert version.startswith("R")
        return SmallRead(log_odds > 0, 0.0)

    monkeypatch.setattr(rmqr_inventions, "decode_rectangular", credulous)
    main(["--count", "30"])
    assert [line.split()[-4] for line in capsys.readouterr().out.splitlines()[1:]] == ["0"] * 4
    assert [tally.false for tally in count_reads(30).values()] == [10] * 3
