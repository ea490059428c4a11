"""HTTP/1.1 on one connection: uvicorn's protocol, within bounds on size, time and what parsing costs."""

import asyncio
import contextlib
import logging
import socket
import uuid
from functools import partial
from typing import Any, Final, cast

import h11
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from app.errors import MalformedBody, NotReady, QrestoreError, RequestTimeout
from app.http.context import REQUEST_ID_HEADER, SECURITY_HEADERS
from app.http.problems import problem_response
from app.http.wire import heads
from app.http.wire.chunks import Dechunker
from app.http.wire.connections import Connections
from app.http.wire.transport import LingeringTransport
from app.http.wire.turns import Turns
from app.telemetry.metrics import Metrics

log = logging.getLogger("qrestore.serving")

_HEAD_SECONDS: Final = 10.0
"""Time for the head of a request, from the connection or, on a connection in use, from the first byte of the head."""
_READ_SECONDS, _MIN_READ_BYTES = 10.0, 65_536
"""While part of an answer waits in memory, the client must read this many bytes of it in this time."""
_PREFIX: Final = 24
"""Bytes that show whether a head asks for health."""
_MOST_URGENT: Final = 1024
"""Bytes of a head that is taken before others because it asks for health: those of probes are short."""
_PIECE_BYTES: Final = 64 * 1024
_MOST_WAITING: Final = 48 * 1024
"""Received bytes that may wait for their turn before reading pauses."""
_SMALL_BYTES, _MOST_SMALL, _REST_SECONDS = 1024, 32, 0.05
"""A connection that sends a body in more than so many small pieces is read only so often: each piece costs the same,
however small, and what comes meanwhile is read as one."""
_LEFT_SECONDS: Final = 0.1
"""How often to look whether a client that has stopped sending is still there for its answer."""


