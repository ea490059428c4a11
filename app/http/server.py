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
from app.http.problems import problem_response
from app.service import Service

log = logging.getLogger("qrestore.serving")

_HEAD_SECONDS: Final = 10.0
"""Time for the head of a request: from the connection, or from the first byte of a later request on it."""
_READ_SECONDS, _MIN_READ_BYTES = 10.0, 65_536
"""While part of an answer waits in memory, the client must read so many bytes of it in so many seconds."""
_FINAL_SECONDS: Final = 2
"""How long after the drain requests may still run, before they are cancelled and answered 503."""


class Protocol(H11Protocol):
    """HTTP/1.1 that answers protocol errors as problems, and waits only so long for a head, a body and a reader."""

    def __init__(self, *arguments: Any, service: Service, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._service = service
        self._head: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        self._forget_reader()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._forget_head()
        elif self._head is None:
            self._await_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._await_head()
        elif self.conn.their_state is h11.SEND_BODY:
            self.loop.call_later(_HEAD_SECONDS, self._rest_is_late)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_reader()

    def send_400_response(self, msg: str) -> None:
        """Answers a request that is not valid HTTP. The server's own ``msg`` is not passed on."""
        self._refuse(MalformedBody("The request is not valid HTTP."))

    def _await_head(self) -> None:
        self._forget_head()
        self._head = self.loop.call_later(_HEAD_SECONDS, self._head_is_late)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _rest_is_late(self) -> None:
        """Closes the connection if the request was answered but its body is still incomplete."""
        if self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete:
            self.transport.close()

    def _await_reader(self) -> None:
        self._forget_reader()
        unread = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(_READ_SECONDS, self._reader_is_late, unread)

    def _forget_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _reader_is_late(self, before: int) -> None:
        """Closes the connection if the client has read almost nothing of an answer that fills memory."""
        if self.transport.get_write_buffer_size() > before - _MIN_READ_BYTES:
            self.transport.abort()
        else:
            self._await_reader()

    def _head_is_late(self) -> None:
        self._head = None
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

    Raises the exception that start-up failed with. Exits with status 3 if an address cannot be bound.
    """
    settings = service.settings
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
        serving = asyncio.create_task(second.serve()) if second else None
        try:
            await server.serve()
        finally:
            if second and serving:
                second.should_exit = True
                await serving

    asyncio.run(both())
    if service.failure is not None:
        raise service.failure


class PlainStartupFailure:
    """Reports a start-up that raised a QrestoreError by its one-line detail; the framework would report a traceback."""

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
