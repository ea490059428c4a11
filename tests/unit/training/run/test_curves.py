from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.tiny_recipes import plain
from training.run import curves
from training.run.curves import draw_curves
from training.run.loop import Run

FIRST, SECOND = curves._COLOURS[:2]


def rows(*values: float, column: str = "loss", every: int = 20) -> list[dict[str, float]]:
    return [{"step": every * (i + 1), column: value} for i, value in enumerate(values)]


def heights(picture: np.ndarray, colour: tuple[int, int, int]) -> dict[int, float]:
    """Mean height of a line in each column of pixels, below the legend."""
    ys, xs = np.nonzero((picture[40:] == colour).all(axis=2))
    return {x: float(ys[xs == x].mean()) for x in np.unique(xs).tolist()}


def test_a_curve_falls_as_its_figure_does() -> None:
    line = heights(draw_curves({"run": rows(1.0, 0.5, 0.25, 0.2)}), FIRST)
    first, *_, last = (line[x] for x in sorted(line))
    assert last > first + 100  # downwards


def test_two_runs_are_two_lines_on_one_scale() -> None:
    picture = draw_curves({"above": rows(1.0, 0.8, 0.8), "below": rows(1.0, 0.4, 0.4, 0.4)})
    above, below = heights(picture, FIRST), heights(picture, SECOND)
    assert max(above) < max(below)  # one came further
    x = max(above) - 3
    assert above[x] < below[x] - 50


def test_what_spans_decades_is_drawn_on_a_logarithmic_scale() -> None:
    line = heights(draw_curves({"run": rows(1.0, 0.1, 0.01)}), FIRST)
    xs = sorted(line)
    middle = line[xs[len(xs) // 2]]
    assert middle == pytest.approx((line[xs[2]] + line[xs[-3]]) / 2, abs=4)  # a straight line


def test_each_figure_has_its_panel_and_those_without_values_have_none() -> None:
    one = draw_curves({"run": [{"step": 20, "loss": 1.0, "validation_loss": float("nan")}]})
    two = draw_curves({"run": [{"step": 20, "loss": 1.0, "validation_loss": 0.5}]})
    four = draw_curves({"run": [{"step": 20, "loss": 1.0, "validation_loss": 1.0, "rate": 0.1, "module_error": 0.1}]})
    assert [picture.shape[1] for picture in (one, two, four)] == [400, 800, 1200]
    assert four.shape[0] == one.shape[0] + 280


def test_a_single_row_is_seen() -> None:
    assert heights(draw_curves({"run": rows(0.5)}), FIRST)


def test_a_constant_is_drawn() -> None:
    assert heights(draw_curves({"run": rows(0.0, 0.0)}), FIRST)


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="first row"):
        draw_curves({"run": []})


def test_a_run_leaves_its_curves(tmp_path: Path) -> None:
    chosen = replace(plain(), steps=41)
    Run(chosen, tmp_path).train(stop_after=10)
    assert not (tmp_path / "curves.png").exists()  # not a row yet
    Run(chosen, tmp_path).train()
    drawn = cv2.imread(str(tmp_path / "curves.png"))
    assert drawn.shape[1] == 3 * 400  # loss, error and rate
    assert heights(drawn[:, :400], FIRST)
    assert heights(drawn[:, 400:800], FIRST)
    assert heights(drawn[:, 800:], FIRST)


def test_curves_of_several_runs_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, loss in (("one", 1.0), ("other", 0.5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.csv").write_text(f"step,loss\n20,{loss}\n40,{loss / 2}\n")
    words = ["curves", str(tmp_path / "one"), str(tmp_path / "other"), "--out", str(tmp_path / "both.png")]
    monkeypatch.setattr("sys.argv", words)
    curves.main()
    drawn = cv2.imread(str(tmp_path / "both.png"))
    assert heights(drawn, FIRST)
    assert heights(drawn, SECOND)
