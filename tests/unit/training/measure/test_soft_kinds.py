import numpy as np
import pytest
import zxingcpp

from app.pipeline.qrcode.log_odds import rank_formats
from app.pipeline.qrcode.patterns import dimension, function_patterns, render
from training.measure import soft_kinds
from training.measure.soft_kinds import (
    LOST,
    PADDINGS,
    SHARES,
    hidden_block,
    hidden_rates,
    hide,
    kind_rate,
    lose_format,
    padded_symbol,
    read_rate,
)


@pytest.mark.parametrize("share", [0.05, 0.45])
def test_a_hidden_block_covers_its_share(share: float) -> None:
    for seed in range(20):
        covered = np.zeros((dimension(4),) * 2, dtype=np.bool_)
        covered[hidden_block(np.random.default_rng(seed), 4, share)] = True
        assert covered.mean() == pytest.approx(share, abs=0.03)


def test_what_is_hidden_is_unknown_or_dark_and_the_rest_is_clear() -> None:
    modules = padded_symbol(np.random.default_rng(0), 4, "M", ())
    unknown, dark = (hide(np.random.default_rng(1), modules, 4, 0.2, dark=dark) for dark in (False, True))
    inside = np.abs(unknown) < 1
    assert (dark[inside] > 5).all()
    assert np.array_equal(dark[~inside] > 0, modules[~inside])


@pytest.mark.parametrize("how", LOST)
def test_a_format_is_lost_as_it_says(how: str) -> None:
    rng = np.random.default_rng(2)
    modules = padded_symbol(rng, 3, "Q", ())
    log_odds = np.where(modules, 6, -6).astype(np.float32)
    before = log_odds.copy()
    lose_format(rng, log_odds, 3, how)
    assert np.array_equal(log_odds, before) == (how == "standard")
    assert np.array_equal(log_odds[function_patterns(3).data], before[function_patterns(3).data])
    assert (rank_formats(log_odds, 3)[0].distance == 0) == (how == "standard")


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("version", [2, 10])
def test_symbols_with_other_paddings_decode(padding: str, version: int) -> None:
    modules = padded_symbol(np.random.default_rng(3), version, "M", PADDINGS[padding])
    assert zxingcpp.read_barcodes(render(modules, pixels=4))


def test_rates_fall_with_the_share_and_are_high_where_little_is_hidden() -> None:
    rates = hidden_rates("L", 2, dark=False)
    assert len(rates) == len(SHARES)
    assert rates[0] == 100
    assert rates[-1] == 0


def test_every_kind_is_read_where_the_noise_is_low() -> None:
    assert [kind_rate(kind, "2-M", 1, 3) for kind in (*LOST[:3], *PADDINGS)] == [100] * (3 + len(PADDINGS))


def test_a_wrong_read_is_not_counted() -> None:
    modules = padded_symbol(np.random.default_rng(4), 2, "M", ())
    other = padded_symbol(np.random.default_rng(5), 2, "M", ())
    with pytest.raises(AssertionError, match="a wrong read"):
        read_rate(1, lambda _: (np.where(modules, 6, -6).astype(np.float32), other), 2, seed=0)


def test_the_command_prints_both_tables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soft_kinds, "SHARES", (5,))
    soft_kinds.main(["--count", "1", "--levels", "H", "--symbols", "2-L"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines if line.startswith("| H")] == ["H, unknown", "H, wrongly dark"]
    assert sum(line.startswith("| 2-L") for line in lines) == 3
