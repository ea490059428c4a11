"""Progress of a run: progress bar, CSV log, TensorBoard and the journal of its clock."""

import csv
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Window = dict[str, tuple[float, int]]
"""Sum and count of each figure's values since the last row."""
_STEPS_PER_ROW = 20
_COLUMNS = ("step", "seconds", "loss", "module_error", "gradient_norm", "rate")


class Journal:
    """The journal of a run's progress, ``clock.csv``: a line ``step,seconds`` with the clock after each step, written
    as soon as the step is done.

    Learning rates follow measured time, which differs at each measurement. Steps that a killed run took after its last
    save are taken again with the times of the first attempt, so they have the same rates and losses, and the run
    continues as if it had not been killed. The finished file and the recipe are enough to repeat the run.
    """

    def __init__(self, path: Path) -> None:
        text = path.read_text() if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:  # the process was killed in the middle of a line
            path.write_text(whole)
        self._seconds = {int(step): float(seconds) for step, seconds in (line.split(",") for line in whole.split())}
        self._file = path.open("a", buffering=1)

    def record(self, step: int, seconds: float) -> float:
        """The clock after ``step``: the recorded time if the step was taken before, else ``seconds``, which it
        records."""
        if step not in self._seconds:
            self._seconds[step] = seconds
            self._file.write(f"{step},{seconds!r}\n")
        return self._seconds[step]

    def close(self) -> None:
        self._file.close()


class Progress:
    """Shows a run's progress: writes means over 20 steps to ``log.csv``, and shows them with tqdm and TensorBoard where
    these are installed.

    ``step``, ``seconds``, ``samples`` and ``window`` describe the state that the run resumes from. Rows after ``step``,
    left by a killed run, are deleted, since they will be written again; ``window`` is updated in place. ``columns`` add
    to those of every run; a row has "nan" for a figure without values. The bar counts steps if ``total_steps`` is
    given, else seconds.
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
        """The clock after ``step``: ``seconds``, or the time recorded when the step was taken before."""
        return self._journal.record(step, seconds)

    def update(self, *, step: int, seconds: float, samples: int = 0, **values: float) -> None:
        """Adds one step's figures; ``samples`` counts all samples of the run so far."""
        for key, value in values.items():
            total, count = self._window.get(key, (0.0, 0))
            self._window[key] = total + value, count + 1
        if step % _STEPS_PER_ROW:
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
        """Sends an 8-bit picture, (H, W) or (H, W, 3) in BGR, to TensorBoard."""
        if self._board:
            grey = image.ndim == 2
            self._board.add_image(
                "samples", image if grey else image[..., ::-1], step, dataformats="HW" * grey or "HWC"
            )

    def close(self) -> None:
        if self._bar:
            self._bar.refresh()
        for part in (self._journal, self._file, self._bar, self._board):
            if part is not None:
                part.close()


def _keep_rows(path: Path, columns: Sequence[str], *, until: int) -> None:
    """Rewrites the log at ``path`` with ``columns``, keeping complete rows up to step ``until``."""
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
    """The rows of a run's ``log.csv``. Raises OSError."""
    with (directory / "log.csv").open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


@dataclass
class Clock:
    """The progress of a run: how far it has come.

    ``seconds``: of training. ``bfloat16``, ``threads`` and ``device``: how it computes. ``best``: the lowest loss on
    the validation batches, after step ``best_step``; ``stale``: validations since then.
    """

    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    bfloat16: bool = False
    threads: int = 0
    device: str = "cpu"
    best: float = float("inf")
    best_step: int = 0
    stale: int = 0

    def header(self) -> dict[str, str]:
        """The fields as text for the state's header."""
        return {key: repr(value) for key, value in vars(self).items()}

    def restore(self, header: Mapping[str, str], *, batch_size: int) -> None:
        """Reads a state's header; ``threads`` and ``device`` remain those of this process.

        States of the first version hold only the step, the seconds and bfloat16; their samples are ``batch_size`` per
        step.
        """
        self.step = int(header["step"])
        self.seconds = float(header["seconds"])
        self.bfloat16 = header["bfloat16"] == "True"
        self.samples = int(header.get("samples", self.step * batch_size))
        self.best = float(header.get("best", "inf"))
        self.best_step = int(header.get("best_step", 0))
        self.stale = int(header.get("stale", 0))
