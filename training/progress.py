"""What a run shows and keeps while it goes: a progress bar, a CSV file, TensorBoard scalars."""

import csv
import importlib.util
from pathlib import Path
from typing import Any

_EVERY = 20  # steps between two rows
_COLUMNS = ("step", "seconds", "loss", "module_error", "gradient_norm", "rate")


class Progress:
    """Averages over ``_EVERY`` steps and appends a row each to ``log.csv``; tqdm and TensorBoard where installed."""

    def __init__(self, directory: Path, *, total_seconds: float) -> None:
        path = directory / "log.csv"
        fresh = not path.exists()
        self._file = path.open("a", newline="")
        self._rows = csv.DictWriter(self._file, _COLUMNS)
        if fresh:
            self._rows.writeheader()
        self._sums: dict[str, float] = {}
        self._count = 0
        self._total = total_seconds
        self._bar: Any = None
        self._board: Any = None
        if importlib.util.find_spec("tqdm"):
            tqdm = importlib.import_module("tqdm").tqdm
            bar = "{desc} {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{remaining} left] {postfix}"
            self._bar = tqdm(total=total_seconds, desc=directory.name, bar_format=bar, mininterval=10)
        if importlib.util.find_spec("tensorboard"):
            self._board = importlib.import_module("torch.utils.tensorboard").SummaryWriter(
                str(directory / "tensorboard")
            )

    def update(self, *, step: int, seconds: float, **values: float) -> None:
        """Takes one step's values; a row holds their means since the row before."""
        for key, value in values.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
        self._count += 1
        if step % _EVERY:
            return
        means = {key: total / self._count for key, total in self._sums.items()}
        self._sums, self._count = {}, 0
        self._rows.writerow({"step": step, "seconds": f"{seconds:.1f}", **{k: f"{v:.6g}" for k, v in means.items()}})
        self._file.flush()
        if self._board:
            for key, value in means.items():
                self._board.add_scalar(key, value, step)
        if self._bar:
            shown = f"step {step} loss {means['loss']:.4f} modules wrong {means['module_error']:.2%}"
            self._bar.set_postfix_str(shown, refresh=False)
            self._bar.update(min(seconds, self._total) - self._bar.n)

    def close(self) -> None:
        for part in (self._file, self._bar, self._board):
            if part:
                part.close()
