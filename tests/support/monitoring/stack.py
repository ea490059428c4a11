"""A real Prometheus that scrapes a real service under a mixed load, all on the loopback interface."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Final, Self

import cv2
import httpx
import numpy as np
import yaml

from app.pipeline.files.png import encode_png
from tests.support.codes import qr_picture
from tests.support.monitoring.files import CONFIG, PROMETHEUS
from tests.support.paths import ROOT
from tests.support.ports import lasting_port

BINARIES: Final = ("prometheus", "promtool")
MISSING: Final = [name for name in BINARIES if shutil.which(name) is None]
KEY: Final = {"X-API-Key": "known-to-the-monitoring"}
"""What the clients send to a service with the keys of `write_keys`."""
_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 0.2  # after a refusal


@dataclass(frozen=True)
class Prometheus:
    """The HTTP API of a running Prometheus."""

    client: httpx.Client

    def ask(self, path: str, **parameters: str | float) -> Any:
        """The `data` of an answer. Raises RuntimeError with Prometheus' own words where it refuses."""
        answer = self.client.get(f"/api/v1/{path}", params=parameters).json()
        if answer["status"] != "success":
            raise RuntimeError(answer["error"])
        return answer["data"]

    def now(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The labels and the value of every series that the expression gives at this moment, NaN left out."""
        data = self.ask("query", query=expression)
        series = (
            [({}, data["result"])]
            if data["resultType"] == "scalar"
            else [(entry["metric"], entry["value"]) for entry in data["result"]]
        )
        return [(labels, float(value)) for labels, (_, value) in series if value != "NaN"]

    def over(self, expression: str, *, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Every series over a period."""
        found: list[dict[str, Any]] = self.ask("query_range", query=expression, start=start, end=end, step=step)[
            "result"
        ]
        return found


def derived_config(targets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The deployed configuration, but scraping these targets every second."""
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / pattern) for pattern in config["rule_files"]]
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": list(targets[job["job_name"]])}]
    return config


@contextmanager
def prometheus(folder: Path, *services: str) -> Iterator[Prometheus]:
    """A Prometheus that keeps its data in `folder`; `services` are the addresses of the service's replicas.

    Raises RuntimeError with its log where it does not start.
    """
    own = f"127.0.0.1:{lasting_port()}"
    config, log = folder / "prometheus.yml", folder / "prometheus.log"
    config.write_text(yaml.safe_dump(derived_config({"qrestore": services, "prometheus": [own]})))
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, f"--web.listen-address={own}"], cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        with httpx.Client(base_url=f"http://{own}", timeout=10) as client:
            if not _answers(client, "/-/ready", lambda: process.poll() is None):
                raise RuntimeError(f"Prometheus does not start:\n{log.read_text()}")
            yield Prometheus(client)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)


def write_keys(folder: Path) -> Path:
    """A file of API keys, of which the clients have one."""
    file = folder / "keys"
    file.write_text(f"warehouse: {KEY['X-API-Key']}\nreturns: known-to-nobody-else\n")
    return file


def wait_until_ready(address: str) -> None:
    """Raises RuntimeError where the service at this address does not become ready."""
    with httpx.Client(base_url=f"http://{address}", timeout=10) as client:
        if not _answers(client, "/readyz"):
            raise RuntimeError("the service does not become ready")


def _answers(client: httpx.Client, path: str, alive: Callable[[], bool] = lambda: True) -> bool:
    """Whether 200 comes in time."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and alive():
        try:
            if client.get(path).status_code == 200:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    return False


@dataclass(frozen=True)
class Call:
    """One request of the load."""

    path: str
    files: dict[str, tuple[str, bytes]] | None


def upload(path: str, data: bytes) -> Call:
    return Call(path, {"file": ("picture", data)})


def mixture() -> list[Call]:
    """Uploads of good, blurred, codeless and bad files, and restorations by each network."""
    clean = encode_png(qr_picture("https://example.org/monitoring"))
    label = (ROOT / "docs/label.jpg").read_bytes()
    blurred = encode_png(np.asarray(cv2.GaussianBlur(qr_picture("blurred", scale=8), (0, 0), 9), np.uint8))
    nothing = encode_png(np.full((48, 64), 255, np.uint8))
    return [
        upload("/decode", clean),
        upload("/decode", label),
        upload("/decode", clean),
        upload("/decode", nothing),
        upload("/restore?network=lenet", label),
        upload("/decode", clean),
        upload("/decode", b"plain text in a file named .png"),
        upload("/decode", clean[: len(clean) // 2]),
        upload("/restore", blurred),
        upload("/restore?network=eg-restormer-small", label),
        upload("/restore?scale=4&network=srresnet-x4", clean),
        Call("/decode", None),
        Call("/no-such-path", None),
    ]


class Load:
    """Clients that send the calls over and over inside a ``with`` block, each starting elsewhere in them."""

    def __init__(self, address: str, calls: Sequence[Call], *, clients: int) -> None:
        self._address = address
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=([*calls[index:], *calls[:index]],), daemon=True)
            for index in range(0, len(calls), -(-len(calls) // clients))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(_STOP_SECONDS)

    def _send(self, calls: Sequence[Call]) -> None:
        with httpx.Client(base_url=f"http://{self._address}", timeout=60, headers=KEY) as client:
            for call in cycle(calls):
                if self._stopping.is_set():
                    return
                if self._status(client, call) in {0, 429, 503}:
                    self._stopping.wait(_PAUSE_SECONDS)

    @staticmethod
    def _status(client: httpx.Client, call: Call) -> int:
        """0 where there is no answer."""
        try:
            return client.post(call.path, files=call.files).status_code
        except httpx.TransportError:
            return 0


def burst(address: str, call: Call, count: int) -> list[int]:
    """The statuses of ``count`` requests that are sent at the same moment."""
    start = threading.Barrier(count)
    statuses: list[int] = []

    def send() -> None:
        with httpx.Client(base_url=f"http://{address}", timeout=60, headers=KEY) as client:
            start.wait(10)
            statuses.append(client.post(call.path, files=call.files).status_code)

    threads = [threading.Thread(target=send) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(70)
    return statuses
