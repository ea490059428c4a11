"""How many connections may be open at once, and which of them give way to new ones."""

import asyncio
import errno
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from app.telemetry.metrics import ConnectionLoss

log = logging.getLogger("qrestore.serving")

HEALTH_RESERVE: Final = 8
"""Connections beyond the limit that are kept for health while all others are at work."""
_MOST_LEAVING: Final = 64
"""Connections that only wait for their clients to stop sending; the longest waiting ones of more are closed."""
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_LOG_SECONDS: Final = 10.0


class Droppable(Protocol):
    """A connection that can be closed at once, without an answer."""

    def drop(self) -> None: ...


class Tally:
    """Logs that something happened, and how often it has happened since, every ten seconds at most."""

    def __init__(self, message: str) -> None:
        """``message`` is the line, with %d for the number of times since the last one."""
        self._message = message
        self._count = 0
        self._silent_until = 0.0
        self._later: asyncio.TimerHandle | None = None

    def count(self) -> None:
        self._count += 1
        silence = self._silent_until - time.monotonic()
        if silence <= 0:
            self._say()
        elif self._later is None:
            with suppress(RuntimeError):  # outside an event loop the next count says it
                self._later = asyncio.get_running_loop().call_later(silence, self._say)

    def _say(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        log.warning(self._message, self._count)
        self._count, self._silent_until = 0, time.monotonic() + _LOG_SECONDS


class Connections:
    """The open connections of one listener. It keeps ``most``, and a few more for health.

    A connection is idle unless a request of it is being answered. Where a new one would be one too many, one is closed
    that only waits for its client to stop sending, or else the one that has been idle longest. If none is idle, the new
    one is answered only if it asks for health.
    """

    def __init__(self, most: int, on_loss: Callable[[ConnectionLoss], None] = lambda _: None) -> None:
        """``on_loss`` is called for each connection that is closed without an answer that its client waits for."""
        self._most = most
        self._on_loss = on_loss
        self._open: set[Droppable] = set()
        self._leaving: dict[Droppable, None] = {}
        self._idle: dict[Droppable, None] = {}  # the longest idle one first
        self._dropped = Tally("%d idle connections closed to make room for new ones")

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, connection: Droppable) -> bool:
        """Counts a new connection. Returns whether it may ask for anything, not for health only; with no room for even
        that, drops it."""
        if len(self._open) >= self._most:
            self.drop_idle()
        room = len(self._open) < self._most
        self._open.add(connection)
        self._idle[connection] = None
        if not room and len(self._open) > self._most + HEALTH_RESERVE:
            self._on_loss(ConnectionLoss.NO_ROOM)
            self._drop(connection)
        return room

    def closed(self, connection: Droppable) -> None:
        self._open.discard(connection)
        self._leaving.pop(connection, None)
        self._idle.pop(connection, None)

    def works(self, connection: Droppable) -> None:
        """A request of this connection is being answered from now on."""
        self._idle.pop(connection, None)

    def rests(self, connection: Droppable, *, leaving: bool) -> None:
        """Nothing of this connection is being answered any more, or, if it is ``leaving``, will ever be."""
        if connection in self._open:
            self._idle.pop(connection, None)
            (self._leaving if leaving else self._idle)[connection] = None
        if len(self._leaving) > _MOST_LEAVING:
            self._drop(next(iter(self._leaving)))

    def drop_idle(self) -> None:
        """Closes a connection that is leaving, or else the one that has been idle longest, if there is any."""
        if waiting := self._leaving or self._idle:
            self._dropped.count()
            if waiting is self._idle:
                self._on_loss(ConnectionLoss.IDLE)
            self._drop(next(iter(waiting)))

    def not_accepted(self) -> None:
        """Counts a connection that found no file descriptor, and makes room for the next one."""
        self._on_loss(ConnectionLoss.NO_DESCRIPTOR)
        self.drop_idle()

    def _drop(self, connection: Droppable) -> None:
        self.closed(connection)
        connection.drop()


def handler_of_accept_errors(public: Connections, *others: Connections) -> Callable[[Any, dict[str, Any]], None]:
    """A handler for the event loop's exceptions that makes room where a connection could not be accepted.

    asyncio logs a traceback for each of up to ``backlog`` tries in a row, 10,000 a second while descriptors are short;
    this one counts them, for ``public``: nobody says whose connection it was.
    """

    refused = Tally("%d connections not accepted: no file descriptor is free (see QRESTORE_CONNECTIONS)")

    def handle(loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if "accept" in context.get("message", "") and isinstance(error, OSError) and error.errno in _EXHAUSTED:
            refused.count()
            public.not_accepted()
            for connections in others:
                connections.drop_idle()
        else:
            loop.default_exception_handler(context)

    return handle
