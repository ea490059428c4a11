"""Figures have the panels, bars and legend that were asked for, and their files repeat."""

from pathlib import Path

import cv2
import pytest

from training.measure.charts import add_legend, new_figure, plot_rates, save
from training.measure.rates import Rate


@pytest.mark.parametrize(
    ("panels", "columns", "grid"), [(1, 3, (1, 1)), (3, 3, (1, 3)), (4, 3, (2, 3)), (4, 2, (2, 2))]
)
def test_panels_fill_rows_of_so_many_columns(panels: int, columns: int, grid: tuple[int, int]) -> None:
    figure, axes = new_figure(panels, columns=columns, width=4, height=3)
    assert figure.axes == axes
    assert len(axes) == panels
    assert axes[0].get_subplotspec().get_gridspec().get_geometry() == grid
    assert figure.get_size_inches().tolist() == [4 * grid[1], 3 * grid[0]]


def test_a_figure_has_a_panel() -> None:
    with pytest.raises(ValueError, match="at least one panel"):
        new_figure(0)


def test_rates_are_plotted_in_percent_with_their_intervals() -> None:
    _, (panel,) = new_figure(1)
    rates = [Rate(0, 10), Rate(5, 10), Rate(10, 10)]
    plot_rates(panel, [1, 2, 3], rates, fmt="o")
    line, _, (bars,) = panel.containers[0]
    assert line.get_xydata().tolist() == [[1, 0], [2, 50], [3, 100]]
    for segment, rate in zip(bars.get_segments(), rates, strict=True):
        assert segment[:, 1] == pytest.approx([100 * bound for bound in rate.interval])


def test_the_legend_names_every_line_of_the_panel() -> None:
    figure, (panel, _) = new_figure(2)
    for label in ("one", "other"):
        panel.plot([0, 1], label=label)
    add_legend(figure, panel)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["one", "other"]


def test_a_figure_is_written_as_png_whatever_the_suffix_and_alike_each_time(tmp_path: Path) -> None:
    files = tmp_path / "first.png", tmp_path / "second.chart"
    for file in files:
        figure, (panel,) = new_figure(1, width=4, height=3)
        panel.plot([1, 3, 2])
        save(figure, file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert cv2.imread(str(files[0])).shape == (300, 400, 3)
