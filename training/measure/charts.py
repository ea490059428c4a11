"""Builds and writes the figures of every chart, with matplotlib but without pyplot's global state."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.measure.rates import Rate

COLOURS = ("tab:blue", "tab:red", "tab:green", "tab:purple", "tab:orange", "tab:olive")
"""Colours of the lines in one panel, in their order."""

_DPI = 100


def new_figure(panels: int, *, columns: int = 3, width: float = 4.0, height: float = 2.8) -> tuple[Figure, list[Axes]]:
    """A chart's empty figure: ``panels`` axes with grids, at most ``columns`` per row, each ``width`` x ``height``
    inches.

    Raises ValueError for no panel.
    """
    if panels < 1:
        raise ValueError("a figure needs at least one panel")
    columns = min(columns, panels)
    rows = -(-panels // columns)
    figure = Figure(figsize=(columns * width, rows * height), dpi=_DPI, layout="constrained")
    axes = [figure.add_subplot(rows, columns, place) for place in range(1, panels + 1)]
    for panel in axes:
        panel.grid(color="0.9")
        panel.set_axisbelow(True)
    return figure, axes


def add_legend(figure: Figure, panel: Axes) -> None:
    """Puts one legend on a chart, of the lines of ``panel``, which stand for those of every panel, above the whole
    figure."""
    handles, labels = panel.get_legend_handles_labels()
    columns = max(1, min(len(labels), 8))
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, frameon=False, fontsize="small")


def plot_rates(panel: Axes, x: Sequence[float], rates: Sequence[Rate], **style: Any) -> None:
    """Plots rates in % in a chart, with their 95 % intervals as bars; ``style`` goes to matplotlib's ``errorbar``."""
    below = [max(0.0, 100 * (rate.value - rate.interval[0])) for rate in rates]
    above = [max(0.0, 100 * (rate.interval[1] - rate.value)) for rate in rates]
    panel.errorbar(x, [100 * rate.value for rate in rates], yerr=[below, above], **style)


def save(figure: Figure, path: Path) -> None:
    """Writes a chart as PNG file, the same bytes for the same figure and version of matplotlib. Raises OSError."""
    figure.savefig(path, format="png", metadata={"Software": None})
