"""A Ray cluster of several nodes on this machine: `ray start` for each, as on machines of their own."""

import contextlib
import importlib.util
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.live.servers import children_of
from tests.support.paths import ROOT
from tests.support.ports import lasting_port

MISSING: Final = importlib.util.find_spec("ray") is None
_STORE_BYTES: Final = 200_000_000
_START_SECONDS: Final = 300
_JOINED: Final = "Ray runtime started."
_POLL_SECONDS: Final = 0.05
_HAPROXY: Final = "RAY_SERVE_HAPROXY_BINARY_PATH"
OWN: Final = frozenset({"RAY_AUTH_MODE", _HAPROXY})
"""Variables of docker/ray/environment that every cluster here has."""
_PLACES: Final = {
    "CONFIG_FILE_LOC": "haproxy.cfg",
    "SOCKET_PATH": "admin.sock",
    "METRICS_SOCKET_PATH": "metrics.sock",
    "SERVER_STATE_BASE": "",
    "SERVER_STATE_FILE": "server-state",
}
"""Where HAProxy's files are: by default they are those of all clusters of a machine."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node: the process of its `ray start`, from which all others of it descend."""

    process: subprocess.Popen[bytes]
    metrics_port: int

    def pids(self) -> list[int]:
        """Every process of the node, children last."""
        found = [self.process.pid]
        for pid in found:
            found += children_of(pid)
        return found

    def kill(self) -> None:
        """Ends every process of the node at once, as a power cut does."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@dataclass(slots=True)
class Cluster:
    """A cluster at ``address``; ``environment`` is that of whoever connects. `nodes[0]` is the head."""

    address: str
    environment: dict[str, str]
    folder: Path
    nodes: list[Node] = field(default_factory=list)

    def add(self, *arguments: str) -> Node:
        """Starts a node, the head if it is the first; returns when it has joined. Raises RuntimeError with its log."""
        number, port = len(self.nodes), lasting_port()
        port_of_head = self.address.rpartition(":")[2]
        head = (f"--port={port_of_head}", f"--temp-dir={self.folder}", f"--ray-client-server-port={lasting_port()}")
        place = ("--head", "--include-dashboard=false", *head) if number == 0 else (f"--address={self.address}",)
        ports = (f"--dashboard-agent-listen-port={lasting_port()}", f"--metrics-export-port={port}")
        fixed = (f"--object-store-memory={_STORE_BYTES}", "--disable-usage-stats", "--block")
        log = self.folder / f"node-{number}.log"
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *place, *ports, *fixed, *arguments]
        with log.open("wb") as stream:
            process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=stream, stderr=stream)
        node = Node(process, port)
        self.nodes.append(node)
        until = time.monotonic() + _START_SECONDS
        while _JOINED not in (text := log.read_text(errors="replace")):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the node does not start:\n{text}")
            time.sleep(_POLL_SECONDS)
        return node


def environment_with(variables: Mapping[str, object]) -> dict[str, str]:
    """That of this process, with these variables."""
    return os.environ | {name: str(value) for name, value in variables.items()}


def _haproxy(folder: Path) -> Path:
    """`qrestore-haproxy` of this source tree."""
    command = folder / "qrestore-haproxy"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m app.cluster.haproxy "$@"\n')
    command.chmod(0o700)
    return command


@contextlib.contextmanager
def cluster(nodes: int = 2, *arguments: str, variables: Mapping[str, object] = {}) -> Iterator[Cluster]:
    """A cluster of so many nodes of one processor each, inside the block. ``variables`` are set in its processes."""
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # sockets' paths must be short
        address = f"127.0.0.1:{lasting_port()}"
        own: dict[str, object] = {
            "HOME": folder,
            "OMP_NUM_THREADS": "1",
            "RAY_ADDRESS": address,
            "RAY_AUTH_MODE": "token",  # the node listens on every interface
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_agent_register_timeout_ms": "120000",
            _HAPROXY: _haproxy(Path(folder)),
            "RAY_SERVE_HAPROXY_METRICS_PORT": lasting_port(),
            "RAY_SERVE_HAPROXY_STATS_PORT": lasting_port(),
        }
        own |= {f"RAY_SERVE_HAPROXY_{name}": f"{folder}/{place}" for name, place in _PLACES.items()}
        environment = environment_with(own | {"PYTHONPATH": ROOT} | dict(variables))
        made = Cluster(address, environment, Path(folder))
        try:
            for _ in range(nodes):
                made.add("--num-cpus=1", *arguments)
            yield made
        finally:
            for node in reversed(made.nodes):
                node.kill()
