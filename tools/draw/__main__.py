"""Draws the dashboard from a run of the real service under load, as a real Prometheus saw it.

python -m tools.draw.__main__ --out docs/dashboard.png
"""

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.pipeline.files.decoding import encode_png
from tests.support.live.servers import Server, running
from tests.support.monitoring import files, promql
from tests.support.monitoring.stack import Call, Load, Prometheus, burst, mixture, prometheus, upload, wait_until_ready
from tools.draw.panels import Line, draw
from training.measure.sets import SETS, VALIDATION, samples

WINDOW: Final = 10
"""Seconds that a rate is taken over."""
STEP: Final = 1.0
PATHS: Final = ("/decode", "/restore?network=lenet", "/decode", "/restore", "/restore?network=eg-restormer-small")
"""What the pictures are sent to in turn; naming a network has it decide, and its score be taken."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    parser.add_argument("--seconds", type=int, default=90, help="length of the load")
    chosen = parser.parse_args()
    with running(workers=2, queue=8, tasks_per_worker=60) as server, tempfile.TemporaryDirectory() as folder:
        address = f"127.0.0.1:{server.port}"
        wait_until_ready(address)
        with prometheus(Path(folder), address) as asked:
            began = time.time()
            put_under_load(server, address, seconds=chosen.seconds)
            figure = draw(files.dashboard()["panels"], Run(asked, address, began).lines)
    titles = "; ".join(panel["title"] for panel in files.panels())
    figure.savefig(chosen.out, dpi=80, metadata={"Description": titles, "Software": None})


def put_under_load(server: Server, address: str, *, seconds: int) -> None:
    """A mixture for all of the time; halfway more at once than there is room for, then a child that is killed."""
    calls = [*pictures(), *mixture()]
    with Load(address, calls, clients=2):
        time.sleep(seconds / 2)
        burst(address, calls[0], 24)
        kill_a_child(server)
        time.sleep(seconds / 2)


def pictures() -> list[Call]:
    """Degraded codes of every kind that claims are measured on."""
    found = []
    for name in SETS:
        for sample in samples(name, start=VALIDATION, count=4):
            found.append(upload(PATHS[len(found) % len(PATHS)], encode_png(sample.image)))
    return found


def kill_a_child(server: Server) -> None:
    """A worker: what opens pictures is forked by a process of its own, and so is no child of the server itself."""
    workers = [pid for pid in server.children() if parent(pid) != server.pid]
    os.kill(workers[0], signal.SIGKILL)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Run:
    """What Prometheus holds of a run that `began` then and ends now."""

    def __init__(self, asked: Prometheus, address: str, began: float) -> None:
        self._asked = asked
        self._began, self._ended = began, time.time()
        windows = {"__rate_interval": f"{WINDOW}s", "__range": f"{self._ended - began:.0f}s"}
        self._values = windows | {"job": "qrestore", "instance": address}

    def lines(self, panel: Mapping[str, Any]) -> list[Line]:
        return [line for target in panel["targets"] for line in self._of(target)]

    def _of(self, target: Mapping[str, Any]) -> list[Line]:
        expression = promql.substituted(target["expr"], self._values)
        start = self._ended - STEP if target.get("instant") else self._began
        times = np.arange(start, self._ended, STEP)
        found = self._asked.over(expression, start=start, end=float(times[-1]), step=STEP)
        return [self._line(target["legendFormat"], entry, times) for entry in found]

    def _line(self, legend: str, entry: Mapping[str, Any], times: np.ndarray) -> Line:
        values = np.full(len(times), np.nan)
        for at, value in entry["values"]:
            values[round((at - times[0]) / STEP)] = float(value)
        labels = entry["metric"]
        return Line(promql.named(legend, labels), labels, times - self._ended, values)


if __name__ == "__main__":
    main()
