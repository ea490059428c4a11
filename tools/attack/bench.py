"""A service to attack, and the health that it shows meanwhile."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.support.live.servers import Server, running
from tests.support.paths import ROOT
from tests.support.waiting import wait_for
from tools.attack.figures import percentile
from tools.attack.watched import MARK

KEY: Final = "a-key-of-the-attacked-service"
WATCHED: Final = ("-m", "tools.attack.watched")


@contextmanager
def service(*arguments: str, **settings: object) -> Iterator[Server]:
    """A running service under these settings; ``arguments`` are those of `tools.attack.watched`."""
    with running(*arguments, entry=WATCHED, **{"workers": 2} | settings) as server:
        yield server


def operators_of(server: Server) -> Server:
    """The admin port of a service that has one. Sees to it that ``server`` is the public one."""
    found = re.findall(r"http://127\.0\.0\.1:(\d+)", server.log_text())
    views = [Server(server.process, int(port), server.log) for port in dict.fromkeys(found)]
    (operators,) = (view for view in views if view.get("/metrics").status == 200)
    (server.port,) = (view.port for view in views if view is not operators)
    return operators


@dataclass(slots=True)
class Health:
    """How /livez answered while it was asked every 20 ms: milliseconds of each answer, and how many answers lacked."""

    milliseconds: list[float]
    lacking: int = 0

    def p(self, share: float) -> float:
        return percentile(self.milliseconds + [float("inf")] * self.lacking, share)

    def words(self) -> str:
        return f"p50 {self.p(0.5):.1f}, p99 {self.p(0.99):.1f}, max {self.p(1):.1f} ms of {len(self.milliseconds)}"


@contextmanager
def probed(port: int) -> Iterator[Health]:
    """Asks for health from a process of its own inside the block; the answers are there when it ends."""
    health = Health([])
    command = [sys.executable, "-m", "tools.load.prober", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as prober:
        try:
            yield health
        finally:
            answers = json.loads(prober.communicate()[0])
            health.milliseconds = [each for each in answers if each is not None]
            health.lacking = sum(each is None for each in answers)


@dataclass(frozen=True, slots=True)
class Loop:
    """What the event loop did, in milliseconds of its thread's processor time."""

    longest: float
    callback: str
    answers: list[float]
    """For each answer to /livez, what the loop did from the connection to the end of the answer."""

    def p99(self) -> float:
        return percentile(self.answers, 0.99)


def watched(server: Server) -> Loop:
    """What the event loop has done since the last call."""
    before = sum(MARK in line for line in server.log)
    server.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: sum(MARK in line for line in server.log) > before)
    report = json.loads(next(line for line in reversed(server.log) if MARK in line))
    return Loop(1000 * report[MARK], report["callback"], [1000 * each for each in report["answers"]])