class Protocol(H11Protocol):
    """The server's HTTP/1.1: answers protocol errors as problems, and waits only so long for a head, a body and a
    reader.

    uvicorn hands everything that arrives to h11 at once. Here it waits in a buffer for the connection's turn (`Turns`),
    and h11 gets it in pieces of which each makes one event: a whole head, or part of a body.
    """

    def __init__(
        self, *arguments: Any, metrics: Metrics, turns: Turns, connections: Connections, discard: int, **options: Any
    ) -> None:
        """``discard``: bytes of a refused body to read and drop, so that the client gets to the answer."""
        super().__init__(*arguments, **options)
        self._served = cast("ASGIApp", self.app)
        self.app = cast("Any", self._serve)
        self._metrics = metrics
        self._turns = turns
        self._connections_open = connections
        self._discard = discard
        self._received = bytearray()
        self._dechunker: Dechunker | None = None
        self._to_come = 0
        """Bytes of a body with a Content-Length that h11 has not got yet."""
        self._small_pieces = 0
        self._may_skip_line = True
        """Whether an empty line before the next head is ignored (RFC 9112, 2.2): some clients end bodies with one."""
        self._refused = self._ended = False
        self._health_only = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # What asyncio reads in one go, 256 KiB by default, takes 0.2 ms: fifty connections would take 10 ms of a pass.
        transport.max_size = _PIECE_BYTES  # type: ignore[attr-defined]
        wrapped = LingeringTransport(
            transport, sends_still=self._is_incomplete, resumed=self._continue, most=self._discard
        )
        super().connection_made(wrapped)
        self._wire = wrapped
        self._start_head_timer()
        self._health_only = not self._connections_open.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_reader_timer()
        self._connections_open.closed(self)
        self._turns.leave(self)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._stop_body_timer()
        self._wire.forget()
        self.app = cast("Any", self._served)

    def drop(self) -> None:
        """Closes the connection at once, to make room for another."""
        self._wire.abort()

    def shutdown(self) -> None:
        if self._wire.lingers:
            self._wire.end()
        else:
            super().shutdown()

    # Receiving

    @property
    def begins(self) -> bool:
        return self.conn.their_state is h11.IDLE

    @property
    def urgent(self) -> bool:
        is_short = len(self._received) <= _MOST_URGENT
        return self.begins and is_short and heads.asks_for_health(bytes(self._received[:_PREFIX]))

    def data_received(self, data: bytes) -> None:
        if self._wire.is_closing():
            if self._wire.drop_unread(len(data)):
                self._turns.drain(self)
            return
        self._unset_keepalive_if_required()
        self._received += data
        if self.begins and self._head_timer is None:
            self._start_head_timer()
        if len(self._received) > _MOST_WAITING:
            self._wire.hold()
        elif not self.begins and len(data) < _SMALL_BYTES:
            self._rest_if_often()
        self._turns.wait(self)

    def _rest_if_often(self) -> None:
        self._small_pieces += 1
        if self._small_pieces > _MOST_SMALL:
            self._wire.hold()
            self.loop.call_later(_REST_SECONDS, self._release)

    def _release(self) -> None:
        if len(self._received) <= _MOST_WAITING:
            self._wire.release()

    def drain(self) -> None:
        self._wire.read_on()

    def _continue(self) -> None:
        """Goes on with what has been received, when the application wants more of it."""
        if self._received and not self._wire.is_closing():
            self._turns.wait(self)

    def advance(self) -> bool:
        """Hands one piece of what was received to h11. Returns whether there is another one that it can take now."""
        if self._wire.is_closing() or not self._received or self.flow.read_paused:
            return False
        waiting = len(self._received)
        state = self.conn.their_state
        if state is h11.IDLE:
            self._take_head()
        elif state is h11.SEND_BODY:
            self._take_body()
        if waiting > _MOST_WAITING >= len(self._received):
            self._wire.release()
        more = 0 < len(self._received) < waiting
        if self._ended and not more:
            self._settle()
        return more

    def _take_head(self) -> None:
        if self._may_skip_line and self._received == b"\r":
            return
        if self._may_skip_line and self._received.startswith(b"\r\n"):
            self._may_skip_line = False
            del self._received[:2]
        end = heads.end_of(self._received)
        fault = heads.fault_of(self._received, end)
        if fault is not None:
            self._refuse(fault)
        elif end >= 0:
            head = bytes(self._received[:end])
            del self._received[:end]
            self._may_skip_line = True
            self._stop_head_timer()
            if self._health_only and not heads.asks_for_health(head):
                self._refuse(NotReady("The service has no connection to spare.", retry_after=1))
                return
            self._connections_open.works(self)
            self._dechunker, self._to_come, self._small_pieces = None, 0, 0
            super().data_received(head)
            if self.conn.their_state is h11.SEND_BODY:
                fields = dict(self.headers)
                self._to_come = int(fields.get(b"content-length", b"0"))
                self._dechunker = None if self._to_come else Dechunker()

    def _take_body(self) -> None:
        if self._dechunker is None:
            piece = bytes(self._received[: min(self._to_come, _PIECE_BYTES)])
            del self._received[: len(piece)]
            self._to_come -= len(piece)
            super().data_received(piece)
        else:
            self._take_chunks(self._dechunker)
        if self.begins:  # the request was answered before its body was complete
            self._start_head_timer()

    def _take_chunks(self, dechunker: Dechunker) -> None:
        try:
            payload = dechunker.take(self._received)
        except MalformedBody as error:
            self._refuse(error)
            return
        if payload:
            super().data_received(b"%x\r\n%b\r\n" % (len(payload), payload))
        if dechunker.ended:
            super().data_received(b"0\r\n\r\n")

    def eof_received(self) -> bool:  # type: ignore[override]
        """Goes on with what a client has sent that closes its sending side, and answers it if it is complete."""
        self._ended = True
        if self._wire.is_closing():
            return False
        if self._received:
            self._turns.wait(self)
        else:
            self._settle()
        return True

    def _settle(self) -> None:
        """Ends a connection from which no more comes, unless a request is being answered."""
        if self._wire.is_closing() or (self._received and self.flow.read_paused):
            return
        if not self._is_answering() or self.conn.their_state is h11.SEND_BODY or self.conn.their_http_version == b"1.0":
            self._wire.end()
        else:
            self.loop.call_later(_LEFT_SECONDS, self._look_after, self.cycle)

    def _look_after(self, cycle: RequestResponseCycle, *, asked: bool = False) -> None:
        """Ends the connection if the client has left.

        A client that has closed both sides looks like one that has closed only the sending side until it is sent
        something. So it is sent an interim answer, which clients skip (RFC 9110, 15.2): whoever has left replies with a
        reset.
        """
        if self._wire.is_closing() or cycle.response_complete or cycle is not self.cycle:
            return
        end: socket.socket = self._wire.get_extra_info("socket")
        if end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._wire.abort()
            return
        if not asked and not cycle.response_started:
            self._wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.loop.call_later(_LEFT_SECONDS, partial(self._look_after, cycle, asked=True))

    # Answering

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application. Where it answers before the body is complete, the connection ends with the answer."""

        async def send_with_close(message: Message) -> None:
            if message["type"] == "http.response.start" and self._is_costly_to_finish():
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._served(scope, receive, send_with_close)

    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def _is_costly_to_finish(self) -> bool:
        """Whether more of the body is to come than is worth reading for another request on the same connection."""
        return self.conn.their_state is h11.SEND_BODY and (self._dechunker is not None or self._to_come > _PIECE_BYTES)

    def _is_incomplete(self) -> bool:
        return self._refused or self.conn.their_state is h11.SEND_BODY

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._connections_open.rests(self, leaving=self._wire.is_closing())
        if self._wire.is_closing():
            return
        if self._ended and not self._received:
            self._wire.close()
        elif self.conn.their_state is h11.IDLE and self._received:
            self._start_head_timer()
        elif self.conn.their_state is h11.SEND_BODY:
            self._body_timer = self.loop.call_later(_HEAD_SECONDS, self._on_body_timeout)
        self._continue()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_reader_timer()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_reader_timer()

    def send_400_response(self, msg: str) -> None:
        """Answers a request that is not valid HTTP. The server's own ``msg`` is not passed on."""
        self._refuse(MalformedBody("The request is not valid HTTP."))

    def _refuse(self, error: QrestoreError) -> None:
        """Answers without an application, unless an answer has begun, and closes the connection."""
        self._refused = True
        self._received.clear()
        self._stop_head_timer()
        if not self._is_answering():
            self._metrics.problem(error.category)
        else:  # the application counts it when it learns that no more of the body comes
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        request_id = uuid.uuid4().hex
        response = problem_response({"type": "http", "path": "/", "state": {"request_id": request_id}}, error)
        headers = {**SECURITY_HEADERS, REQUEST_ID_HEADER: request_id, "Connection": "close"}
        head = h11.Response(
            status_code=error.status,
            headers=[*response.raw_headers, *((n.lower().encode(), v.encode()) for n, v in headers.items())],
        )
        fields = {"request_id": request_id, "status": error.status, "problem": error.category}
        log.info("refused", extra=fields)
        with contextlib.suppress(h11.LocalProtocolError):  # an answer has begun already
            for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
                self._wire.write(self.conn.send(event) or b"")
        self._wire.close()
        self._connections_open.rests(self, leaving=True)

    # Waiting

    def _start_head_timer(self) -> None:
        self._stop_head_timer()
        self._head_timer = self.loop.call_later(_HEAD_SECONDS, self._on_head_timeout)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_head_timeout(self) -> None:
        self._head_timer = None
        if self._wire.is_closing():
            return
        if self._received:
            self._refuse(RequestTimeout())
        else:
            self._wire.close()

    def _stop_body_timer(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _on_body_timeout(self) -> None:
        """Closes the connection if the request was answered but its body is still incomplete."""
        if self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete:
            self._wire.close()

    def _start_reader_timer(self) -> None:
        self._stop_reader_timer()
        unread = self._wire.get_write_buffer_size()
        self._reader_timer = self.loop.call_later(_READ_SECONDS, self._on_reader_timeout, unread)

    def _stop_reader_timer(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _on_reader_timeout(self, unread: int) -> None:
        """Closes the connection if the client has read almost nothing of an answer that fills memory."""
        if self._wire.get_write_buffer_size() > unread - _MIN_READ_BYTES:
            self._wire.abort()
        else:
            self._start_reader_timer()
