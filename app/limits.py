"""Pure ASGI middleware: what surrounds every request before any of it is parsed."""

import asyncio
import contextlib
import logging
import re
import time
import uuid
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import InternalError, MalformedBody, UploadTooLarge
from app.metrics import Metrics
from app.problems import problem_response

log = logging.getLogger("qrestore.http")

REQUEST_ID_HEADER: Final = "X-Request-ID"

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_DIGITS: Final = re.compile(r"[0-9]{1,20}")
_UNMATCHED: Final = "unmatched"
_DISCARD_SECONDS: Final = 5.0


class RequestContext:
    """Gives each request an id, measures it, and answers 500 where nothing else answered.

    A sane X-Request-ID from the client is kept, anything else is replaced. The id is at `scope["state"]["request_id"]`
    and in the answer's headers.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        offered = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = offered if _SANE_ID.fullmatch(offered) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        began = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        self._metrics.request_started()
        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            log.exception("request %s failed", request_id)
            if status:
                raise
            await problem_response(scope, InternalError())(scope, receive, send_with_id)
        finally:
            if "problem_category" in state:
                self._metrics.problem(state["problem_category"])
            endpoint = getattr(scope.get("route"), "path", _UNMATCHED)
            self._metrics.request_finished(endpoint=endpoint, status=status, seconds=time.perf_counter() - began)


class _Body:
    """One request's body as it comes in: how much has come, and whether that was all."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.received = 0
        self.ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        self.received += len(message.get("body", b""))
        self.ended = not message.get("more_body", False)
        return message

    async def discard(self, most: int) -> None:
        """Throw away what still comes: `most` bytes, or for as long as a refused client is listened to."""
        enough = self.received + most
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_SECONDS):
                while not self.ended and self.received < enough:
                    await self.receive()


class UploadLimit:
    """Refuses request bodies of more than `max_bytes`: by Content-Length unread, otherwise as soon as they pass it.

    Many clients look for an answer only when they have sent everything, and lose it if the connection is reset under
    them. So what still comes after a refusal is thrown away for a while, then the connection is closed.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive)
        declared = Headers(scope=scope).get("Content-Length", "0")
        if not _DIGITS.fullmatch(declared):
            refusal = MalformedBody("The Content-Length is not valid.")
            await problem_response(scope, refusal)(scope, receive, self._last_answer(body, send))
        elif int(declared) > self._max_bytes:
            await problem_response(scope, self._refusal())(scope, receive, self._last_answer(body, send))
        else:
            await self._count(body, scope, send)

    async def _count(self, body: _Body, scope: Scope, send: Send) -> None:
        last_answer = self._last_answer(body, send)

        async def receive_counted() -> Message:
            message = await body.receive()
            if body.received > self._max_bytes:
                raise self._refusal()
            return message

        async def send_counted(message: Message) -> None:
            await (last_answer if body.received > self._max_bytes else send)(message)

        await self._app(scope, receive_counted, send_counted)

    def _refusal(self) -> UploadTooLarge:
        return UploadTooLarge(f"The request body is larger than {self._max_bytes} bytes.")

    def _last_answer(self, body: _Body, send: Send) -> Send:
        """A `send` that has the connection closed, after the answer is out and the rest of the body thrown away."""

        async def send_then_discard(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
                await send(message)
            elif message.get("more_body", False):
                await send(message)
            else:
                await send({**message, "more_body": True})
                await body.discard(self._max_bytes)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        return send_then_discard
