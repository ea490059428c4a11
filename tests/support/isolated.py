"""Handlers for the children of a pool. A job is a pair of a verb and its argument."""

import os
import queue
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import InvalidImage
from app.pipeline.inference.severity import Route
from app.workers.process import Handler, Infer


class Stranger:
    """A class that the parent does not allow in answers."""


def factory(infer: Infer) -> Handler:
    """A handler that does what the verb says."""

    def handle(job: tuple[str, Any]) -> Any:
        word, content = job
        match word:
            case "echo":
                return content
            case "route":
                return Route(laplacian_variance=1.5, threshold=2.0, network=str(content))
            case "pid":
                return os.getpid()
            case "ask":
                name, array = content
                return infer(name, (array,))
            case "refuse":
                raise InvalidImage(content)
            case "fail":
                raise ZeroDivisionError(content)
            case "sleep":
                time.sleep(content)
            case "leave":  # work that goes on when the answer is there
                threading.Thread(target=time.sleep, args=(content,), daemon=True).start()
            case "spin":  # a native hang ignores signals that Python would handle
                signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
                while True:
                    pass
            case "die":
                os.kill(os.getpid(), content)
            case "allocate":
                return len(np.ones(content, np.uint8))
            case "stranger":
                return Stranger()
            case "write":
                return _refused(lambda: Path(content).write_bytes(b"x"))
            case "connect":
                return _refused(socket.socket)
            case "read":
                return _refused(Path(content).read_bytes)
            case "run":
                return _refused(lambda: subprocess.run(["/bin/true"], check=True))
        return None

    return handle


def _refused(act: Any) -> str:
    """The name of the error that the system raises, or "done" if it allows the act."""
    try:
        act()
    except OSError as exc:
        return type(exc).__name__
    return "done"


def unless(file: Path, infer: Infer) -> Handler:
    """As `factory`, but the child ends at once while the file exists."""
    if file.exists():
        os._exit(3)
    return factory(infer)


def laden(infer: Infer) -> Handler:
    """As `factory`, but the child holds 512 MiB before its first job, and a thread of its own does the jobs."""
    held, jobs, answers = np.ones(512 << 20, np.uint8), queue.SimpleQueue[Any](), queue.SimpleQueue[Any]()

    def work(handle: Handler) -> None:
        while held.size:
            answers.put(handle(jobs.get()))

    threading.Thread(target=work, args=(factory(infer),), daemon=True).start()

    def handle(job: tuple[str, Any]) -> Any:
        jobs.put(job)
        return answers.get()

    return handle


def stillborn(_: Infer) -> Handler:
    """Ends the child before its first job."""
    os._exit(3)
