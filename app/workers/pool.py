"""A pool of child processes that may crash, hang or eat memory without harm to the process that hands out the work.

Each child has its own pipe, so a child that dies takes no lock with it. In the middle of a job a child may ask the
parent to run a network: the networks stay in the parent. Children are forked from multiprocessing's fork server, which
has imported the modules and holds nothing else, so a new child takes milliseconds.
"""

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.errors import InternalError, ProcessingTimeout, QrestoreError, WorkerCrashed
from app.workers.process import (
    START_SECONDS,
    Arrays,
    Child,
    ChildGone,
    Factory,
    Handler,
    Infer,
    Limits,
    by_pickled_name,
    start_fork_server,
)
from app.workers.sandbox import remaining_abilities
from app.workers.usage import resident_memory
from app.workers.worker import GaveWay, Progress

log = logging.getLogger("qrestore.isolation")

_WATCH_SECONDS: Final = 0.05
_MAX_CRASHES: Final = 2  # of children that had received the job
_MAX_ATTEMPTS: Final = 6  # at a job, those with children that something else ended included
_MAX_FAILED_STARTS: Final = 5  # in a row, after which the pool counts as unhealthy; it goes on trying
_PAUSE_SECONDS: Final = 0.05  # after a failed start: doubled with the first and with each that follows
_LONGEST_PAUSE_SECONDS: Final = 2.0


class RestartReason(StrEnum):
    """Why a pool replaced a child."""

    CRASH = "crash"
    TIMEOUT = "timeout"
    GAVE_WAY = "gave_way"
    UNFINISHED = "unfinished"
    RECYCLED = "recycled"


