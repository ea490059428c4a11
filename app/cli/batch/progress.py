"""A line on the terminal that says how far a long run is, how fast it goes and how long it will take."""

import shutil
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TextIO

_DRAW_SECONDS: Final = 0.1
_BAR: Final = 20  # characters
_LEAST_SECONDS: Final = 1.0  # of work, before which a rate is a guess


@dataclass
class Progress:
    """Redraws its line on ``stream``, at most ten times a second. ``total`` is how many files there are, None as long
    as nobody knows. ``skipped`` files were done before: they count as done, but not for the rate."""

    stream: TextIO
    total: Callable[[], int | None]
    clock: Callable[[], float] = time.monotonic
    skipped: int = 0
    done: int = 0
    _began: float = field(init=False)
    _drawn: float = field(init=False, default=float("-inf"))
    _width: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def advance(self) -> None:
        """One file more is done."""
        self.done += 1
        now = self.clock()
        if now - self._drawn >= _DRAW_SECONDS:
            self._drawn = now
            self._show(self.line())

    def clear(self) -> None:
        """Wipes the line."""
        self._show("")
        self.stream.write("\r")
        self.stream.flush()

    def line(self) -> str:
        """What the line says now."""
        seconds, total, done = self.clock() - self._began, self.total(), self.done + self.skipped
        rate = self.done / seconds if seconds >= _LEAST_SECONDS else 0.0
        speed = f"  {rate:.1f} files/s" if rate else ""
        if total is None:
            return f"{done} files{speed}"
        filled = _BAR * min(done, total) // max(1, total)
        left = f"  {in_time(max(0, total - done) / rate)} left" if rate else ""
        return f"[{'#' * filled}{'-' * (_BAR - filled)}] {done} of {total} files{speed}{left}"

    def _show(self, line: str) -> None:
        line = line[: max(0, shutil.get_terminal_size().columns - 1)]
        self.stream.write(f"\r{line.ljust(self._width)}")
        self.stream.flush()
        self._width = len(line)


def in_time(seconds: float) -> str:
    """A duration in words: 8 s, 2 min 05 s, 1 h 04 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@dataclass
class Count:
    """How many items there are, counted in the background; None until it is known."""

    items: Iterable[object]
    result: int | None = None

    def start(self) -> None:
        threading.Thread(target=self._count, name="count", daemon=True).start()

    def _count(self) -> None:
        self.result = sum(1 for _ in self.items)
