"""One child process: its whole life, and the parent's end of it.

The parent trusts nothing that a child sends: messages are unpickled by a reader that builds only the classes it was
given, and only the parent's clock decides whether a child is late.
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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import EnumType
from functools import partial
from math import inf
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app import errors
from app.errors import InternalError, QrestoreError
from app.workers.sandbox import confine
from app.workers.usage import processor_seconds
from app.workers.worker import Progress

log = logging.getLogger("qrestore.isolation")

Arrays = tuple[NDArray[np.float32], ...]
Infer = Callable[[str, Arrays], NDArray[np.float32]]
"""Runs the named network on its inputs."""
Handler = Callable[[Any], Any]
"""Does a job and returns its result."""
Factory = Callable[[Infer], Handler]
"""Called once in a child, with a function that has the parent run a network. Must be picklable."""

START_SECONDS: Final = 20.0
"""Longest time that a child may take to start."""
_READY, _BEGUN, _INFER, _DONE, _REFUSED, _BROKEN = "ready", "begun", "infer", "done", "refused", "broken"
_SPENT = "spent"  # sent before the answer by a child whose job left threads behind: it does no other job
_MAX_MESSAGE_BYTES: Final = 1 << 29  # from a child
_GRACE_SECONDS: Final = 2.0  # after its deadline a child kills itself: the parent may be gone


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child process may use: bytes of address space on top of what it starts with, jobs until it is replaced,
    and files and folders that it reads besides Python's and the system's libraries."""

    memory_bytes: int = 896 << 20
    jobs: int = 1000
    readable: tuple[Path, ...] = ()


class ChildGone(Exception):
    """The child process has ended, or sent something that no child sends."""


