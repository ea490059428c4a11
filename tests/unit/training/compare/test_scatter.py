"""The scatter plot shows every system at its rate and time, and its labels stay legible."""

import itertools

import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Annotation, Text

from training.compare.scatter import COLOURS, Point, draw_scatter, overlapping_area
from training.compare.systems import Kind
from training.measure.rates import Rate


def points(count: int) -> list[Point]:
    kinds = itertools.cycle(COLOURS)
    return [Point(f"system {index}", next(kinds), Rate(7 * index % 41, 40), 0.5 * 1.6**index) for index in range(count)]


def test_every_kind_has_a_colour() -> None:
    assert set(COLOURS) == set(Kind)
    assert len(set(COLOURS.values())) == len(Kind)


def test_points_lie_at_their_times_and_rates_in_the_colour_of_their_kind() -> None:
    systems = points(12)
    (panel,) = draw_scatter({"all": systems}).axes
    for point, (line, _, (bar,)) in zip(systems, panel.containers, strict=True):
        assert line.get_xydata().tolist() == [[point.milliseconds, pytest.approx(100 * point.rate.value)]]
        assert to_hex(line.get_color()) == COLOURS[point.kind]
        (ends,) = bar.get_segments()
        assert ends[:, 1] == pytest.approx([100 * bound for bound in point.rate.interval])


def test_times_are_on_a_logarithmic_axis_of_whole_decades() -> None:
    (panel,) = draw_scatter(
        {"all": [Point("a", Kind.READER, Rate(1, 2), 10.0), Point("b", Kind.LADDER, Rate(1, 2), 300)]}
    ).axes
    assert panel.get_xscale() == "log"
    assert panel.get_xlim() == (10, 1000)
    low, high = panel.get_ylim()
    assert low == 0
    assert 100 < high < 110


def test_each_panel_has_its_title_and_one_legend_names_the_kinds_that_occur() -> None:
    figure = draw_scatter(
        {
            "sets": [Point("a", Kind.READER, Rate(1, 2), 10.0)],
            "photographs": [Point("a", Kind.READER, Rate(1, 2), 10.0), Point("b", Kind.DECODER, Rate(1, 2), 1.0)],
        }
    )
    assert [panel.get_title() for panel in figure.axes] == ["sets", "photographs"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [Kind.DECODER.value, Kind.READER.value]


def test_labels_name_their_points_and_keep_apart_from_points_and_from_each_other() -> None:
    crowded = [Point(f"system {index}", Kind.READER, Rate(20 + index % 3, 40), 100.0 + index) for index in range(12)]
    figure = draw_scatter({"all": crowded})
    figure.draw_without_rendering()
    (panel,) = figure.axes
    labels = [text for text in panel.texts if isinstance(text, Annotation)]
    assert {label.get_text(): label.xy for label in labels} == {
        point.name: (point.milliseconds, 100 * point.rate.value) for point in crowded
    }
    texts = [Text.get_window_extent(label) for label in labels]  # without the line to the point
    for one, other in itertools.combinations(texts, 2):
        assert overlapping_area(one, other) == 0
    for point in crowded:
        place = panel.transData.transform((point.milliseconds, 100 * point.rate.value))
        assert not any(box.contains(*place) for box in texts)


@pytest.mark.parametrize("panels", [{}, {"none": []}])
def test_nothing_to_plot_is_refused(panels: dict[str, list[Point]]) -> None:
    with pytest.raises(ValueError, match="panel"):
        draw_scatter(panels)
