"""Draws the panels of the dashboard with matplotlib, each in its place in Grafana's grid."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, MultipleLocator
from numpy.typing import NDArray

COLUMNS: Final = 24
COLUMN_INCHES: Final = 0.72
ROW_INCHES: Final = 0.33
INK: Final = "#22252b"
FAINT: Final = "#8e9199"
PAPER: Final = "#f4f5f5"
COLOURS: Final = {"green": "#56a64b", "yellow": "#e0b400", "red": "#e02f44", "blue": "#3274d9"}
PALETTE: Final = (
    "#56a64b", "#3274d9", "#e0b400", "#e02f44", "#8f3bb8", "#ff780a", "#19a3b8", "#b877d9",
    "#37872d", "#1250b0", "#ad7d00", "#a01127", "#5f6b7a", "#fa6400", "#7eb26d", "#c15c17",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One series of a panel: values (N,) at times (N,), in seconds relative to the end (at most 0)."""

    legend: str
    labels: Mapping[str, str]
    times: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def last(self) -> float:
        return float(self.values[-1])


def formatted(value: float, unit: str) -> str:
    """A value in this unit, roughly as Grafana formats it."""
    if not math.isfinite(value):
        return "–"
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "bytes":
        return scaled(value, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))
    if unit == "s" and 0 < abs(value) < 1:
        return f"{1000 * value:.3g} ms"
    if unit == "s" and abs(value) >= 100:
        return f"{value / 60:.3g} min"
    suffix = {"s": " s", "reqps": " req/s", "ops": " ops/s"}.get(unit, "")
    return (f"{value:.3g}" if abs(value) < 1000 else scaled(value, 1000, ("", "K", "M", "G"))) + suffix


def scaled(value: float, base: int, prefixes: Sequence[str]) -> str:
    power = min(len(prefixes) - 1, int(math.log(abs(value), base))) if abs(value) >= 1 else 0
    return f"{value / base**power:.3g} {prefixes[power]}".rstrip()


