"""The HTTP server around the application: malformed and slow requests, draining, and a second port for operators."""

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
"""From a connection, or from the first byte of a request after another, to the end of its head."""
_READ_SECONDS, _LEAST_READ = 10.0, 65_536
"""Bytes that must be read of an answer in so many seconds, while more of it waits than the system takes."""
_LAST_SECONDS: Final = 2


class Protocol(H11Protocol):
    """HTTP/1.1 whose own refusals are problems as well, and which waits for no head of a request for ever."""

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
        """Refuses what is not HTTP; the framework's words do not go out."""
        self._refuse(MalformedBody("The request is not valid HTTP."))

    def _await_head(self) -> None:
        self._forget_head()
        self._head = self.loop.call_later(_HEAD_SECONDS, self._head_is_late)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _rest_is_late(self) -> None:
        """A request was answered before its body was in, and still it is not."""
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
        """An answer lies in memory until it is read: not for ever, for one who reads next to nothing of it."""
        if self.transport.get_write_buffer_size() > before - _LEAST_READ:
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
        """Answers outside of any application, where nothing was answered yet, and closes the connection."""
        self._service.metrics.problem(error.category)
        request_id = uuid.uuid4().hex
        response = problem_response({"type": "http", "path": "/", "state": {"request_id": request_id}}, error)
        headers = {**SECURITY_HEADERS, REQUEST_ID_HEADER: request_id, "Connection": "close"}
        head = h11.Response(
            status_code=error.status,
            headers=[*response.raw_headers, *((n.lower().encode(), v.encode()) for n, v in headers.items())],
        )
        with contextlib.suppress(h11.LocalProtocolError):  # an answer is on its way already
            for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class Server(uvicorn.Server):
    """Told to stop, lets what runs finish while it refuses new work, and then ends with status 0."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._until = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins to drain, the second ends the process at once."""
        if self._service.draining:
            self.should_exit = self.force_exit = True
            return
        self._service.draining = True
        self._until = time.monotonic() + self._service.settings.drain_seconds

    async def on_tick(self, counter: int) -> bool:
        leave = await super().on_tick(counter)
        if self._service.failure is not None:
            return True
        if self._service.draining and (not self.server_state.tasks or time.monotonic() >= self._until):
            return True
        return leave


class _Beside(uvicorn.Server):
    """A server that leaves signals to another one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(app: ASGIApp, operators: ASGIApp | None, service: Service) -> None:
    """Serves ``app``, and ``operators`` on the admin port if there is one, until told to stop.

    Raises what start-up failed with. Exits with status 3 where an address cannot be bound.
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
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    server = Server(config(app, port=settings.port), service)
    beside = None
    if operators is not None and settings.admin_port is not None:
        beside = _Beside(config(operators, port=settings.admin_port, lifespan="off"))

    async def both() -> None:
        second = asyncio.create_task(beside.serve()) if beside else None
        try:
            await server.serve()
        finally:
            if beside and second:
                beside.should_exit = True
                await second

    asyncio.run(both())
    if service.failure is not None:
        raise service.failure


class PlainStartupFailure:
    """Reports a start-up that failed on purpose by its one-line reason; the framework would send a traceback."""

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
