"""The service on Ray Serve as docker/ray/serve.yml says, on a cluster of this machine."""

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import Any, Final

import yaml

from tests.support.live.ray_cluster import OWN, Cluster
from tests.support.live.servers import Server, children_of, title_of
from tests.support.paths import ROOT
from tests.support.ports import lasting_port

SHIPPED: Final = ROOT / "docker/ray/serve.yml"
ENVIRONMENT: Final = ROOT / "docker/ray/environment"
PROXY: Final = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "app.cluster.proxy.middlewares"}
"""What must be in the environment of `ray start` where Ray's own proxy is used."""
_START_SECONDS: Final = 240.0
_STOP_SECONDS: Final = 90.0
_REPLICA: Final = "ray::ServeReplica:qrestore"


def shipped_variables() -> dict[str, str]:
    """What docker/ray/environment sets, but for what every cluster of the tests has."""
    lines = [line for line in ENVIRONMENT.read_text().splitlines() if line and not line.startswith("#")]
    pairs = (line.partition("=") for line in lines)
    named = {name: shlex.split(value, comments=True)[0] for name, _, value in pairs}
    return {name: value for name, value in named.items() if name not in OWN}


def adapted(port: int, application: Mapping[str, object] = {}, **arguments: object) -> dict[str, Any]:
    """The shipped configuration on a port of this machine, with other members and other arguments of the
    application."""
    config: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
    config["http_options"] |= {"host": "127.0.0.1", "port": port}
    config["proxy_location"] = "HeadOnly"  # one machine has one such port
    (only,) = config["applications"]
    only |= application
    only["args"] |= arguments
    return config


@contextmanager
def served(cluster: Cluster, application: Mapping[str, object] = {}, **arguments: object) -> Iterator[Server]:
    """Runs the service inside the block; it is ready when the block begins. Raises AssertionError if it does not start.

    ``application`` are members of it in the configuration, ``arguments`` its own arguments.
    """
    port = lasting_port()
    config = cluster.folder / "serve.yml"
    config.write_text(yaml.safe_dump(adapted(port, application, **arguments)))
    command = [sys.executable, "-m", "ray.serve.scripts", "run", str(config), "--address", cluster.address]
    process = subprocess.Popen(
        command, cwd=ROOT, env=cluster.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    server = Server(process, port)
    reader = threading.Thread(target=_follow, args=(server,), daemon=True)
    reader.start()
    try:
        server.wait_until(lambda: process.poll() is not None or _is_ready(server), _START_SECONDS)
        assert process.poll() is None, server.log_text()
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        process.kill()
        process.wait()
        reader.join(_STOP_SECONDS)


def _follow(server: Server) -> None:
    assert server.process.stderr is not None
    with server.process.stderr as stream:
        for line in stream:
            server.log.append(line)


def _is_ready(server: Server) -> bool:
    with suppress(OSError, HTTPException):
        return server.get("/readyz").status == 200
    return False


def replicas(cluster: Cluster) -> list[int]:
    """The processes of the replicas."""
    return [pid for node in cluster.nodes for pid in node.pids() if title_of(pid).startswith(_REPLICA)]


def all_read(one: Cluster) -> bool:
    """Whether every replica has a child that reads."""
    return all(any(map(children_of, children_of(pid))) for pid in replicas(one))


def kill(replica: int) -> None:
    """Ends a replica at once."""
    os.kill(replica, signal.SIGKILL)
