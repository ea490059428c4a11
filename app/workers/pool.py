"""Work in child processes that may crash, hang or eat memory without harm to the process that hands it out.

Each child has a pipe of its own, so that one that dies takes no lock with it, and may ask the parent for inference in
the middle of a job: the networks stay in the parent. Children come from multiprocessing's fork server, which holds the
imported modules and nothing else: a new one takes milliseconds.
"""

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from multiprocessing import forkserver
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.errors import InternalError, ProcessingTimeout, QrestoreError, WorkerCrashed
from app.workers.process import START_SECONDS, Arrays, Ask, Bounds, Child, ChildGone, Factory, Handler, names
from app.workers.sandbox import freedoms, resident_memory

log = logging.getLogger("qrestore.isolation")

_WATCH_SECONDS: Final = 0.05
_MOST_CRASHES: Final = 2  # of a job
_MOST_TRIES: Final = 6  # with those of children that something else ended
_MOST_FAILURES: Final = 5  # starts in a row that fail before the crew calls itself sick; it goes on trying
_PAUSE: Final = 0.05  # seconds after the first of them, doubled after each
_LONGEST_PAUSE: Final = 2.0


class Restart(StrEnum):
    """Why a child was replaced."""

    CRASH = "crash"
    TIMEOUT = "timeout"
    RECYCLED = "recycled"


def prepare(preload: Sequence[str]) -> None:
    """Starts the fork server, which imports these modules while the caller goes on."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", *preload])
    forkserver.ensure_running()


class Crew:
    """``size`` children, each doing one job at a time; may be called from as many threads at once.

    ``serve`` runs networks for them, ``known`` names the classes that results are made of, ``preload`` the modules that
    the fork server imports once (see `prepare`). ``on_restart`` is told of each child that is replaced. Starts on
    construction, and raises WorkerCrashed where children cannot be started.

    Children that are gone are replaced by a thread of the crew's own, so that no job pays for it with more than a wait.
    """

    def __init__(
        self,
        factory: Factory,
        serve: Ask,
        *,
        size: int,
        bounds: Bounds,
        known: Iterable[Any] = (),
        preload: Sequence[str] = (),
        on_restart: Callable[[Restart], None] = lambda _: None,
    ) -> None:
        prepare(preload)
        self._context = multiprocessing.get_context("forkserver")
        self._factory = factory
        self._serve = serve
        self._bounds = bounds
        self._known = names(known)
        self._on_restart = on_restart
        self._changed = threading.Condition()
        self._free: list[Child] = []
        self._missing = 0
        self._children: set[Child] = set()
        self._failures = 0
        self._closed = threading.Event()
        self._watch = threading.Thread(target=self._kill_overdue, name="crew-watch", daemon=True)
        self._watch.start()
        self._refill = threading.Thread(target=self._replace_missing, name="crew-refill", daemon=True)
        try:
            for _ in range(size):
                self._free.append(self._start())
        except ChildGone as exc:
            self.close()
            raise WorkerCrashed from exc
        self._refill.start()

    @property
    def healthy(self) -> bool:
        """Whether children can be started, as far as is known, and are looked after."""
        return self._failures < _MOST_FAILURES and self._watch.is_alive() and self._refill.is_alive()

    def run(self, job: Any, deadline: float) -> Any:
        """The job's result, by ``deadline`` (`time.monotonic`).

        Raises what the job raised on purpose; ProcessingTimeout when the deadline passed, the child being dead by then;
        WorkerCrashed when the child died of the job and a second one too; InternalError for anything else.
        """
        crashes = 0
        for _ in range(_MOST_TRIES):
            child = self._take(deadline)
            try:
                result = child.run(job, deadline, self._serve)
            except ChildGone:
                if self._closed.is_set():
                    break
                timed_out = child.overdue
                self._replace(child, Restart.TIMEOUT if timed_out else Restart.CRASH)
                if timed_out or time.monotonic() >= deadline:
                    raise ProcessingTimeout from None
                crashes += child.begun  # one that was dead already has nothing to do with the job
                if crashes == _MOST_CRASHES:
                    break
            except InternalError:
                self._replace(child, Restart.CRASH)
                raise
            except QrestoreError:
                self._give_back(child)
                raise
            except Exception as exc:
                log.exception("a job failed beside its child")
                self._replace(child, Restart.CRASH)
                raise InternalError from exc
            else:
                self._give_back(child)
                return result
        raise WorkerCrashed

    def pids(self) -> list[int]:
        """Process ids of the children that are there now."""
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
        self._watch.join()
        with self._changed:
            children, self._children = list(self._children), set()
        for child in children:
            child.end()
        if self._refill.ident is not None:
            self._refill.join()

    def _start(self) -> Child:
        """A new child at work. Raises ChildGone."""
        try:
            child = Child(self._context, self._factory, self._bounds, self._known)
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
        """Starts children for places that are empty, again and again until they do start."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._missing or self._closed.is_set())
            if self._closed.is_set():
                return
            try:
                child = self._start()
            except ChildGone:
                self._failures += 1
                self._closed.wait(min(_LONGEST_PAUSE, _PAUSE * 2 ** min(self._failures, _MOST_FAILURES)))
                continue
            self._failures = 0
            with self._changed:
                self._missing -= 1
                self._free.append(child)
                self._changed.notify_all()

    def _take(self, deadline: float) -> Child:
        """A living child: the one that worked last, whose caches are warm. Raises ProcessingTimeout, WorkerCrashed."""
        with self._changed:
            while True:
                while self._free:
                    child = self._free.pop()
                    if child.is_alive():
                        if time.monotonic() < deadline:
                            return child
                        self._free.append(child)
                        raise ProcessingTimeout
                    self._forget(child, Restart.CRASH)
                if self._closed.is_set():
                    raise WorkerCrashed
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise ProcessingTimeout

    def _give_back(self, child: Child) -> None:
        if child.jobs >= self._bounds.tasks:
            self._replace(child, Restart.RECYCLED)
            return
        with self._changed:
            self._free.append(child)
            self._changed.notify_all()

    def _replace(self, child: Child, why: Restart) -> None:
        """Ends a child, and has another one started."""
        child.end()
        with self._changed:
            self._forget(child, why)

    def _forget(self, child: Child, why: Restart) -> None:
        """Counts a child as gone, and its place as empty; the lock is held."""
        self._children.discard(child)
        child.end()
        self._missing += 1
        self._changed.notify_all()
        self._on_restart(why)

    def _discard(self, child: Child) -> None:
        with self._changed:
            self._children.discard(child)
        child.end()

    def _kill_overdue(self) -> None:
        while not self._closed.wait(_WATCH_SECONDS):
            now = time.monotonic()
            with self._changed:
                for child in self._children:
                    child.kill_if_overdue(now)


def child_freedoms() -> list[str]:
    """What children may do here and should not, by `confining.freedoms`. Raises WorkerCrashed where none starts."""
    crew = Crew(_telling_freedoms, _no_networks, size=1, bounds=Bounds())
    try:
        told: list[str] = crew.run(None, time.monotonic() + START_SECONDS)
    finally:
        crew.close()
    return told


def _telling_freedoms(_: Ask) -> Handler:
    return lambda _: freedoms()


def _no_networks(name: str, _: Arrays) -> NDArray[np.float32]:
    raise KeyError(name)
