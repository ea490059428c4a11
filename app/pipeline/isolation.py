"""Work in child processes that may crash, hang or eat memory without harm to the process that hands it out.

Each child has a pipe of its own, so that one that dies takes no lock with it, and may ask the parent for inference in
the middle of a job: the networks stay in the parent. Children come from multiprocessing's fork server, which holds the
imported modules and nothing else: a new one takes milliseconds.

A child is believed nothing: what it sends is unpickled by a reader that knows a few names only, and its clock is the
parent's.
"""

import contextlib
import io
import logging
import multiprocessing
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app import errors
from app.errors import InternalError, ProcessingTimeout, QrestoreError, WorkerCrashed
from app.pipeline.confining import confine, freedoms, resident_memory

log = logging.getLogger("qrestore.isolation")

Arrays = tuple[NDArray[np.float32], ...]
Ask = Callable[[str, Arrays], NDArray[np.float32]]
"""Runs the named network on its inputs."""
Handler = Callable[[Any], Any]
Factory = Callable[[Ask], Handler]
"""Called once in a child, with a way to ask the parent; gives what does the jobs. Must be picklable."""

_READY, _ASK, _DONE, _REFUSED, _BROKEN = "ready", "ask", "done", "refused", "broken"
_MOST_BYTES: Final = 1 << 29  # of one message from a child
_START_SECONDS: Final = 60.0
_LAST_WORDS: Final = 2.0  # seconds after its deadline at which a child ends itself, should the parent be gone
_WATCH_SECONDS: Final = 0.05
_TRIES: Final = 2


class Restart(StrEnum):
    """Why a child was replaced."""

    CRASH = "crash"
    TIMEOUT = "timeout"
    RECYCLED = "recycled"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may use: address space on top of what it starts with, jobs in its life, threads of OpenCV."""

    memory_bytes: int = 2 << 30
    tasks: int = 1000
    threads: int = 1


class _ChildGone(Exception):
    """The child ended, or said what no child says."""


class _Reader(pickle.Unpickler):
    """Reads numbers, texts, bytes, containers, arrays and the classes it was told of, and nothing else."""

    def __init__(self, message: bytes, known: dict[tuple[str, str], Any]) -> None:
        super().__init__(io.BytesIO(message))
        self._known = known

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._known[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not known") from None


def _array_makers() -> list[Any]:
    """The functions by which numpy's arrays and scalars are pickled, by whatever names this numpy calls them."""
    contiguous, strided = np.zeros((2, 2), np.uint8), np.zeros((4, 4), np.uint8)[::2, ::2]
    reduced = [contiguous.__reduce_ex__(5), strided.__reduce__(), np.float64(0).__reduce__()]
    return [*(each[0] for each in reduced if not isinstance(each, str)), np.ndarray, np.dtype]


def _names(known: Iterable[Any]) -> dict[tuple[str, str], Any]:
    return {(each.__module__, each.__qualname__): each for each in (*known, *_array_makers())}


def _work(connection: Connection, factory: Factory, bounds: Bounds) -> None:
    """The whole life of a child."""
    confine(memory_bytes=bounds.memory_bytes)
    cv2.setNumThreads(bounds.threads)

    def ask(name: str, arrays: Arrays) -> NDArray[np.float32]:
        connection.send((_ASK, (name, arrays)))
        return np.asarray(connection.recv(), dtype=np.float32)

    handle = factory(ask)
    connection.send((_READY, None))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent has gone
        while True:
            seconds, job = connection.recv()
            signal.setitimer(signal.ITIMER_REAL, seconds + _LAST_WORDS)
            answer = _answered(handle, job)
            signal.setitimer(signal.ITIMER_REAL, 0)
            connection.send(answer)


def _answered(handle: Handler, job: Any) -> tuple[str, Any]:
    try:
        return _DONE, handle(job)
    except QrestoreError as exc:
        return _REFUSED, (type(exc).__name__, exc.detail)
    except Exception:  # noqa: BLE001 - the parent logs it, answers 500 and replaces this process
        return _BROKEN, traceback.format_exc()


