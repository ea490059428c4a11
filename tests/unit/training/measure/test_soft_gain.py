import json

import cv2
import numpy as np
import pytest
import zxingcpp

from app.pipeline.qrcode.codewords import LEVELS, blocks
from app.pipeline.qrcode.messages import count_bits, message_bits
from app.pipeline.qrcode.patterns import function_patterns, render
from app.pipeline.qrcode.soft import STAGES
from training.measure import soft_gain
from training.measure.soft_gain import (
    Curve,
    crossing,
    gaussian_channel,
    picture,
    random_message,
    random_message_symbol,
    table,
)


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


@pytest.mark.parametrize("wrong", [0.01, 0.1, 0.3])
def test_the_channel_turns_over_the_share_it_is_told_to(wrong: float) -> None:
    modules = np.random.default_rng(0).random((400, 400)) < 0.5
    log_odds = gaussian_channel(np.random.default_rng(1), modules, wrong)
    right = (log_odds > 0) == modules
    assert 1 - right.mean() == pytest.approx(wrong, rel=0.1)
    assert log_odds.dtype == np.float32
    # Calibrated: of modules seen with a log-odds of 1, a share 1 / (1 + e) is wrong.
    near_one = np.abs(np.abs(log_odds) - 1) < 0.2
    assert 1 - right[near_one].mean() == pytest.approx(1 / (1 + np.e), abs=0.04)


def test_crossing_is_interpolated() -> None:
    assert crossing((1, 2, 4), np.array([0.9, 0.6, 0.2])) == pytest.approx(2.5)
    assert crossing((2, 4), np.array([0.0, 0.0])) == pytest.approx(1.0)
    assert np.isnan(crossing((1, 2), np.array([0.9, 0.5])))


def test_table_and_picture() -> None:
    falling = np.clip(1.2 - np.arange(len(soft_gain.SHARES)) / np.array([[3], [4], [8], [10]]), 0, 1)
    curves = [Curve(symbol, falling, 0) for symbol in ("2-L", "7-Q")]
    header, rule, known, unknown = table(curves).splitlines()
    assert header.count("|") == rule.count("|") == known.count("|") == unknown.count("|")
    assert known.endswith("| 0 | 1.4 / 1.5 / 2.3 / 3.0 |")
    assert unknown.endswith("| 0 | - |")
    drawn = picture(curves)
    assert drawn.shape == (300, 680, 3)
    for colour in soft_gain.COLOURS:
        assert (drawn == colour).all(axis=2).sum() > 100


def test_measured_end_to_end(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, drawn = f"{tmp_path}/gain.json", f"{tmp_path}/gain.png"
    monkeypatch.setattr(soft_gain, "SHARES", (0.2, 4, 30))
    words = ["soft_gain", "--versions", "2", "--levels", "M", "--count", "4", "--json", kept, "--picture", drawn]
    monkeypatch.setattr("sys.argv", words)
    soft_gain.main()
    assert "| 2-M |" in capsys.readouterr().out
    with open(kept) as file:
        figures = json.load(file)["2-M"]
    assert figures["wrong"] == 0
    rates = np.array([figures["rates"][stage] for stage in STAGES])
    assert (np.diff(rates, axis=0) >= 0).all()
    assert (np.diff(rates, axis=1) <= 0).all()
    assert rates[:, 0].tolist() == [1, 1, 1, 1]
    assert rates[0, 1] < rates[2, 1] == 1
    assert not rates[:, 2].any()
    assert figures["half"]["hard"] < figures["half"]["padding"]
    assert cv2.imread(drawn).shape == (300, 340, 3)


def test_function_patterns_go_through_the_channel_too() -> None:
    modules = random_message_symbol(np.random.default_rng(0), 5, "L")
    log_odds = gaussian_channel(np.random.default_rng(1), modules, 0.3)
    assert ((log_odds > 0) != modules)[function_patterns(5).known].any()