def draw(panels: Sequence[Mapping[str, Any]], lines: Callable[[Mapping[str, Any]], list[Line]]) -> Figure:
    """Draws every panel, with rows as headings; `lines` returns the series of a panel."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    width, height = COLUMNS * COLUMN_INCHES, rows * ROW_INCHES
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    for panel in panels:
        place = panel["gridPos"]
        x, y = place["x"] * COLUMN_INCHES, height - (place["y"] + place["h"]) * ROW_INCHES
        box = (x + 0.04, y + 0.04, place["w"] * COLUMN_INCHES - 0.08, place["h"] * ROW_INCHES - 0.08)
        if panel["type"] == "row":
            figure.text(0.1 / width, (y + 0.1) / height, panel["title"], fontsize=12, weight="bold", color=INK)
        else:
            _Frame(figure, box).draw(panel, lines(panel))
    return figure


class _Frame:
    """The rectangle of one panel; `box` is (left, bottom, width, height) in inches."""

    def __init__(self, figure: Figure, box: tuple[float, float, float, float]) -> None:
        self._figure = figure
        self._size = figure.get_size_inches()
        self._box = box

    def draw(self, panel: Mapping[str, Any], lines: list[Line]) -> None:
        if not lines:
            _, _, width, height = self._box
            self._background("white")
            self._title(panel)
            self._text(width / 2, height / 2, "no data", fontsize=9, ha="center", color=FAINT)
            return
        self._background(COLOURS[_step(panel, lines[0].last)] if panel["type"] == "stat" else "white")
        {
            "timeseries": self._timeseries,
            "stat": self._stat,
            "heatmap": self._heatmap,
            "bargauge": self._bars,
            "table": self._table,
        }[panel["type"]](panel, lines)

    def _background(self, colour: str) -> None:
        left, bottom, width, height = self._box
        across, up = self._size
        self._figure.add_artist(
            FancyBboxPatch(
                (left / across, bottom / up), width / across, height / up,
                boxstyle="square,pad=0", transform=self._figure.transFigure, facecolor=colour, edgecolor="#d8d9da",
                linewidth=0.8, zorder=-1,
            )
        )  # fmt: skip

    def _text(self, x: float, y: float, text: str, **look: Any) -> None:
        """Writes text x inches from the left and y inches from the top of the panel."""
        left, bottom, _, height = self._box
        across, up = self._size
        self._figure.text((left + x) / across, (bottom + height - y) / up, text, **({"color": INK, "va": "top"} | look))

    def _axes(self, *, left: float, right: float, top: float, bottom: float) -> Axes:
        """Axes with these margins, in inches."""
        x, y, width, height = self._box
        across, up = self._size
        inside = ((x + left) / across, (y + bottom) / up, (width - left - right) / across, (height - top - bottom) / up)
        axes = self._figure.add_axes(inside)
        axes.tick_params(labelsize=7, colors=FAINT, length=2)
        for side in axes.spines.values():
            side.set_visible(False)
        return axes

    def _title(self, panel: Mapping[str, Any]) -> None:
        self._text(0.1, 0.08, panel["title"], fontsize=9, weight="bold")

    def _stat(self, panel: Mapping[str, Any], lines: list[Line]) -> None:
        _, _, width, height = self._box
        unit = panel["fieldConfig"]["defaults"]["unit"]
        self._text(0.1, 0.08, panel["title"], fontsize=9, weight="bold", color="white")
        look = {"fontsize": 19, "ha": "center", "va": "center", "weight": "bold", "color": "white"}
        self._text(width / 2, height / 2 + 0.1, formatted(lines[0].last, unit), **look)
        if lines[0].legend:
            self._text(width / 2, height - 0.3, lines[0].legend, fontsize=8, ha="center", color="white")

    def _timeseries(self, panel: Mapping[str, Any], lines: list[Line]) -> None:
        self._title(panel)
        defaults = panel["fieldConfig"]["defaults"]
        custom = defaults["custom"]
        dashed = {
            override["matcher"]["options"]: _override(override, "color")["fixedColor"]
            for override in panel["fieldConfig"]["overrides"]
        }
        colours = {line.legend: PALETTE[index % len(PALETTE)] for index, line in enumerate(lines)}
        colours |= {legend: COLOURS[colour] for legend, colour in dashed.items()}
        across = 2 if self._box[2] < 6 else 4
        legend_rows = -(-len(lines) // across)
        axes = self._axes(left=0.62, right=0.14, top=0.36, bottom=0.38 + 0.145 * legend_rows)
        floor: NDArray[np.float64] | None = None
        for line in lines:
            colour = colours[line.legend]
            if line.legend in dashed:
                axes.plot(line.times, line.values, color=colour, linestyle=(0, (6, 4)), linewidth=1.2)
            elif custom["stacking"]["mode"] == "normal":
                values = np.nan_to_num(line.values)
                floor = np.zeros_like(values) if floor is None else floor
                if custom["drawStyle"] == "bars":
                    axes.bar(line.times, values, width=np.diff(line.times).min(), bottom=floor, color=colour, alpha=0.8)
                else:
                    axes.fill_between(line.times, floor, floor + values, color=colour, alpha=0.45, linewidth=0)
                    axes.plot(line.times, floor + values, color=colour, linewidth=0.8)
                floor = floor + values
            else:
                axes.plot(line.times, line.values, color=colour, linewidth=1.5)
        if custom["thresholdsStyle"]["mode"] == "dashed":
            for step in defaults["thresholds"]["steps"][1:]:
                axes.axhline(step["value"], color=COLOURS[step["color"]], linestyle=(0, (6, 4)), linewidth=1.2)
        self._scales(axes, defaults, lines)
        self._legend(lines, colours, defaults["unit"], across, legend_rows)

    def _scales(self, axes: Axes, defaults: Mapping[str, Any], lines: list[Line]) -> None:
        unit = defaults["unit"]
        top = max(axes.get_ylim()[1], 1e-6)
        axes.set_ylim(0, defaults.get("max", top) * 1.02)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: formatted(value, unit)))
        if unit == "bytes":
            axes.yaxis.set_major_locator(FixedLocator(_binary_ticks(axes.get_ylim()[1])))
        else:
            axes.yaxis.set_major_locator(MultipleLocator(0.25) if unit == "percentunit" else MaxNLocator(4))
        _in_seconds(axes, lines)
        axes.grid(visible=True, color="#e4e5e6", linewidth=0.6)
        axes.set_axisbelow(True)

    def _legend(self, lines: list[Line], colours: Mapping[str, str], unit: str, across: int, legend_rows: int) -> None:
        _, _, width, height = self._box
        for index, line in enumerate(lines):
            x = 0.1 + (index // legend_rows) * (width - 0.15) / across
            y = height - 0.145 * (legend_rows - index % legend_rows) - 0.06
            self._text(x, y, "━", fontsize=7, color=colours[line.legend])
            self._text(x + 0.14, y, f"{line.legend}  {formatted(line.last, unit)}", fontsize=6.6)

    def _heatmap(self, panel: Mapping[str, Any], lines: list[Line]) -> None:
        self._title(panel)
        buckets, counts = _separate(lines)
        axes = self._axes(left=0.62, right=0.14, top=0.36, bottom=0.38)
        axes.pcolormesh(lines[0].times, np.arange(len(buckets)), counts, cmap="Blues", shading="nearest")
        axes.set_yticks(np.arange(len(buckets)), buckets)
        _in_seconds(axes, lines)

    def _bars(self, panel: Mapping[str, Any], lines: list[Line]) -> None:
        self._title(panel)
        buckets, counts = _separate(lines)
        axes = self._axes(left=0.62, right=0.5, top=0.36, bottom=0.12)
        last = counts[:, -1]
        bars = axes.barh(np.arange(len(buckets)), last, color=COLOURS["blue"], height=0.75)
        axes.bar_label(bars, [formatted(value, "short") for value in np.round(last)], fontsize=7, padding=3, color=INK)
        axes.set_yticks(np.arange(len(buckets)), buckets)
        axes.set_xticks([])

    def _table(self, panel: Mapping[str, Any], lines: list[Line]) -> None:
        self._title(panel)
        _, _, width, _ = self._box
        options = panel["transformations"][0]["options"]
        shown = [name for name in lines[0].labels if name not in options["excludeByName"]]
        names = sorted(shown, key=lambda name: options["indexByName"].get(name, len(shown)))
        for column, name in enumerate(names):
            x = 0.1 + column * (width - 0.2) / len(names)
            self._text(x, 0.36, name, fontsize=8, color=COLOURS["blue"])
            for row, line in enumerate(lines):
                self._text(x, 0.6 + 0.22 * row, line.labels.get(name, ""), fontsize=8)


def _step(panel: Mapping[str, Any], value: float) -> str:
    """The colour of the highest threshold that the value has reached."""
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return str(reached[-1])


def _override(override: Mapping[str, Any], name: str) -> Any:
    return next(entry["value"] for entry in override["properties"] if entry["id"] == name)


def _separate(lines: list[Line]) -> tuple[list[str], NDArray[np.float64]]:
    """The bounds of the buckets in ascending order, and the count of each bucket alone, (buckets, times)."""
    ordered = sorted(lines, key=lambda line: float(line.labels["le"]))
    cumulative = np.nan_to_num(np.stack([line.values for line in ordered]))
    names = [f"{float(line.labels['le']):g}" for line in ordered]
    return names, np.maximum(np.diff(cumulative, axis=0, prepend=0), 0)


def _binary_ticks(top: float) -> list[float]:
    """At most four ticks, at multiples of a power of two."""
    step = 2 ** math.ceil(math.log2(top / 4))
    return [float(tick) for tick in range(0, int(top) + 1, step)]


def _in_seconds(axes: Axes, lines: list[Line]) -> None:
    axes.set_xlim(min(line.times[0] for line in lines), 0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:.0f} s"))
    axes.xaxis.set_major_locator(MultipleLocator(15))
