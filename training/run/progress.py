"""What a run shows and keeps while it goes: a progress bar, a CSV file, TensorBoard scalars and pictures, its clock."""

import csv
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Window = dict[str, tuple[float, int]]
"""Sum and number of each figure's values since the last row."""

_EVERY = 20  # steps between two rows
_COLUMNS = ("step", "seconds", "loss", "module_error", "gradient_norm", "rate")


class Journal:
    """``clock.csv``: the clock after each step, a line ``step,seconds`` each, written as soon as the step is done.

    Learning rates follow measured time, which no second attempt measures alike. So the steps between a save and a
    kill, which are taken again, are given the times of the first attempt: they have the same rates, hence the same
    losses, and the run goes on from there as if it had not been killed. A line for each step remains when the run is
    over: with them and the same recipe, another run repeats it.
    """

    def __init__(self, path: Path) -> None:
        text = path.read_text() if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:  # the machine stopped in the middle of a line
            path.write_text(whole)
        self._seconds = {int(step): float(seconds) for step, seconds in (line.split(",") for line in whole.split())}
        self._file = path.open("a", buffering=1)

    def settle(self, step: int, seconds: float) -> float:
        """The clock after ``step``: as it was if the step has been taken before, else ``seconds``, which is kept."""
        if step not in self._seconds:
            self._seconds[step] = seconds
            self._file.write(f"{step},{seconds!r}\n")
        return self._seconds[step]

    def close(self) -> None:
        self._file.close()


class Progress:
    """Averages over ``_EVERY`` steps and appends a row each to ``log.csv``; tqdm and TensorBoard where installed.

    ``step``, ``seconds`` and ``window`` say where the run stands: rows beyond ``step``, which a killed run left
    behind, are dropped, for they come again; ``window`` is brought up to date in place. ``columns`` are added to those
    of every run; a row has "nan" where a figure has no value. The bar counts seconds, or steps if ``total_steps``.
    """

    def __init__(
        self,
        directory: Path,
        *,
        total_seconds: float,
        total_steps: int | None = None,
        columns: Sequence[str] = (),
        step: int = 0,
        seconds: float = 0.0,
        samples: int = 0,
        window: Window | None = None,
    ) -> None:
        names = (*_COLUMNS, *columns)
        path = directory / "log.csv"
        _keep_rows(path, names, until=step)
        self._journal = Journal(directory / "clock.csv")
        self._file = path.open("a", newline="")
        self._rows = csv.DictWriter(self._file, names, restval="nan")
        self._columns = names
        self._window = {} if window is None else window
        self._before = seconds, samples
        self._steps = total_steps
        self._total = total_seconds if total_steps is None else total_steps
        self._bar: Any = None
        self._board: Any = None
        if importlib.util.find_spec("tqdm"):
            tqdm = importlib.import_module("tqdm").tqdm
            unit = "s" if total_steps is None else "steps"
            self._bar = tqdm(
                total=self._total,
                initial=min(self._total, seconds if total_steps is None else step),
                desc=directory.name,
                bar_format=f"{{desc}} {{percentage:3.0f}}%|{{bar}}| {{n:.0f}}/{{total:.0f}} {unit} "
                "[{remaining} left] {postfix}",
                mininterval=10,
            )
        if importlib.util.find_spec("tensorboard"):
            self._board = importlib.import_module("torch.utils.tensorboard").SummaryWriter(
                str(directory / "tensorboard"), purge_step=step + 1 if step else None
            )

    def clock(self, step: int, seconds: float) -> float:
        """The time at which ``step`` was done: ``seconds``, or what was measured when it was taken before."""
        return self._journal.settle(step, seconds)

    def update(self, *, step: int, seconds: float, samples: int = 0, **values: float) -> None:
        """Takes one step's values; a row holds their means since the row before. ``samples``: seen in all so far."""
        for key, value in values.items():
            total, count = self._window.get(key, (0.0, 0))
            self._window[key] = total + value, count + 1
        if step % _EVERY:
            return
        means = {key: total / count for key, (total, count) in self._window.items()}
        self._window.clear()
        self._rows.writerow({"step": step, "seconds": f"{seconds:.1f}", **{k: f"{v:.6g}" for k, v in means.items()}})
        self._file.flush()
        if self._board:
            for key, value in means.items():
                self._board.add_scalar(key, value, step)
        if self._bar:
            pace = (samples - self._before[1]) / max(1e-9, seconds - self._before[0])
            shown = f"step {step}, {pace:.1f} samples/s, loss {means['loss']:.4f}, error {means['module_error']:.2%}"
            self._bar.set_postfix_str(shown, refresh=False)
            self._bar.update(min(seconds if self._steps is None else step, self._total) - self._bar.n)
        self._before = seconds, samples

    def picture(self, image: NDArray[np.uint8], *, step: int) -> None:
        """Shows an 8-bit picture, (H, W) or (H, W, 3) in OpenCV's order of colours, on TensorBoard."""
        if self._board:
            grey = image.ndim == 2
            self._board.add_image(
                "samples", image if grey else image[..., ::-1], step, dataformats="HW" * grey or "HWC"
            )

    def close(self) -> None:
        for part in (self._journal, self._file, self._bar, self._board):
            if part is not None:
                part.close()


def _keep_rows(path: Path, columns: Sequence[str], *, until: int) -> None:
    """Makes ``path`` a log of ``columns`` whose rows go no further than step ``until``; whole rows only."""
    rows: list[dict[str, str]] = []
    if path.exists():
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            rows = [row for row in reader if None not in row.values() and int(row["step"]) <= until]
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="nan", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)


def read_log(directory: Path) -> list[dict[str, float]]:
    """The rows of a run's ``log.csv``."""
    with (directory / "log.csv").open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
