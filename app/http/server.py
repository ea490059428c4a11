"""The HTTP server: it bounds connections, drains on shutdown, and has a second port for operators."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import QrestoreError
from app.http.listening import listen_on, url
from app.http.wire.connections import Connections, handler_of_accept_errors
from app.http.wire.protocol import Protocol
from app.http.wire.turns import Turns
from app.service import Service
from app.settings import Settings, most_connections

log = logging.getLogger("qrestore.serving")

_FINAL_SECONDS: Final = 2
"""How long after the drain requests may still run, before they are cancelled and answered 503."""
_ECHO_SECONDS: Final = 2.0
"""A signal that reaches a whole group comes again from its parents, such as make, within this time."""
_OPERATORS: Final = 32
"""Connections to the admin port."""
_ACCEPTED: Final = 4
"""Connections that are accepted in one pass of the event loop. Each takes 0.4 ms of the next passes, and descriptors
must be left for all that are accepted before others are closed for them."""
_BACKLOG: Final = 1024
"""Connections that the system completes before they are accepted."""


class Server(uvicorn.Server):
    """On a signal to stop, finishes running requests while it refuses new work, then exits with status 0."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._drain_until = 0.0
        self._first: tuple[int, float] | None = None
        self._echoed = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _await_more(self)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal starts the drain, a later one ends the process at once.

        A signal to a process group comes twice: to the server itself, and through the parent that passes its own on. So
        one second signal that comes within two seconds, or is of the same kind, is taken for the first one's echo.
        """
        now = time.monotonic()
        if self._first is None:
            self._first = sig, now
            self._service.draining = True
            self._drain_until = now + self._service.settings.drain_seconds
        elif not self._echoed and (sig == self._first[0] or now - self._first[1] < _ECHO_SECONDS):
            self._echoed = True
        else:
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        leave = await super().on_tick(counter)
        if self._service.failure is not None:
            return True
        if self._service.draining and (not self.server_state.tasks or time.monotonic() >= self._drain_until):
            return True
        return leave


class _SecondServer(uvicorn.Server):
    """A server that leaves signals to the first one."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _await_more(self)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _await_more(server: uvicorn.Server) -> None:
    """Lengthens the system's queue of new connections: asyncio makes it as short as what it accepts in one pass."""
    for each in server.servers:
        for listener in each.sockets:
            with socket.fromfd(listener.fileno(), listener.family, listener.type) as twin:
                twin.listen(_BACKLOG)


def run(app: ASGIApp, operators: ASGIApp | None, service: Service) -> None:
    """Serves ``app``, and ``operators`` on the admin port if there is one, until a signal to stop.

    Raises InvalidConfiguration if an address cannot be bound, and the exception that start-up failed with.
    """
    settings = service.settings
    ports = {"QRESTORE_PORT or --port": settings.port, "QRESTORE_ADMIN_PORT": settings.admin_port}
    sockets, second_sockets = listen_on(settings.host, ports)
    for each in (*sockets, *second_sockets):
        log.info("listening on %s", url(each))
    config = partial(
        uvicorn.Config,
        host=settings.host,
        log_config=None,
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        ws="none",
        backlog=_ACCEPTED,
        timeout_graceful_shutdown=_FINAL_SECONDS,
    )

    protocol = partial(Protocol, metrics=service.metrics, turns=Turns(), discard=settings.max_upload_bytes)

    def http(connections: Connections) -> type[asyncio.Protocol]:
        return cast("type[asyncio.Protocol]", partial(protocol, connections=connections))

    public = Connections(_most_connections(settings), service.metrics.connection_lost)
    service.metrics.watch("qrestore_connections", lambda: len(public))
    private = Connections(_OPERATORS)
    server = Server(config(app, port=settings.port, http=http(public)), service)
    second = None
    if operators is not None and settings.admin_port is not None:
        second = _SecondServer(config(operators, port=settings.admin_port, lifespan="off", http=http(private)))

    async def both() -> None:
        asyncio.get_running_loop().set_exception_handler(handler_of_accept_errors(public, private))
        serving = asyncio.create_task(second.serve(second_sockets)) if second else None
        try:
            await server.serve(sockets)
        finally:
            if second and serving:
                second.should_exit = True
                await serving

    asyncio.run(both())
    if service.failure is not None:
        raise service.failure


def _most_connections(settings: Settings) -> int:
    """The connections that the settings ask for, or those that there are file descriptors for, with a warning."""
    most = most_connections(settings.workers)
    if settings.connections > most:
        log.warning("QRESTORE_CONNECTIONS: the limit on file descriptors leaves only %d (ulimit -n)", most)
    return min(settings.connections, most)


class PlainStartupFailure:
    """Has the server report a failed start-up by the one-line detail of its QrestoreError.

    The framework would report a traceback.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failure: Message | None = None

        async def hold_failure(message: Message) -> None:
            nonlocal failure
            if message["type"] == "lifespan.startup.failed":
                failure = message
            else:
                await send(message)

        try:
            await self._app(scope, receive, hold_failure)
        except QrestoreError as exc:
            failure = {"type": "lifespan.startup.failed", "message": exc.detail}
            raise
        finally:
            if failure is not None:
                await send(failure)