class _Child:
    """The parent's end of one child. Used by one thread at a time; only ``kill_if_overdue`` may come from another."""

    def __init__(self, context: Any, factory: Factory, bounds: Bounds, known: dict[tuple[str, str], Any]) -> None:
        self._known = known
        self._ending, self._ended = threading.Lock(), False
        self.jobs = 0
        self.overdue = False
        self._deadline: float | None = time.monotonic() + _START_SECONDS
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, factory, bounds), name="qrestore-worker")
        try:
            self._process.start()
        finally:
            theirs.close()
        self.pid = int(self._process.pid)

    def await_start(self) -> None:
        """Returns when the factory has done its work. Raises _ChildGone."""
        try:
            if self._receive()[0] != _READY:
                raise _ChildGone
        finally:
            self._deadline = None

    def run(self, job: Any, deadline: float, serve: Ask) -> Any:
        """The job's result. Raises what the job raised, InternalError for what it should not have, _ChildGone."""
        self.jobs += 1
        self._deadline = deadline
        try:
            self._send((max(0.0, deadline - time.monotonic()), job))
            while True:
                kind, content = self._receive()
                if kind == _DONE:
                    return content
                if kind == _ASK:
                    self._send(self._served(serve, content))
                elif kind == _REFUSED:
                    raise _refusal(content)
                elif kind == _BROKEN:
                    log.error("a job failed in a child: %s", content)
                    raise InternalError
                else:
                    raise _ChildGone
        finally:
            self._deadline = None

    def _served(self, serve: Ask, content: Any) -> NDArray[np.float32]:
        try:
            name, arrays = content
            return serve(str(name), tuple(np.asarray(array, dtype=np.float32) for array in arrays))
        except (TypeError, ValueError, KeyError, RuntimeError) as exc:
            log.exception("a child asked what no network answers")
            raise _ChildGone from exc

    def _send(self, message: object) -> None:
        try:
            self._connection.send(message)
        except OSError as exc:
            raise _ChildGone from exc

    def _receive(self) -> tuple[Any, Any]:
        try:
            kind, content = _Reader(self._connection.recv_bytes(_MOST_BYTES), self._known).load()
        except (EOFError, OSError, pickle.UnpicklingError, TypeError, ValueError, AttributeError) as exc:
            raise _ChildGone from exc
        return kind, content

    def is_alive(self) -> bool:
        return bool(self._process.is_alive())

    def kill_if_overdue(self, now: float) -> None:
        deadline = self._deadline
        if deadline is not None and now > deadline:
            self.overdue = True
            self._process.kill()

    def end(self) -> None:
        """Ends the process and frees what the parent holds of it. Called again, does nothing."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
            self._connection.close()
            self._process.kill()
            self._process.join()
            self._process.close()


def _refusal(content: Any) -> QrestoreError:
    name, detail = content
    kind = getattr(errors, str(name), None)
    if isinstance(kind, type) and issubclass(kind, QrestoreError):
        error = kind.__new__(kind)
        QrestoreError.__init__(error, str(detail))
        return error
    raise _ChildGone


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
        self._known = _names(known)
        self._on_restart = on_restart
        self._lock = threading.Lock()
        self._free: list[_Child | None] = [None] * size
        self._children: set[_Child] = set()
        self._closed = threading.Event()
        self._watch = threading.Thread(target=self._kill_overdue, name="crew-watch", daemon=True)
        self._watch.start()
        self.healthy = True
        """Whether the last child that was started came to work."""
        try:
            for place in range(size):
                self._free[place] = self._start()
        except WorkerCrashed:
            self.close()
            raise

    def run(self, job: Any, deadline: float) -> Any:
        """The job's result, by ``deadline`` (`time.monotonic`).

        Raises what the job raised on purpose; ProcessingTimeout when the deadline passed, the child being dead by then;
        WorkerCrashed when the child died of the job and a second one too; InternalError for anything else.
        """
        for _ in range(_TRIES):
            if time.monotonic() >= deadline:
                raise ProcessingTimeout
            child = self._take()
            try:
                result = child.run(job, deadline, self._serve)
            except _ChildGone:
                if self._closed.is_set():
                    break
                overdue = child.overdue
                self._replace(child, Restart.TIMEOUT if overdue else Restart.CRASH)
                if overdue:
                    raise ProcessingTimeout from None
            except InternalError:
                self._replace(child, Restart.CRASH)
                raise
            except QrestoreError:
                self._give_back(child)
                raise
            else:
                self._give_back(child)
                return result
        raise WorkerCrashed

    def pids(self) -> list[int]:
        """Process ids of the children that are there now."""
        with self._lock:
            return [child.pid for child in self._children]

    def memory(self) -> int:
        """Resident bytes of all children; pages that they share count in each."""
        return sum(resident_memory(pid) for pid in self.pids())

    def close(self) -> None:
        """Ends every child. Jobs that still run fail."""
        self._closed.set()
        self._watch.join()
        with self._lock:
            children, self._children = list(self._children), set()
        for child in children:
            child.end()

    def _start(self) -> _Child:
        """A new child at work. Raises WorkerCrashed, and the crew is not healthy until a later one does start."""
        try:
            child = _Child(self._context, self._factory, self._bounds, self._known)
            with self._lock:
                self._children.add(child)
            try:
                child.await_start()
            except _ChildGone:
                self._discard(child)
                raise
        except (OSError, EOFError, _ChildGone) as exc:
            self.healthy = False
            raise WorkerCrashed from exc
        self.healthy = True
        return child

    def _take(self) -> _Child:
        """A living child: the one that worked last, whose caches are warm. Raises WorkerCrashed."""
        with self._lock:
            child = self._free.pop()
        try:
            if child is not None and not child.is_alive():
                self._discard(child)
                self._on_restart(Restart.CRASH)
                child = None
            return child or self._start()
        except BaseException:
            with self._lock:
                self._free.insert(0, None)
            raise

    def _give_back(self, child: _Child) -> None:
        if child.jobs >= self._bounds.tasks:
            self._replace(child, Restart.RECYCLED)
            return
        with self._lock:
            self._free.append(child)

    def _replace(self, child: _Child, why: Restart) -> None:
        """Ends a child; the next job that finds its place empty starts another."""
        self._discard(child)
        with self._lock:
            self._free.insert(0, None)
        self._on_restart(why)

    def _discard(self, child: _Child) -> None:
        with self._lock:
            self._children.discard(child)
        child.end()

    def _kill_overdue(self) -> None:
        while not self._closed.wait(_WATCH_SECONDS):
            now = time.monotonic()
            with self._lock:
                for child in self._children:
                    child.kill_if_overdue(now)


def child_freedoms() -> list[str]:
    """What children may do here and should not, by `confining.freedoms`. Raises WorkerCrashed where none starts."""
    crew = Crew(_telling_freedoms, _no_networks, size=1, bounds=Bounds())
    try:
        told: list[str] = crew.run(None, time.monotonic() + _START_SECONDS)
    finally:
        crew.close()
    return told


def _telling_freedoms(_: Ask) -> Handler:
    return lambda _: freedoms()


def _no_networks(name: str, _: Arrays) -> NDArray[np.float32]:
    raise KeyError(name)
