"""Plots the logged figures of one or more runs against their steps: python -m training.run.curves RUN [RUN ...]."""

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.measure.charts import COLOURS, add_legend, new_figure, save
from training.run.progress import read_log

Rows = Sequence[Mapping[str, float]]
"""Rows of a log, as `training.run.progress.read_log` returns them."""
_PANELS = {
    "loss": "loss",
    "validation_loss": "loss on validation batches",
    "adversarial_loss": "adversarial loss",
    "discriminator_loss": "discriminator's loss",
    "module_error": "error",
    "rate": "learning rate",
}
_LARGEST_LINEAR_RANGE = 20.0  # figures that span a larger factor have a logarithmic scale


def draw_curves(logs: Mapping[str, Rows]) -> Figure:
    """Plots runs' logged figures: a panel for each, with one curve per run.

    Raises ValueError if no run has a row.
    """
    if not any(logs.values()):
        raise ValueError("no run has logged a row yet")
    lines = {column: {name: _points(rows, column) for name, rows in logs.items()} for column in _PANELS}
    columns = [column for column in _PANELS if any(len(points) for points in lines[column].values())]
    figure, panels = new_figure(len(columns))
    for column, panel in zip(columns, panels, strict=True):
        for index, (name, points) in enumerate(lines[column].items()):
            marker = "o" if len(points) == 1 else None  # a line of one point would be invisible
            panel.plot(*points.T, color=COLOURS[index % len(COLOURS)], label=name, marker=marker)
        values = np.concatenate([points[:, 1] for points in lines[column].values()])
        panel.set(title=_PANELS[column], xlabel="steps")
        panel.set_xlim(left=0)
        if values.min() > 0 and values.max() > _LARGEST_LINEAR_RANGE * values.min():
            panel.set_yscale("log")
        elif values.min() >= 0:
            panel.set_ylim(bottom=0)
    add_legend(figure, panels[0])
    return figure


def _points(rows: Rows, column: str) -> NDArray[np.float64]:
    """Steps and finite values of one column, (N, 2)."""
    points = [(row["step"], row.get(column, math.nan)) for row in rows]
    return np.array([point for point in points if math.isfinite(point[1])], dtype=np.float64).reshape(-1, 2)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.run.curves", description="Plot the logs of several runs in one figure."
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs, such as runs/lenet")
    parser.add_argument("--out", type=Path, default=Path("curves.png"), help="PNG file to write (default: curves.png)")
    options = parser.parse_args(argv)
    save(draw_curves({run.name: read_log(run) for run in options.runs}), options.out)


if __name__ == "__main__":
    main()
