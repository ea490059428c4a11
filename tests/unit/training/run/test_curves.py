"""Curves show the logged figures of every run against its steps."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.support.tiny_recipes import plain
from training.measure.charts import COLOURS
from training.run import curves
from training.run.curves import draw_curves
from training.run.loop import Run


def rows(*values: float, column: str = "loss", every: int = 20) -> list[dict[str, float]]:
    return [{"step": every * (i + 1), column: value} for i, value in enumerate(values)]


def lines(figure: Figure, panel: int = 0) -> dict[str, list[list[float]]]:
    """Steps and values of every line of a panel by its run."""
    return {line.get_label(): line.get_xydata().tolist() for line in figure.axes[panel].lines}


def test_each_run_is_a_line_of_its_figures_in_a_colour_of_its_own() -> None:
    figure = draw_curves({"one": rows(1.0, 0.8, 0.8), "other": rows(1.0, 0.4)})
    assert lines(figure) == {"one": [[20, 1.0], [40, 0.8], [60, 0.8]], "other": [[20, 1.0], [40, 0.4]]}
    assert [line.get_color() for line in figure.axes[0].lines] == list(COLOURS[:2])
    assert figure.axes[0].get_xlabel() == "steps"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["one", "other"]


@pytest.mark.parametrize(
    ("values", "scale"),
    [((1.0, 0.1, 0.01), "log"), ((1.0, 0.5, 0.2), "linear"), ((1.0, 0.0), "linear"), ((0.0, 0.0), "linear")],
)
def test_figures_that_span_decades_have_a_logarithmic_scale(values: tuple[float, ...], scale: str) -> None:
    panel = draw_curves({"run": rows(*values)}).axes[0]
    assert panel.get_yscale() == scale
    if scale == "linear":
        assert panel.get_ylim()[0] == 0


def test_negative_figures_are_inside_the_panel() -> None:
    low, high = draw_curves({"run": rows(-2.0, 1.0)}).axes[0].get_ylim()
    assert low < -2
    assert high > 1


def test_each_figure_has_its_panel_and_those_without_values_have_none() -> None:
    row = {"step": 20, "loss": 1.0, "validation_loss": float("nan"), "rate": 0.1, "module_error": 0.2, "seconds": 5.0}
    figure = draw_curves({"run": [row]})
    assert [panel.get_title() for panel in figure.axes] == ["loss", "error", "learning rate"]
    assert [lines(figure, panel)["run"] for panel in range(3)] == [[[20, 1.0]], [[20, 0.2]], [[20, 0.1]]]


def test_gaps_are_left_out() -> None:
    logged = [{"step": 20, "loss": 1.0}, {"step": 40, "loss": float("nan")}, {"step": 60, "loss": 0.5}]
    assert lines(draw_curves({"run": logged}))["run"] == [[20, 1.0], [60, 0.5]]


def test_a_single_row_is_marked_and_a_line_is_not() -> None:
    markers = [draw_curves({"run": rows(*values)}).axes[0].lines[0].get_marker() for values in ((0.5,), (0.5, 0.4))]
    assert markers == ["o", "None"]


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="no run has logged a row"):
        draw_curves({"run": []})


def test_a_run_leaves_its_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(curves, "draw_curves", lambda logs: drawn.append(draw_curves(logs)) or drawn[-1])
    config = replace(plain(), steps=41)
    Run(config, tmp_path).train(stop_after=10)
    assert not (tmp_path / "curves.png").exists()  # not a row yet
    Run(config, tmp_path).train()
    (figure,) = drawn
    assert [panel.get_title() for panel in figure.axes] == ["loss", "error", "learning rate"]
    for panel in range(3):
        assert [step for step, _ in lines(figure, panel)["plain"]] == [20, 40]
    height, width, _ = cv2.imread(str(tmp_path / "curves.png")).shape
    assert [width, height] == np.rint(100 * figure.get_size_inches()).tolist()


def test_a_run_needs_no_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    Run(replace(plain(), steps=21), tmp_path).train()
    assert (tmp_path / "log.csv").exists()
    assert not (tmp_path / "curves.png").exists()


def test_curves_of_several_runs_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, loss in (("one", 1.0), ("other", 0.5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.csv").write_text(f"step,loss\n20,{loss}\n40,{loss / 2}\n")
    drawn: list[Figure] = []
    monkeypatch.setattr(curves, "draw_curves", lambda logs: drawn.append(draw_curves(logs)) or drawn[-1])
    curves.main([str(tmp_path / "one"), str(tmp_path / "other"), "--out", str(tmp_path / "both.png")])
    assert lines(drawn[0]) == {"one": [[20, 1.0], [40, 0.5]], "other": [[20, 0.5], [40, 0.25]]}
    assert cv2.imread(str(tmp_path / "both.png")) is not None
