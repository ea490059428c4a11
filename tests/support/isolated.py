"""What children do in tests: jobs are tuples whose first word says what becomes of the process."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import InvalidImage
from app.pipeline.inference.severity import Route
from app.workers.process import Handler, Infer


class Stranger:
    """A class that no parent was told of."""


def factory(infer: Infer) -> Handler:
    """Does what the job says."""

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
            case "spin":  # native hangs do not look at signals that Python handles
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
            case "run":
                return _refused(lambda: subprocess.run(["/bin/true"], check=True))
        return None

    return handle


def _refused(act: Any) -> str:
    """The name of the error that the system answered; "done" if it let it happen."""
    try:
        act()
    except OSError as exc:
        return type(exc).__name__
    return "done"


def unless(hindrance: Path, infer: Infer) -> Handler:
    """As `factory`, and never comes to work while this file is there."""
    if hindrance.exists():
        os._exit(3)
    return factory(infer)


def stillborn(_: Infer) -> Handler:
    """Never comes to work."""
    os._exit(3)
