"""Plots decode rates against milliseconds per picture, one point per system with its 95 % interval."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from training.compare.cost import THREADS
from training.compare.rows import Row
from training.compare.systems import Kind
from training.compare.trials import PHOTOGRAPHS
from training.measure.charts import add_legend, new_figure, plot_rates
from training.measure.rates import Rate

COLOURS: dict[Kind, str] = {
    Kind.DECODER: "#828282",
    Kind.RECTIFIED: "#e6c83c",
    Kind.INTERPOLATION: "#e6a03c",
    Kind.RESTORER: "#1e6ec8",
    Kind.UPSCALER: "#aa3ca0",
    Kind.ROUTING: "#288c3c",
    Kind.READER: "#c83c3c",
    Kind.LADDER: "#141414",
}
_RADIUS = 5.0  # pixels around a point that labels avoid


@dataclass(frozen=True)
class Point:
    """A system's point in the scatter plot: its decode rate and its milliseconds per picture."""

    name: str
    kind: Kind
    rate: Rate
    milliseconds: float


def draw_scatter(panels: Mapping[str, Sequence[Point]]) -> Figure:
    """Scatter plot with a panel per title: rates in % upwards, milliseconds on a logarithmic axis, so the best systems
    are top left.

    Raises ValueError if there is no panel or if one has no point.
    """
    if not all(panels.values()):
        raise ValueError("a panel has no points")
    figure, axes = new_figure(len(panels), columns=1, width=11.0, height=6.4)
    for panel, (title, points) in zip(axes, panels.items(), strict=True):
        _plot(panel, points)
        panel.set_title(title)
    kinds = {point.kind for points in panels.values() for point in points}
    for kind, colour in COLOURS.items():
        if kind in kinds:  # the legend's entries, without data
            axes[0].plot([], [], "o", color=colour, label=kind.value)
    add_legend(figure, axes[0])
    figure.draw_without_rendering()  # lays the panels out, so that labels can be placed in pixels
    for panel, points in zip(axes, panels.values(), strict=True):
        _label(panel, points)
    return figure


def _plot(panel: Axes, points: Sequence[Point]) -> None:
    times = [point.milliseconds for point in points]
    first = floor(log10(min(times)))
    last = max(first + 1, ceil(log10(max(times))))
    panel.set_xscale("log")
    panel.set(xlabel="ms per picture, one thread", ylabel="% read", xlim=(10.0**first, 10.0**last), ylim=(0, 104))
    for point in points:
        plot_rates(panel, [point.milliseconds], [point.rate], fmt="o", color=COLOURS[point.kind])


def _label(panel: Axes, points: Sequence[Point]) -> None:
    """Writes each system's name where it covers least of the points and of the names before it."""
    places = panel.transData.transform([(point.milliseconds, 100 * point.rate.value) for point in points]).tolist()
    occupied = [Bbox.from_bounds(x - _RADIUS, y - _RADIUS, 2 * _RADIUS, 2 * _RADIUS) for x, y in places]
    for (x, y), point in sorted(zip(places, points, strict=True), key=lambda pair: pair[0]):
        label = panel.annotate(
            point.name,
            (point.milliseconds, 100 * point.rate.value),
            textcoords="offset pixels",
            xytext=(0, 0),
            fontsize="small",
            arrowprops={"arrowstyle": "-", "color": "0.7", "shrinkA": 0, "shrinkB": 4},
            path_effects=[withStroke(linewidth=2.5, foreground="white")],  # legible on bars and grid
        )
        label.set_in_layout(False)
        box = _free_place(label.get_window_extent(), (x, y), occupied, panel.bbox)
        occupied.append(box)
        label.set_position((box.x0 - x, box.y0 - y))
        if label.arrow_patch is not None:  # a label beside its point needs no line to it
            label.arrow_patch.set_visible(abs((box.y0 + box.y1) / 2 - y) > box.height)


def _free_place(size: Bbox, point: tuple[float, float], occupied: Sequence[Bbox], within: Bbox) -> Bbox:
    """Where a label of this size, in pixels, overlaps least: beside its point if that is free, else higher or lower."""
    x, y = point
    sides = (x + _RADIUS + 3, x - _RADIUS - 3 - size.width, x - size.width / 2)
    steps = (0, *(sign * distance for distance in range(13, 144, 13) for sign in (1, -1)))
    boxes = [
        Bbox.from_bounds(left, y + step - size.height / 2, size.width, size.height)
        for step, left in itertools.product(steps, sides)
    ]
    inside = [
        box for box in boxes if within.containsx(box.x0) and within.containsx(box.x1) and within.containsy(box.y0)
    ]
    return min(inside or boxes, key=lambda box: sum(overlapping_area(box, other) for other in occupied))


def overlapping_area(one: Bbox, other: Bbox) -> float:
    """The area that the boxes of two labels of a scatter plot share."""
    shared = Bbox.intersection(one, other)
    return float(shared.width * shared.height) if shared is not None else 0.0


def draw_rates(rows: Sequence[Row], names: Sequence[str], photographs: Sequence[str]) -> Figure:
    """Scatter plot with a panel for all synthetic sets together, and one for the photographs if there are any.

    The times of photographs are those of the trials, in which processes ran side by side.
    """
    panels = {}
    for which, title in (((*names,), f"all of {', '.join(names)}"), ((*photographs,), PHOTOGRAPHS)):
        points = [
            Point(row.name, row.kind, row.rate(which), spent)
            for row in rows
            if row.count_applicable(which)
            and (spent := row.mean_ms(which) if title == PHOTOGRAPHS else row.picture_ms(THREADS[0]))
        ]
        if points:
            panels[f"{title}, n = {max(point.rate.n for point in points)}"] = points
    return draw_scatter(panels)
