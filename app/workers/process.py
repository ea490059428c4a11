"""One child process: the whole of its life, and the parent's end of it.

A child is believed nothing: what it sends is unpickled by a reader that knows a few names only, and its clock is the
parent's.
"""

import contextlib
import io
import logging
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app import errors
from app.errors import InternalError, QrestoreError
from app.workers.sandbox import confine

log = logging.getLogger("qrestore.isolation")

Arrays = tuple[NDArray[np.float32], ...]
Ask = Callable[[str, Arrays], NDArray[np.float32]]
"""Runs the named network on its inputs."""
Handler = Callable[[Any], Any]
Factory = Callable[[Ask], Handler]
"""Called once in a child, with a way to ask the parent; gives what does the jobs. Must be picklable."""

START_SECONDS: Final = 20.0
"""Longest that a child may take until it comes to work."""
_READY, _BEGUN, _ASK, _DONE, _REFUSED, _BROKEN = "ready", "begun", "ask", "done", "refused", "broken"
_MOST_BYTES: Final = 1 << 29  # of one message from a child
_LAST_WORDS: Final = 2.0  # seconds after its deadline at which a child ends itself, should the parent be gone


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may use: address space on top of what it starts with, jobs in its life, threads of OpenCV."""

    memory_bytes: int = 2 << 30
    tasks: int = 1000
    threads: int = 1


class ChildGone(Exception):
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


def names(known: Iterable[Any]) -> dict[tuple[str, str], Any]:
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
            connection.send((_BEGUN, None))
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


class Child:
    """The parent's end of one child. Used by one thread at a time; only ``kill_if_overdue`` may come from another."""

    def __init__(self, context: Any, factory: Factory, bounds: Bounds, known: dict[tuple[str, str], Any]) -> None:
        self._known = known
        self._ending, self._ended = threading.Lock(), False
        self.jobs = 0
        self.begun = self.overdue = False
        """Whether the last job reached the child, and whether the child was killed for being late."""
        self._deadline: float | None = time.monotonic() + START_SECONDS
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, factory, bounds), name="qrestore-worker")
        try:
            self._process.start()
        finally:
            theirs.close()
        self.pid = int(self._process.pid)

    def await_start(self) -> None:
        """Returns when the factory has done its work. Raises ChildGone."""
        try:
            if self._receive()[0] != _READY:
                raise ChildGone
        finally:
            self._deadline = None

    def run(self, job: Any, deadline: float, serve: Ask) -> Any:
        """The job's result. Raises what the job raised, InternalError for what it should not have, ChildGone."""
        self.jobs += 1
        self.begun = False
        self._deadline = deadline
        try:
            self._send((max(0.0, deadline - time.monotonic()), job))
            while True:
                kind, content = self._receive()
                if kind == _DONE:
                    return content
                if kind == _BEGUN:
                    self.begun = True
                    continue
                if kind == _ASK:
                    self._send(self._served(serve, content))
                elif kind == _REFUSED:
                    raise _refusal(content)
                elif kind == _BROKEN:
                    log.error("a job failed in a child: %s", content)
                    raise InternalError
                else:
                    raise ChildGone
        finally:
            self._deadline = None

    def _served(self, serve: Ask, content: Any) -> NDArray[np.float32]:
        try:
            name, arrays = content
            return serve(str(name), tuple(np.asarray(array, dtype=np.float32) for array in arrays))
        except Exception as exc:
            log.exception("a child asked what no network answers")
            raise ChildGone from exc

    def _send(self, message: object) -> None:
        try:
            self._connection.send(message)
        except OSError as exc:
            raise ChildGone from exc

    def _receive(self) -> tuple[Any, Any]:
        try:
            kind, content = _Reader(self._connection.recv_bytes(_MOST_BYTES), self._known).load()
        except (EOFError, OSError, pickle.UnpicklingError, TypeError, ValueError, AttributeError) as exc:
            raise ChildGone from exc
        return kind, content

    def is_alive(self) -> bool:
        return bool(self._process.is_alive())

    def kill_if_overdue(self, now: float) -> None:
        deadline = self._deadline
        if deadline is not None and now > deadline:
            self.overdue = True
            with contextlib.suppress(ValueError):  # it was ended in this moment
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
    raise ChildGone
