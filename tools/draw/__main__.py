"""Draws the dashboard from a run of the real service under load, with the series of a real Prometheus.

python -m tools.draw --out docs/dashboard.png
"""

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.pipeline.files.png import encode_png
from tests.support.live.servers import Server, running
from tests.support.monitoring import files, promql
from tests.support.monitoring.stack import (
    Call,
    Load,
    Prometheus,
    burst,
    mixture,
    prometheus,
    upload,
    wait_until_ready,
    write_keys,
)
from tools.draw.panels import Line, draw
from training.measure.sets import SETS, VALIDATION, samples

WINDOW: Final = 10
"""Seconds that each rate covers."""
STEP: Final = 1.0
PATHS: Final = ("/decode", "/restore?network=lenet", "/decode", "/restore", "/restore?network=eg-restormer-small")
"""The paths of the calls, in turn; with a network in the query its score is recorded."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.draw", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    parser.add_argument("--seconds", type=int, default=90, help="length of the load (default 90)")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        keys = write_keys(Path(folder))
        with running(workers=2, queue=8, tasks_per_worker=60, api_keys_file=keys) as server:
            address = f"127.0.0.1:{server.port}"
            wait_until_ready(address)
            with prometheus(Path(folder), address) as asked:
                began = time.time()
                put_under_load(server, address, seconds=options.seconds)
                figure = draw(files.dashboard()["panels"], Run(asked, address, began).lines)
    titles = "; ".join(panel["title"] for panel in files.panels())
    figure.savefig(options.out, dpi=80, metadata={"Description": titles, "Software": None})


def put_under_load(server: Server, address: str, *, seconds: int) -> None:
    """Sends a mixture of calls all the time; halfway it sends a burst that overflows the queue and kills a child."""
    calls = [*pictures(), *mixture()]
    with Load(address, calls, clients=2):
        time.sleep(seconds / 2)
        burst(address, calls[0], 24)
        kill_a_child(server)
        time.sleep(seconds / 2)


def pictures() -> list[Call]:
    """Uploads of degraded codes from every synthetic set."""
    found = []
    for name in SETS:
        for sample in samples(name, start=VALIDATION, count=4):
            found.append(upload(PATHS[len(found) % len(PATHS)], encode_png(sample.image)))
    return found


def kill_a_child(server: Server) -> None:
    """Kills a child that reads pictures."""
    os.kill(server.workers()[0], signal.SIGKILL)


class Run:
    """The series that Prometheus holds of a run that started at `began` and ends now."""

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