class Pool:
    """``size`` children, each of which does one job at a time. Up to ``size`` threads may call `run` at once.

    ``factory`` makes, in each child, the function that does the jobs. ``infer`` runs networks for the children.
    Results may be made of numbers, texts, bytes, containers, arrays and ``result_classes`` only. ``preload`` names the
    modules that the fork server imports once. ``on_restart`` is called for each child that is replaced.

    The children start on construction, which raises WorkerCrashed where they cannot; with ``at_once`` so many of them,
    and the others while those work. A thread of the pool replaces those that are gone, so a job that meets a dead child
    waits at most for a new one.
    """

    def __init__(
        self,
        factory: Factory,
        infer: Infer,
        *,
        size: int,
        limits: Limits,
        result_classes: Iterable[Any] = (),
        preload: Sequence[str] = (),
        on_restart: Callable[[RestartReason], None] = lambda _: None,
        at_once: int | None = None,
    ) -> None:
        start_fork_server(preload)
        self._context = multiprocessing.get_context("forkserver")
        self._factory = factory
        self._infer = infer
        self._limits = limits
        self._known = by_pickled_name(result_classes)
        self._on_restart = on_restart
        self._changed = threading.Condition()
        self._free: list[Child] = []
        first = size if at_once is None else min(at_once, size)
        self._missing = size - first
        self._children: set[Child] = set()
        self._failed_starts = 0
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="pool-watch", daemon=True)
        self._watcher.start()
        self._refiller = threading.Thread(target=self._replace_missing, name="pool-refill", daemon=True)
        try:
            for _ in range(first):
                self._free.append(self._start())
        except ChildGone as exc:
            self.close()
            raise WorkerCrashed from exc
        self._refiller.start()

    @property
    def healthy(self) -> bool:
        """Whether recent starts of children succeeded and the pool's own threads are alive."""
        return self._failed_starts < _MAX_FAILED_STARTS and self._watcher.is_alive() and self._refiller.is_alive()

    def run(self, job: Any, *, deadline: float, seconds: float, progress: Progress | None = None) -> Any:
        """The job's result, by ``deadline`` (`time.monotonic`) and within ``seconds`` from now.

        Raises the QrestoreError that the job raised; ProcessingTimeout when the time was up, and GaveWay when
        ``progress`` asked for it, the child being dead by then; WorkerCrashed when the job ended two children;
        InternalError for anything else.
        """
        until = min(deadline, time.monotonic() + seconds)
        crashes = 0
        for _ in range(_MAX_ATTEMPTS):
            child = self._take(until)
            try:
                result = child.run(job, until, self._infer, progress or Progress())
            except ChildGone:
                if self._closed.is_set():
                    break
                if child.gave_way:
                    self._replace(child, RestartReason.GAVE_WAY)
                    raise GaveWay from None
                timed_out = child.overdue
                self._replace(child, RestartReason.TIMEOUT if timed_out else RestartReason.CRASH)
                if timed_out or time.monotonic() >= until:
                    raise ProcessingTimeout from None
                crashes += child.begun  # a child that was dead already did not die of this job
                if crashes == _MAX_CRASHES:
                    break
            except InternalError:
                self._replace(child, RestartReason.CRASH)
                raise
            except QrestoreError:
                self._give_back(child)
                raise
            except Exception as exc:
                log.exception("a job failed beside its child")
                self._replace(child, RestartReason.CRASH)
                raise InternalError from exc
            else:
                self._give_back(child)
                return result
        raise WorkerCrashed

    def pids(self) -> list[int]:
        """Process ids of the children that exist now."""
        with self._changed:
            return [child.pid for child in self._children]

    def memory(self) -> int:
        """Resident bytes of all children; pages that they share count in each."""
        return sum(resident_memory(pid) for pid in self.pids())

    def close(self) -> None:
        """Ends every child. Jobs that still run fail."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        self._watcher.join()
        with self._changed:
            children, self._children = list(self._children), set()
        for child in children:
            child.end()
        if self._refiller.ident is not None:
            self._refiller.join()

    def _start(self) -> Child:
        """A new child, ready for jobs. Raises ChildGone."""
        try:
            child = Child(self._context, self._factory, self._limits, self._known)
        except (OSError, EOFError) as exc:
            raise ChildGone from exc
        with self._changed:
            self._children.add(child)
            closed = self._closed.is_set()
        try:
            if closed:
                raise ChildGone
            child.await_start()
        except ChildGone:
            self._discard(child)
            raise
        return child

    def _replace_missing(self) -> None:
        """Starts children for empty places, and tries again until they do start."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._missing or self._closed.is_set())
            if self._closed.is_set():
                return
            try:
                child = self._start()
            except ChildGone as exc:
                self._failed_starts += 1
                if self._failed_starts == 1 and not self._closed.is_set():
                    log.error("no child process starts (%r); trying again until one does", exc.__cause__ or exc)
                doublings = min(self._failed_starts, _MAX_FAILED_STARTS)
                self._closed.wait(min(_LONGEST_PAUSE_SECONDS, _PAUSE_SECONDS * 2**doublings))
                continue
            if self._failed_starts:
                log.warning("a child process started after %d failed starts", self._failed_starts)
            self._failed_starts = 0
            with self._changed:
                self._missing -= 1
                self._free.append(child)
                self._changed.notify_all()

    def _take(self, until: float) -> Child:
        """A living child: the one that worked last, whose caches are warm. Raises ProcessingTimeout, WorkerCrashed."""
        with self._changed:
            while True:
                while self._free:
                    child = self._free.pop()
                    if child.is_alive():
                        if time.monotonic() < until:
                            return child
                        self._free.append(child)
                        raise ProcessingTimeout
                    self._forget(child, RestartReason.CRASH)
                if self._closed.is_set():
                    raise WorkerCrashed
                if not self._changed.wait(max(0.0, until - time.monotonic())):
                    raise ProcessingTimeout

    def _give_back(self, child: Child) -> None:
        if child.spent:
            self._replace(child, RestartReason.UNFINISHED)
            return
        if child.jobs >= self._limits.jobs:
            self._replace(child, RestartReason.RECYCLED)
            return
        with self._changed:
            self._free.append(child)
            self._changed.notify_all()

    def _replace(self, child: Child, reason: RestartReason) -> None:
        """Ends a child and has another one started."""
        child.end()
        with self._changed:
            self._forget(child, reason)

    def _forget(self, child: Child, reason: RestartReason) -> None:
        """Counts a child as gone and its place as empty. The caller holds the lock."""
        self._children.discard(child)
        child.end()
        self._missing += 1
        self._changed.notify_all()
        self._on_restart(reason)

    def _discard(self, child: Child) -> None:
        with self._changed:
            self._children.discard(child)
        child.end()

    def _watch(self) -> None:
        """Kills children that are due, and has those replaced that died in idleness."""
        while not self._closed.wait(_WATCH_SECONDS):
            now = time.monotonic()
            with self._changed:
                for child in self._children:
                    child.kill_if_due(now)
                for child in [child for child in self._free if not child.is_alive()]:
                    self._free.remove(child)
                    self._forget(child, RestartReason.CRASH)


def child_abilities() -> list[str]:
    """Asks the child of a pool of one what it can do although it should not; see `sandbox.remaining_abilities`.

    Raises WorkerCrashed where no child starts.
    """
    pool = Pool(_abilities_factory, _no_networks, size=1, limits=Limits())
    try:
        abilities: list[str] = pool.run(None, deadline=time.monotonic() + START_SECONDS, seconds=START_SECONDS)
    finally:
        pool.close()
    return abilities


def _abilities_factory(_: Infer) -> Handler:
    return lambda _: remaining_abilities()


def _no_networks(name: str, _: Arrays) -> NDArray[np.float32]:
    raise KeyError(name)
