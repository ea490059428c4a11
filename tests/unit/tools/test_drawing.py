"""The picture of the dashboard shows the values that it is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.support.monitoring import files
from tools.draw.panels import Line, draw, formatted

TIMES = np.arange(-30.0, 0.0)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.5, "percentunit", "50 %"),
        (0.0125, "s", "12.5 ms"),
        (2.5, "s", "2.5 s"),
        (600, "s", "10 min"),
        (3 << 29, "bytes", "1.5 GiB"),
        (0, "bytes", "0 B"),
        (12345, "short", "12.3 K"),
        (7, "reqps", "7 req/s"),
        (float("nan"), "ops", "–"),
    ],
)
def test_formatted(value: float, unit: str, shown: str) -> None:
    assert formatted(value, unit) == shown


def given(panel: Mapping[str, Any]) -> list[Line]:
    """Two series for each query, or two buckets; the second has gaps."""
    values = (np.linspace(1, 4, len(TIMES)), np.where(TIMES < -15, np.nan, 5.0))
    lines = []
    for target in panel["targets"]:
        for place, series in enumerate(values):
            labels = {"le": ("10.0", "+Inf")[place], "name": f"network {place}"}
            lines.append(Line(f"{target['legendFormat']} {place}", labels, TIMES, series))
    return lines


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_every_panel_is_drawn_with_its_values() -> None:
    figure = draw(files.dashboard()["panels"], given)
    figure.canvas.draw()
    shown = words(figure)
    for panel in files.panels():
        assert panel["title"] in shown
    assert [title for title in shown if title in files.rows()] == list(files.rows())
    assert shown.count("network 0") == sum(panel["type"] == "table" for panel in files.panels())
    plotted = [panel for panel in files.panels() if panel["type"] not in {"stat", "table"}]
    assert len(figure.axes) == len(plotted)
    assert sum(word.endswith("  5 req/s") for word in shown) == sum(
        len(panel["targets"]) for panel in plotted if panel["fieldConfig"]["defaults"]["unit"] == "reqps"
    )


def test_columns_of_a_table_are_in_order() -> None:
    panel = next(panel for panel in files.panels() if panel["title"] == "Networks loaded")
    labels = {"__name__": "x", "architecture": "LENet", "instance": "here", "job": "x", "name": "lenet"}
    figure = draw([panel], lambda _: [Line("", labels, TIMES, TIMES)])
    assert words(figure) == ["Networks loaded", "name", "lenet", "architecture", "LENet", "instance", "here"]


def test_buckets_are_not_cumulative() -> None:
    """Cumulative counts of 4 and 5 are 4 and 1."""
    panel = next(panel for panel in files.panels() if panel["type"] == "bargauge")
    (axes,) = draw([panel], given).axes
    assert [bar.get_width() for bar in axes.patches] == [4, 1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["10", "inf"]


def test_a_value_past_its_bound_is_red() -> None:
    panel = next(panel for panel in files.panels() if panel["title"] == "Failed")
    for value, colour in ((0.01, "#e0b400"), (0.5, "#e02f44")):
        line = Line("", {}, TIMES, np.full(len(TIMES), value))
        figure = draw([panel], lambda _, line=line: [line])
        (background,) = figure.artists
        assert to_hex(background.get_facecolor()) == colour


def test_panels_without_data_are_labelled() -> None:
    assert words(draw(files.panels(), lambda _: [])).count("no data") == len(files.panels())
