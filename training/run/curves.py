"""Draws the figures of one or several runs over their steps: python -m training.run.curves RUN [RUN ...] --out FILE."""

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.run.progress import read_log

Rows = Sequence[Mapping[str, float]]
"""As `training.run.progress.read_log` gives them."""

_PANELS = {
    "loss": "loss",
    "validation_loss": "loss on validation batches",
    "adversarial_loss": "adversarial loss",
    "discriminator_loss": "discriminator's loss",
    "module_error": "error",
    "rate": "learning rate",
}
_COLOURS = ((180, 90, 20), (30, 30, 200), (40, 140, 40), (160, 30, 160), (20, 140, 220), (120, 120, 0))  # BGR
_WIDTH, _HEIGHT = 400, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 385, 34, 236
_DECADES = 20.0  # a figure that spans more than this factor is drawn on a logarithmic scale


def draw_curves(logs: Mapping[str, Rows]) -> NDArray[np.uint8]:
    """(H, W, 3): a panel for each figure that a run has, over its steps, and a line for each run.

    Raises ValueError if no run has a row.
    """
    steps = max((row["step"] for rows in logs.values() for row in rows), default=0.0)
    if not steps:
        raise ValueError("no run has come as far as its first row")
    panels = []
    for column, title in _PANELS.items():
        lines = {name: _line(rows, column) for name, rows in logs.items()}
        if any(len(line) for line in lines.values()):
            panels.append(_panel(title, list(lines.values()), steps))
    columns = min(3, len(panels))
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % columns)
    rows = [np.hstack(panels[i : i + columns]) for i in range(0, len(panels), columns)]
    return np.vstack([_legend(list(logs), rows[0].shape[1]), *rows])


def _line(rows: Rows, column: str) -> NDArray[np.float64]:
    """(N, 2): step and value, where there is one."""
    points = [(row["step"], row.get(column, math.nan)) for row in rows]
    return np.array([point for point in points if math.isfinite(point[1])], dtype=np.float64).reshape(-1, 2)


def _panel(title: str, lines: Sequence[NDArray[np.float64]], steps: float) -> NDArray[np.uint8]:
    panel = np.full((_HEIGHT, _WIDTH, 3), 255, dtype=np.uint8)
    values = np.concatenate([line[:, 1] for line in lines])
    low, high = float(values.min()), float(values.max())
    logarithmic = low > 0 and high > _DECADES * low
    if not logarithmic:
        low = min(0.0, low)
    if high <= low:
        high = low + 1

    def at(points: NDArray[np.float64]) -> NDArray[np.int32]:
        share = (points[:, 1] - low) / (high - low)
        if logarithmic:
            share = np.log(points[:, 1] / low) / math.log(high / low)
        x, y = _LEFT + (_RIGHT - _LEFT) * points[:, 0] / steps, _BOTTOM - (_BOTTOM - _TOP) * share
        return np.rint(np.stack([x, y], axis=1)).astype(np.int32)

    for share in (0.0, 0.5, 1.0):
        value = low * (high / low) ** share if logarithmic else low + share * (high - low)
        _, y = at(np.array([[0.0, value]]))[0]
        cv2.line(panel, (_LEFT, int(y)), (_RIGHT, int(y)), (225, 225, 225), 1)
        _write(panel, f"{value:.3g}" if value >= 0.01 or value <= 0 else f"{value:.1e}", (4, int(y) + 4))
        x = round(_LEFT + (_RIGHT - _LEFT) * share)
        cv2.line(panel, (x, _TOP), (x, _BOTTOM), (225, 225, 225), 1)
        label = f"{steps * share:.0f}"
        _write(panel, label, (min(x - 12, _WIDTH - 9 * len(label)), _BOTTOM + 16))
    _write(panel, title + (", logarithmic" if logarithmic else ""), (_LEFT, 20))
    _write(panel, "steps", (_LEFT + 140, _BOTTOM + 34))
    for index, line in enumerate(lines):
        colour = _colour(index)
        cv2.polylines(panel, [at(line)], False, colour, 2, cv2.LINE_AA)
        if len(line) == 1:  # a line of one point is nothing
            cv2.circle(panel, at(line)[0].tolist(), 3, colour, cv2.FILLED, cv2.LINE_AA)
    return panel


def _legend(names: Sequence[str], width: int) -> NDArray[np.uint8]:
    each = 210
    across = max(1, width // each)
    legend = np.full((12 + 24 * -(-len(names) // across), width, 3), 255, dtype=np.uint8)
    for index, name in enumerate(names):
        x, y = 20 + each * (index % across), 20 + 24 * (index // across)
        cv2.line(legend, (x, y - 4), (x + 24, y - 4), _colour(index), 2, cv2.LINE_AA)
        _write(legend, name, (x + 32, y))
    return legend


def _colour(index: int) -> tuple[int, int, int]:
    return _COLOURS[index % len(_COLOURS)]


def _write(image: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (60, 60, 60), 1, cv2.LINE_AA)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.run.curves", description="Draw the curves of runs over each other."
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs, such as runs/lenet")
    parser.add_argument("--out", type=Path, default=Path("curves.png"), help="PNG to write (default: curves.png)")
    arguments = parser.parse_args()
    cv2.imwrite(str(arguments.out), draw_curves({run.name: read_log(run) for run in arguments.runs}))


if __name__ == "__main__":
    main()
