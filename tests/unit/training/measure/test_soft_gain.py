import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.pipeline.qrcode.attempt import STAGES
from app.pipeline.qrcode.patterns import function_patterns
from training.data.symbols import random_message_symbol
from training.measure import soft_gain
from training.measure.soft_gain import (
    Curve,
    draw_curves,
    gaussian_channel,
    half_rate_crossing,
    main,
    table,
)


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
    assert half_rate_crossing((1, 2, 4), np.array([0.9, 0.6, 0.2])) == pytest.approx(2.5)
    assert half_rate_crossing((2, 4), np.array([0.0, 0.0])) == pytest.approx(1.0)
    assert np.isnan(half_rate_crossing((1, 2), np.array([0.9, 0.5])))


def test_the_table_has_a_row_per_symbol() -> None:
    falling = np.clip(1.2 - np.arange(len(soft_gain.SHARES)) / np.array([[3], [4], [8], [10]]), 0, 1)
    curves = [Curve(symbol, falling, 0) for symbol in ("2-L", "7-Q")]
    header, rule, known, unknown = table(curves).splitlines()
    assert header.count("|") == rule.count("|") == known.count("|") == unknown.count("|")
    assert known.endswith("| 0 | 1.4 / 1.5 / 2.3 / 3.0 |")
    assert unknown.endswith("| 0 | - |")


def test_the_curves_are_the_rates_of_every_stage() -> None:
    falling = np.clip(1.2 - np.arange(len(soft_gain.SHARES)) / np.array([[3], [4], [8], [10]]), 0, 1)
    figure = draw_curves([Curve("2-L", falling, 0), Curve("7-Q", falling[:, ::-1], 0)])
    assert [panel.get_title() for panel in figure.axes] == ["2-L: % read", "7-Q: % read"]
    for panel, rates in zip(figure.axes, (falling, falling[:, ::-1]), strict=True):
        assert len(panel.lines) == len(rates)
        for line, rate in zip(panel.lines, rates, strict=True):
            assert line.get_xdata().tolist() == [0, *soft_gain.SHARES]
            assert line.get_ydata() == pytest.approx([100, *(100 * rate)])
    (legend,) = figure.legends
    titles = [text.get_text() for text in legend.get_texts()]
    assert titles == ["hard RS", "+ erasures", "+ ordered statistics", "+ known padding"]


def test_measured_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, drawn = str(tmp_path / "gain.json"), str(tmp_path / "gain.png")
    monkeypatch.setattr(soft_gain, "SHARES", (0.2, 4, 30))
    main(["--versions", "2", "--levels", "M", "--count", "4", "--json", kept, "--picture", drawn])
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
    assert cv2.imread(drawn) is not None


def test_function_patterns_go_through_the_channel_too() -> None:
    modules = random_message_symbol(np.random.default_rng(0), 5, "L")
    log_odds = gaussian_channel(np.random.default_rng(1), modules, 0.3)
    assert ((log_odds > 0) != modules)[function_patterns(5).known].any()
