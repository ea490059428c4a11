"""A light client on loopback: keep-alive connections on one thread, prepared requests, hardly any parsing of answers.

It shares the processor with the service that it measures, so its own processor time is reported as well.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from random import Random
from urllib.parse import urlsplit

from tools.load.traffic import Shot

ANSWER_SECONDS = 60.0
"""Longest wait for an answer: twice the default deadline of the service."""
REFUSALS = frozenset({429, 503})
LONGEST_PAUSE = 1.0
"""Longest pause in seconds after a Retry-After."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Target:
    """The address of a service, and its process if that is known."""

    host: str
    port: int
    pid: int | None = None


def at(url: str, pid: int | None = None) -> Target:
    """The service at a loopback address. Raises ValueError for any other: nobody else's service is put under load."""
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = False
    if parts.scheme != "http" or not local:
        raise ValueError(f"{url} is not http on a loopback address")
    return Target(host, parts.port or 80, pid)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. `status` is 0 for no answer; `wrong` says what is wrong with it, or is None.

    `seconds` run from when the request was due, so a late start counts.
    """

    kind: str
    status: int
    seconds: float
    wrong: str | None

    @property
    def refused(self) -> bool:
        return self.status in REFUSALS and self.wrong is None

    @property
    def right(self) -> bool:
        return self.wrong is None and not self.refused


@dataclass(slots=True)
class Run:
    """The exchanges so far, and the seconds that they took in all."""

    exchanges: list[Exchange] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def done(self) -> int:
        return len(self.exchanges)


def closed_loop(count: int) -> Iterator[float]:
    """Due times of requests that are sent as soon as a connection is free."""
    return (0.0 for _ in range(count))


def open_loop(count: int, rate: float, seed: int) -> Iterator[float]:
    """Due times in seconds after the start: a Poisson process of `rate` requests a second."""
    rng, due = Random(seed), 0.0
    for _ in range(count):
        due += rng.expovariate(rate)
        yield due


async def exchange_all(
    target: Target, shots: Iterator[Shot], due: Iterator[float], *, connections: int, seconds: float, run: Run
) -> None:
    """Sends a shot at each due time over `connections` connections and adds the exchanges to `run`.

    Sends nothing later than `seconds` after the start.
    """
    began = time.perf_counter()

    async def work() -> None:
        connection = _Connection(target)
        try:
            for wanted in due:
                if (early := began + wanted - time.perf_counter()) > 0:
                    await asyncio.sleep(min(early, seconds))
                now = time.perf_counter()
                if now - began > seconds:
                    return
                exchange, pause = await connection.send(next(shots), since=began + wanted if wanted else now)
                run.exchanges.append(exchange)
                run.seconds = time.perf_counter() - began
                if pause:
                    await asyncio.sleep(pause)
        finally:
            await connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(work())


async def watched(work: asyncio.Future[None], look: Callable[[], None], every: float) -> None:
    """Waits for `work`; calls `look` before, after and every `every` seconds meanwhile."""
    look()
    while not work.done():
        await asyncio.wait((work,), timeout=every)
        look()
    work.result()


class _Connection:
    """One connection, opened when it is needed and reopened after it was closed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, shot: Shot, *, since: float) -> tuple[Exchange, float]:
        """The exchange, and the seconds to pause that the service asks for."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, head, body = await self._ask(shot.raw)
        except (OSError, EOFError, TimeoutError, ValueError) as exc:
            await self.close()
            reason = f"no answer: {type(exc).__name__} {exc}".strip()
            return Exchange(shot.kind, 0, time.perf_counter() - since, reason), 0.0
        seconds = time.perf_counter() - since
        if status in REFUSALS:
            found = _RETRY.search(head)
            silent = None if found or status != 429 else "429 without Retry-After"
            return Exchange(shot.kind, status, seconds, silent), min(LONGEST_PAUSE, float(found[1]) if found else 0.0)
        try:
            wrong = shot.check(status, head, body)
        except (ValueError, LookupError, TypeError) as exc:
            wrong = f"an answer of another shape: {exc!r}"
        return Exchange(shot.kind, status, seconds, wrong), 0.0

    async def _ask(self, raw: bytes) -> tuple[int, bytes, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._target.host, self._target.port)
        reader, writer = self._streams
        writer.write(raw)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        status, length = int(head[9:12]), _LENGTH.search(head)
        if length is None and status not in _NO_BODY:
            raise ValueError("an answer without a length")
        body = await reader.readexactly(int(length[1])) if length else b""
        if _CLOSE.search(head):
            await self.close()
        return status, head, body

    async def close(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError):
                await streams[1].wait_closed()
