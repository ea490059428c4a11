"""`python -m tools.load.ray_scaling` puts the service on Ray Serve under load until a second replica starts, and takes
the load off until it stops.

Every answer must be the service's own: a picture that is read, or 429 with `Retry-After` and a problem document. A
light client goes on throughout, and none of its requests may be lost when the replica goes. Exit status 1 if an answer
is wrong or the replicas do not follow the load; 2 if Ray is not installed.
"""

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Final

from app.workers.usage import resident_memory
from tests.support.live.ray_cluster import MISSING, Cluster, cluster
from tests.support.live.ray_serve import PROXY, all_read, replicas, served, shipped_variables
from tests.support.live.servers import GOOD, GOOD_TEXT, Answer, Server, children_of, upload

SETTINGS: Final = {"workers": 1, "queue": 2, "uploads": 16, "torch_threads": 1}
HARD: Final = upload(GOOD)
"""The picture, searched for further codes."""
EASY: Final = upload(GOOD, query=b"?expect=1")
_LONGEST_SECONDS: Final = 240.0
_LIGHT_PAUSE: Final = 0.5


@dataclass(slots=True)
class Client:
    """Sends one request again and again, from several connections at once, until it is stopped."""

    server: Server
    raw: bytes
    connections: int
    pause: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.connections)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(_LONGEST_SECONDS)

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                answer: Answer | None = self.server.send(self.raw, timeout=_LONGEST_SECONDS)
            except (OSError, HTTPException) as exc:
                answer = None
                self.strange.append(repr(exc))
            self.statuses[str(answer.status) if answer else "none"] += 1
            if answer is not None and (fault := fault_of(answer)):
                self.strange.append(fault)
            self._ended.wait(float(answer.headers["retry-after"]) if answer and answer.status == 429 else self.pause)


def fault_of(answer: Answer) -> str:
    """What is wrong with an answer; empty if it is the picture's text, or the service's own refusal."""
    try:
        if answer.status == 200:
            assert answer.payloads() == [GOOD_TEXT.encode()]
        else:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["type"] == "urn:qrestore:problem:overloaded"
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
            assert int(answer.headers["retry-after"]) >= 1
    except (AssertionError, LookupError, ValueError):
        return repr(answer)
    return ""


def seconds_until(server: Server, condition: Callable[[], bool]) -> float:
    """Seconds until the condition holds. Raises AssertionError if it does not within four minutes."""
    began = time.monotonic()
    server.wait_until(condition, _LONGEST_SECONDS)
    return time.monotonic() - began


def memory(one: Cluster) -> list[float]:
    """Resident megabytes of each replica with its children; pages that they share count in each."""

    def below(pid: int) -> Iterator[int]:
        yield pid
        for child in children_of(pid):
            yield from below(child)

    return [sum(map(resident_memory, below(pid))) / 1e6 for pid in replicas(one)]


def scaled(one: Cluster) -> AbstractContextManager[Server]:
    """The service with one replica, or two under load."""
    scaling = {"min_replicas": 1, "max_replicas": 2, "upscale_seconds": 5, "downscale_seconds": 10}
    return served(one, num_cpus=0.4, settings=SETTINGS, **scaling)


def up_and_down(one: Cluster, server: Server, *, connections: int) -> tuple[list[str], list[str]]:
    """The report, and what was strange. Raises AssertionError if the replicas do not follow the load."""
    assert len(replicas(one)) == 1
    light, heavy = Client(server, EASY, 1, _LIGHT_PAUSE), Client(server, HARD, connections)
    light.start()
    try:
        heavy.start()
        up = seconds_until(server, lambda: len(replicas(one)) == 2)
        ready = seconds_until(server, lambda: all_read(one))
        held = memory(one)
        time.sleep(10)
        heavy.stop()
        down = seconds_until(server, lambda: len(replicas(one)) == 1)
        time.sleep(5)
    finally:
        heavy.stop()
        light.stop()
    report = [
        f"{connections} clients: a second replica is started after {up:.0f} s, and works {ready:.0f} s later",
        f"replicas with their children: {', '.join(f'{each:.0f}' for each in held)} MB",
        f"the load ends: the second replica has gone after {down:.0f} s",
        f"under load {dict(sorted(heavy.statuses.items()))}; meanwhile, twice a second "
        f"{dict(sorted(light.statuses.items()))}",
    ]
    return report, [*heavy.strange, *light.strange]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--connections", type=int, default=12, help="clients under load (default 12)")
    parser.add_argument("--proxy", action="store_true", help="with Ray's own proxy in place of HAProxy")
    options = parser.parse_args(argv)
    if MISSING:
        parser.error("ray is not installed: it is in the extra ray")
    variables = PROXY if options.proxy else shipped_variables()
    with ExitStack() as stack:
        one = stack.enter_context(cluster(1, variables=variables))
        server = stack.enter_context(scaled(one))
        report, strange = up_and_down(one, server, connections=options.connections)
    sys.stdout.write("".join(f"{line}\n" for line in (*report, f"{len(strange)} not in the service's words")))
    sys.stdout.write("".join(f"STRANGE {line}\n" for line in strange[:5]))
    return 1 if strange else 0


if __name__ == "__main__":
    sys.exit(main())
