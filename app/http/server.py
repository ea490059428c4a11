"""The HTTP server: it refuses malformed and slow requests, drains on shutdown, and has a second port for operators."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import Any, Final, cast

import h11
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.errors import MalformedBody, QrestoreError, RequestTimeout
from app.http.context import REQUEST_ID_HEADER, SECURITY_HEADERS
from app.http.listening import listen_on, url
from app.http.problems import problem_response
from app.service import Service

log = logging.getLogger("qrestore.serving")

_HEAD_SECONDS: Final = 10.0
"""Time for the head of a request, from the connection or, on a connection in use, from the first byte of the head."""
_READ_SECONDS, _MIN_READ_BYTES = 10.0, 65_536
"""While part of an answer waits in memory, the client must read this many bytes of it in this time."""
_FINAL_SECONDS: Final = 2
"""How long after the drain requests may still run, before they are cancelled and answered 503."""


class Protocol(H11Protocol):
    """The server's HTTP/1.1: answers protocol errors as problems, and waits only so long for a head, a body and a
    reader."""

    def __init__(self, *arguments: Any, service: Service, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._service = service
        self._head_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_reader_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_head_timer()
        elif self._head_timer is None:
            self._start_head_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._start_head_timer()
        elif self.conn.their_state is h11.SEND_BODY:
            self.loop.call_later(_HEAD_SECONDS, self._on_body_timeout)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_reader_timer()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_reader_timer()

    def send_400_response(self, msg: str) -> None:
        """Answers a request that is not valid HTTP. The server's own ``msg`` is not passed on."""
        self._refuse(MalformedBody("The request is not valid HTTP."))

    def _start_head_timer(self) -> None:
        self._stop_head_timer()
        self._head_timer = self.loop.call_later(_HEAD_SECONDS, self._on_head_timeout)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_body_timeout(self) -> None:
        """Closes the connection if the request was answered but its body is still incomplete."""
        if self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete:
            self.transport.close()

    def _start_reader_timer(self) -> None:
        self._stop_reader_timer()
        unread = self.transport.get_write_buffer_size()
        self._reader_timer = self.loop.call_later(_READ_SECONDS, self._on_reader_timeout, unread)

    def _stop_reader_timer(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _on_reader_timeout(self, unread: int) -> None:
        """Closes the connection if the client has read almost nothing of an answer that fills memory."""
        if self.transport.get_write_buffer_size() > unread - _MIN_READ_BYTES:
            self.transport.abort()
        else:
            self._start_reader_timer()

    def _on_head_timeout(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            self._refuse(RequestTimeout())
        else:
            self.transport.close()

    def _refuse(self, error: QrestoreError) -> None:
        """Answers without an application, unless an answer has begun, and closes the connection."""
        self._service.metrics.problem(error.category)
        request_id = uuid.uuid4().hex
        response = problem_response({"type": "http", "path": "/", "state": {"request_id": request_id}}, error)
        headers = {**SECURITY_HEADERS, REQUEST_ID_HEADER: request_id, "Connection": "close"}
        head = h11.Response(
            status_code=error.status,
            headers=[*response.raw_headers, *((n.lower().encode(), v.encode()) for n, v in headers.items())],
        )
        with contextlib.suppress(h11.LocalProtocolError):  # an answer has begun already
            for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class Server(uvicorn.Server):
    """On a signal to stop, finishes running requests while it refuses new work, then exits with status 0."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._drain_until = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal starts the drain, the second ends the process at once."""
        if self._service.draining:
            self.should_exit = self.force_exit = True
            return
        self._service.draining = True
        self._drain_until = time.monotonic() + self._service.settings.drain_seconds

    async def on_tick(self, counter: int) -> bool:
        leave = await super().on_tick(counter)
        if self._service.failure is not None:
            return True
        if self._service.draining and (not self.server_state.tasks or time.monotonic() >= self._drain_until):
            return True
        return leave


class _SecondServer(uvicorn.Server):
    """A server that leaves signals to the first one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
        http=cast("type[asyncio.Protocol]", partial(Protocol, service=service)),
        timeout_graceful_shutdown=_FINAL_SECONDS,
    )
    server = Server(config(app, port=settings.port), service)
    second = None
    if operators is not None and settings.admin_port is not None:
        second = _SecondServer(config(operators, port=settings.admin_port, lifespan="off"))

    async def both() -> None:
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