class _RestrictedUnpickler(pickle.Unpickler):
    """Builds numbers, texts, bytes, containers, arrays and the classes in ``known``; refuses everything else."""

    def __init__(self, message: bytes, known: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(io.BytesIO(message))
        self._known = known

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return self._member
        try:
            return self._known[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not known") from None

    def _member(self, owner: Any, name: Any) -> Any:
        """A member of a known enumeration: early releases of Python 3.11, as that of Debian 12, pickle one as an
        attribute of its class."""
        is_known = isinstance(owner, EnumType) and any(owner is one for one in self._known.values())
        if is_known and isinstance(name, str) and name in owner.__members__:
            return owner[name]
        raise pickle.UnpicklingError("an attribute is not known")


def _array_constructors() -> list[Any]:
    """The functions that pickled numpy arrays and scalars name. Their modules differ between numpy's versions."""
    contiguous, strided = np.zeros((2, 2), np.uint8), np.zeros((4, 4), np.uint8)[::2, ::2]
    reduced = [contiguous.__reduce_ex__(5), strided.__reduce__(), np.float64(0).__reduce__()]
    return [*(each[0] for each in reduced if not isinstance(each, str)), np.ndarray, np.dtype]


def by_pickled_name(classes: Iterable[Any]) -> dict[tuple[str, str], Any]:
    """What a child process may send: these classes and those of arrays, by the module and the name under which they are
    pickled."""
    return {(each.__module__, each.__qualname__): each for each in (*classes, *_array_constructors())}


def _run_child(connection: Connection, factory: Factory, limits: Limits) -> None:
    """Everything that a child does, until the parent closes the connection."""

    def infer(name: str, arrays: Arrays) -> NDArray[np.float32]:
        connection.send((_INFER, (name, arrays)))
        return np.asarray(connection.recv(), dtype=np.float32)

    handle = confine(memory_bytes=limits.memory_bytes, prepare=partial(factory, infer), readable=limits.readable)
    connection.send((_READY, None))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent has gone
        while True:
            seconds, job = connection.recv()
            connection.send((_BEGUN, None))
            signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)
            answer = _answer(handle, job)
            signal.setitimer(signal.ITIMER_REAL, 0)
            if threading.active_count() > 1:
                connection.send((_SPENT, None))
            connection.send(answer)


def _answer(handle: Handler, job: Any) -> tuple[str, Any]:
    try:
        return _DONE, handle(job)
    except QrestoreError as exc:
        return _REFUSED, (type(exc).__name__, exc.detail)
    except Exception:  # noqa: BLE001 - the parent logs it, answers 500 and replaces this process
        return _BROKEN, traceback.format_exc()


class Child:
    """The parent's end of one child. One thread uses it at a time; only ``kill_if_due`` may come from another."""

    def __init__(self, context: Any, factory: Factory, limits: Limits, known: Mapping[tuple[str, str], Any]) -> None:
        """``context`` is multiprocessing's, ``known`` what `by_pickled_name` returned."""
        self._known = known
        self._ending, self._ended = threading.Lock(), False
        self.jobs = 0
        self.begun = self.spent = False
        """Whether the child has received its latest job, and whether it can do no other one."""
        self.overdue = self.gave_way = False
        """Whether it was killed for being late, or to give way."""
        self._deadline: float | None = time.monotonic() + START_SECONDS
        self._progress: Progress | None = None
        self._network_seconds = 0.0
        self._pace: dict[str, float] = {}
        """Fewest seconds that each network took for one value of its input."""
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_run_child, args=(theirs, factory, limits), name="qrestore-worker")
        try:
            self._process.start()
        finally:
            theirs.close()
        self.pid = int(self._process.pid)

    def await_start(self) -> None:
        """Returns once the factory has returned in the child. Raises ChildGone."""
        try:
            if self._receive()[0] != _READY:
                raise ChildGone
        finally:
            self._deadline = None

    def run(self, job: Any, deadline: float, infer: Infer, progress: Progress) -> Any:
        """The job's result; ``infer`` runs the networks that the child asks for.

        Raises the QrestoreError that the job raised, InternalError for any other exception, and ChildGone.
        """
        self.jobs += 1
        self.begun = False
        self._deadline, self._progress, self._network_seconds = deadline, progress, 0.0
        try:
            self._send((max(0.0, deadline - time.monotonic()), job))
            while True:
                kind, content = self._receive()
                if kind == _DONE:
                    return content
                if kind == _BEGUN:
                    self.begun = True
                    progress.begun = time.monotonic()
                    progress.spent = partial(self._spent_since, processor_seconds(self.pid))
                elif kind == _SPENT:
                    self.spent = True
                elif kind == _INFER:
                    self._send(self._infer(infer, content))
                elif kind == _REFUSED:
                    raise _refusal(content)
                elif kind == _BROKEN:
                    log.error("a job failed in a child: %s", content)
                    raise InternalError
                else:
                    raise ChildGone
        finally:
            self._deadline = self._progress = None

    def _infer(self, infer: Infer, content: Any) -> NDArray[np.float32]:
        began = time.monotonic()
        try:
            name, arrays = str(content[0]), tuple(np.asarray(array, dtype=np.float32) for array in content[1])
            values = sum(array.size for array in arrays)
        except Exception as exc:
            log.exception("a child asked what no network answers")
            raise ChildGone from exc
        if self._deadline is not None and began + values * self._pace.get(name, 0.0) > self._deadline:
            self.overdue = True  # no network can be stopped: the child would be late by all of this run
            raise ChildGone
        try:
            return infer(name, arrays)
        except Exception as exc:
            log.exception("a child asked what no network answers")
            raise ChildGone from exc
        finally:
            spent = time.monotonic() - began
            self._network_seconds += spent
            self._pace[name] = min(spent / max(values, 1), self._pace.get(name, inf))

    def _spent_since(self, before: float) -> float:
        """Seconds that the child has spent on its job, which began when its processor time was ``before``.

        Once the child is gone, only those of its networks: its own processor time is no longer known.
        """
        return max(0.0, processor_seconds(self.pid) - before) + self._network_seconds

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        """Turns what the end of the pipe raises into ChildGone; TypeError, too, where `end` closes it just then."""
        try:
            yield
        except (EOFError, OSError) as exc:
            raise ChildGone from exc
        except TypeError as exc:
            if not self._ended:
                raise
            raise ChildGone from exc

    def _send(self, message: object) -> None:
        with self._talking():
            self._connection.send(message)

    def _receive(self) -> tuple[Any, Any]:
        with self._talking():
            message = self._connection.recv_bytes(_MAX_MESSAGE_BYTES)
            try:
                kind, content = _RestrictedUnpickler(message, self._known).load()
            except (pickle.UnpicklingError, TypeError, ValueError, AttributeError) as exc:
                log.exception("a child process sent what no child sends")
                raise ChildGone from exc
        return kind, content

    def is_alive(self) -> bool:
        return bool(self._process.is_alive())

    def kill_if_due(self, now: float) -> None:
        """Kills the child if it is late or has to give way."""
        deadline, progress = self._deadline, self._progress
        if deadline is not None and now > deadline:
            self.overdue = True
        elif progress is not None and progress.give_way.is_set():
            self.gave_way = True
        if self.overdue or self.gave_way:
            with contextlib.suppress(ValueError):  # it was ended in this moment
                self._process.kill()

    def end(self) -> None:
        """Kills the process and frees what the parent holds of it. May be called again."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
            self._connection.close()
            self._process.kill()
            self._process.join()
            self._process.close()


def _refusal(content: Any) -> QrestoreError:
    """The error that a child names by its class and its detail. Raises ChildGone where there is no such class."""
    name, detail = content
    kind = getattr(errors, str(name), None)
    if isinstance(kind, type) and issubclass(kind, QrestoreError):
        error = kind.__new__(kind)
        QrestoreError.__init__(error, str(detail))
        return error
    raise ChildGone


def start_fork_server(preload: Sequence[str]) -> None:
    """Starts the fork server of child processes, which imports these modules while the caller goes on."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", *preload])
    forkserver.ensure_running()
