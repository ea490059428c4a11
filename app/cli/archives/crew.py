"""A crew: the service's confined child processes and the networks, which read files of an archive on one machine."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from app.cli.archives import storage
from app.cli.batch.parallel import in_order
from app.cli.batch.reading import Reader, Task
from app.cli.batch.records import FORMS
from app.cli.batch.sources import Picture, spell
from app.cli.configuration import read_settings
from app.options import DecodeOptions
from app.pipeline.results import Effort
from app.startup import load_service
from app.telemetry.metrics import Metrics

_LINES: Final = FORMS["jsonl"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How every file is read, whichever machine does it: as `qrestore decode` does with the same options.

    ``settings`` are those that somebody has set; all others a machine finds for itself. ``jobs`` pictures are read at
    once by each crew.
    """

    settings: Mapping[str, object]
    jobs: int
    effort: Effort
    budget: float
    expect: int | None
    options: DecodeOptions


@dataclass(frozen=True, slots=True)
class Stored(Picture):
    """A file or object whose name stands for it in results; ``content`` is what was read of it, if anything was."""

    def read(self, *, most: int) -> bytes:
        """The content, read now if none was before, so that a file that cannot be read says why. Raises OSError."""
        assert self.path is not None  # noqa: S101 - never standard input
        return self.content[:most] if self.content else storage.read(self.path, most=most)


def task(name: str, content: bytes = b"") -> Task:
    """What reads one file; ``name`` is its path or address."""
    return Task(spell(name), (Stored(name, PurePath(), content=content),))


class Crew:
    """Reads files until it is closed. Raises as `load_service` does."""

    def __init__(self, plan: Plan) -> None:
        self.settings = read_settings(**plan.settings, workers=plan.jobs)
        self._runtime = load_service(self.settings, Metrics(), children=plan.jobs, own_networks=True)
        self._reader = Reader(
            self._runtime.worker,
            self.settings,
            effort=plan.effort,
            budget=plan.budget,
            expect=plan.expect,
            options=plan.options,
        )

    def lines(self, tasks: Iterable[Task]) -> Iterator[str]:
        """The line of each file, in their order; a file that cannot be read gives a line that says why."""
        worker = self._runtime.worker
        for result in in_order(self._reader.read, tasks, jobs=self.settings.workers, stop=worker.close):
            yield from _LINES.lines(result)

    def close(self) -> None:
        """Ends the child processes."""
        self._runtime.worker.close()
        self._runtime.close()
