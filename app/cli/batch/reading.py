"""Reads one file, or the frames of one label, in the child processes of the service, and writes its pictures."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from math import inf
from time import monotonic
from typing import Any

from app.cli.batch.pictures import Folder
from app.cli.batch.records import Problem, Result
from app.cli.batch.sources import Picture, spell
from app.errors import QrestoreError, TooManyFiles, UploadTooLarge
from app.options import DecodeOptions
from app.pipeline.results import AUTO, Effort, Outcome, Restored, View
from app.schemas import DecodeAnswer
from app.settings import Settings
from app.workers.jobs import DecodeJob, FuseJob, OutlineJob, RestoreJob
from app.workers.worker import Worker

_UNBOUNDED = 10
"""Times QRESTORE_WORK_SECONDS after which a picture without a budget is given up."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is read at once: a picture, or with ``is_label`` several pictures of one label, called ``name``."""

    name: str
    pictures: tuple[Picture, ...]
    is_label: bool = False


def single(pictures: Iterable[Picture]) -> Iterator[Task]:
    """Each picture alone."""
    return (Task(picture.name, (picture,)) for picture in pictures)


def labels(pictures: Iterable[Picture]) -> Iterator[Task]:
    """The pictures of each folder as frames of one label, called as the folder is; those that were named themselves as
    frames of one label, called as the first of them is."""
    for folder, members in groupby(pictures, key=lambda picture: picture.folder):
        frames = tuple(members)
        yield Task(spell(folder) if folder else frames[0].name, frames, is_label=True)


@dataclass(frozen=True, slots=True)
class Reader:
    """Does tasks, from several threads at once.

    ``effort``, ``budget`` in seconds and ``expect`` are as in `DecodeJob`; all pages of a file together get the budget
    or, if that is longer, QRESTORE_WORK_SECONDS. Of ``options`` the others count. ``restored`` and ``annotated`` are
    folders for the restored code of each file, of its first page, and for its pages with the codes outlined.
    """

    worker: Worker
    settings: Settings
    effort: Effort
    budget: float
    expect: int | None = None
    options: DecodeOptions = field(default_factory=DecodeOptions)
    restored: Folder | None = None
    annotated: Folder | None = None

    def read(self, task: Task) -> Result:
        """The answer that the service would give, or the problem; never raises for a file's sake."""
        frames = tuple(picture.name for picture in task.pictures) if task.is_label else None
        answer: DecodeAnswer | None = None
        try:
            data = self._read_files(task)
            outcome = self._decode(data, is_label=task.is_label)
            answer = DecodeAnswer.of(outcome, request_id=uuid.uuid4().hex)
            restored = self._restore(task, data, outcome) if self.restored else None
            annotated = self._annotate(task, data, outcome) if self.annotated else None
        except (OSError, QrestoreError) as exc:
            return Result(file=task.name, frames=frames, answer=answer, problem=Problem.of(exc))
        return Result(file=task.name, frames=frames, answer=answer, restored=restored, annotated=annotated)

    def _read_files(self, task: Task) -> tuple[bytes, ...]:
        most, max_frames = self.settings.max_upload_bytes, self.settings.max_frames
        if len(task.pictures) > max_frames:
            raise TooManyFiles(f"At most {max_frames} frames can be fused; there are {len(task.pictures)}.")
        data = []
        for picture in task.pictures:
            data.append(picture.read(most=most + 1))
            if len(data[-1]) > most:
                raise UploadTooLarge(f"The file is larger than {most} bytes.")
        return tuple(data)

    def _decode(self, data: tuple[bytes, ...], *, is_label: bool) -> Outcome:
        options, whole = self.options, max(self.budget * len(data), self.settings.work_seconds)
        if is_label:
            budget = self.budget * len(data)
            job: DecodeJob | FuseJob = FuseJob(data, self.effort, budget=budget, expect=self.expect, **options.wanted)
        else:
            job = DecodeJob(
                data[0],
                self.effort,
                budget=self.budget,
                expect=self.expect,
                total=whole,
                pages=options.page_ranges,
                **options.wanted,
            )
        outcome: Outcome = self._run(job, whole)
        return outcome

    def _restore(self, task: Task, data: tuple[bytes, ...], outcome: Outcome) -> str | None:
        """Writes the restored code of the first frame that shows one; returns its path, None where none was located."""
        assert self.restored is not None  # noqa: S101 - the caller asks
        frame = outcome.codes[0].frame if outcome.codes else 0
        budget = self.settings.budget_seconds
        job = RestoreJob(
            data[frame],
            network=AUTO,
            scale=1,
            binary=False,
            view=View.STRAIGHTENED,
            budget=budget,
            frame=self.options.frame,
        )
        restored: Restored = self._run(job, budget)
        return self.restored.write(task.pictures[frame].place, restored.png) if restored.located else None

    def _annotate(self, task: Task, data: tuple[bytes, ...], outcome: Outcome) -> tuple[str, ...]:
        """Writes every frame, or every page that was looked at, with its codes outlined; returns the paths."""
        assert self.annotated is not None  # noqa: S101 - the caller asks
        paths = []
        pages = [page.index for page in outcome.pages if page.problem is None] or [0]
        for frame, (picture, each) in enumerate(zip(task.pictures, data, strict=True)):
            for page in pages:
                read = tuple(one.symbol.corners for one in outcome.codes if (one.frame, one.page) == (frame, page))
                unread = tuple(one.corners for one in outcome.unread if (one.frame, one.page) == (frame, page))
                place = picture.place
                if outcome.page_count > 1:
                    place = place.with_name(f"{place.name}.{page + 1}")
                outlined = self._run(OutlineJob(each, page, read, unread, self.options.frame), 0.0)
                paths.append(self.annotated.write(place, outlined))
        return tuple(paths)

    def _run(self, job: object, budget: float) -> Any:
        """The job's result; a child that works on it far beyond its budget is killed. Raises QrestoreError."""
        spare = self.settings.work_seconds
        seconds = _UNBOUNDED * spare if budget == inf else budget + spare
        return self.worker.run(job, deadline=monotonic() + seconds, seconds=seconds)
