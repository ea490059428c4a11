"""Shares the event loop among connections, so that none that sends much or awkwardly keeps the others waiting."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final, Protocol

_PASS_SECONDS: Final = 0.002
"""Longest time that connections take up of one pass of the event loop, beyond the piece in which it ends."""
_PASS_HEADS: Final = 3
"""Heads that are handled in one pass: each starts an application, which works in the next pass."""
_DRAIN_SECONDS, _DRAINED = 0.001, 2
"""How often some of the connections that are refused are read on, so that their clients get to the answer."""


class Waiting(Protocol):
    """A connection with bytes to handle."""

    def advance(self) -> bool:
        """Handles one small piece; returns whether more can be handled at once."""

    @property
    def begins(self) -> bool:
        """Whether the next piece is the head of a request."""

    @property
    def urgent(self) -> bool:
        """Whether the next piece asks for health."""

    def drain(self) -> None:
        """Reads on what is only dropped."""


class Turns:
    """Has the connections of one event loop handle what they received piece by piece, each in its turn.

    uvicorn parses everything that a connection has received in one go, and h11 takes about 20 µs for a chunk: a
    connection that sends chunks of one byte stops the event loop for a second at a time. Here a connection handles at
    most one piece in each pass of the loop, and all of them together take 2 ms of it. Heads of requests and pieces of
    bodies take turns, and a request for health comes before all other heads. What is only read to be dropped is
    read from one connection after the other.
    """

    def __init__(self) -> None:
        self._health: deque[Waiting] = deque()
        self._heads: deque[Waiting] = deque()
        self._bodies: deque[Waiting] = deque()
        self._known: set[Waiting] = set()
        self._drained: dict[Waiting, None] = {}
        self._due: asyncio.Handle | None = None
        self._drains: asyncio.TimerHandle | None = None

    def wait(self, connection: Waiting) -> None:
        """Puts a connection at the end of its queue, unless it waits already."""
        if connection in self._known:
            return
        self._known.add(connection)
        self._queue_of(connection).append(connection)
        self._schedule()

    def _queue_of(self, connection: Waiting) -> deque[Waiting]:
        if connection.urgent:
            return self._health
        return self._heads if connection.begins else self._bodies

    def drain(self, connection: Waiting) -> None:
        """Has `drain` of a connection called in its turn."""
        self._drained[connection] = None
        self._schedule_drain()

    def _schedule_drain(self) -> None:
        if self._drains is None and self._drained:
            self._drains = asyncio.get_running_loop().call_later(_DRAIN_SECONDS, self._drain_some)

    def _drain_some(self) -> None:
        self._drains = None
        for connection in list(islice(self._drained, _DRAINED)):
            del self._drained[connection]
            connection.drain()
        self._schedule_drain()

    def leave(self, connection: Waiting) -> None:
        """Takes a connection that has ended out of its queue."""
        self._drained.pop(connection, None)
        if connection in self._known:
            self._known.discard(connection)
            for queue in (self._health, self._heads, self._bodies):
                if connection in queue:
                    queue.remove(connection)

    def _schedule(self) -> None:
        if self._due is None and self._known:
            self._due = asyncio.get_running_loop().call_soon(self._pass)

    def _pass(self) -> None:
        self._due = None
        until = time.perf_counter() + _PASS_SECONDS
        again = []
        for connection in self._next(min(len(self._health) + len(self._heads), _PASS_HEADS), len(self._bodies)):
            if connection.advance():
                again.append(connection)
            if time.perf_counter() >= until:
                break
        for connection in again:
            self.wait(connection)
        self._schedule()

    def _next(self, heads: int, bodies: int) -> Iterator[Waiting]:
        """Those that wait now, heads and bodies in alternation. Whoever comes meanwhile waits for the next pass."""
        while heads > 0 or bodies > 0:
            if heads > 0 and (self._health or self._heads):
                yield self._take(self._health or self._heads)
            if bodies > 0 and self._bodies:
                yield self._take(self._bodies)
            heads, bodies = heads - 1, bodies - 1

    def _take(self, queue: deque[Waiting]) -> Waiting:
        connection = queue.popleft()
        self._known.discard(connection)
        return connection
