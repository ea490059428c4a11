"""Pure ASGI middleware: what surrounds every request before any of it is parsed."""

import asyncio
import contextlib
import logging
import re
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import MalformedBody, QrestoreError, RequestTimeout, UploadTooLarge
from app.http.problems import problem_response
from app.workers.admission import Admission

log = logging.getLogger("qrestore.http")


_DIGITS: Final = re.compile(r"[0-9]{1,20}")
_DISCARD_SECONDS: Final = 5.0
_LONGEST_QUERY: Final = 2048


class Body:
    """One request's body as it comes in: how much has come, whether that was all, and whether it came too late."""

    def __init__(self, receive: Receive, deadline: float) -> None:
        self._receive = receive
        self._deadline = deadline
        self.received = 0
        self.ended = asyncio.Event()
        self.late = False

    async def receive(self) -> Message:
        """The next message. Raises RequestTimeout when it is not there by the deadline."""
        if self.ended.is_set():  # nothing more comes but the client's leaving
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                message = await self._receive()
        except TimeoutError as exc:
            self.late = True
            raise RequestTimeout from exc
        self._take(message)
        return message

    def _take(self, message: Message) -> None:
        self.received += len(message.get("body", b""))
        if not message.get("more_body", False):
            self.ended.set()

    async def discard(self, most: int) -> None:
        """Throw away what still comes: `most` bytes, or for as long as a refused client is listened to."""
        enough = self.received + most
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_SECONDS):
                while not self.ended.is_set() and self.received < enough:
                    self._take(await self._receive())

    async def hung_up(self) -> None:
        """Returns when the whole body has come and the client has left since, or was answered."""
        await self.ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


class UploadLimit:
    """Refuses uploads that are too large, too late or too many.

    More than `max_bytes`: by Content-Length unread, otherwise as soon as they pass it. Not in by the request's
    deadline: when that passes. No place for another one: before any of it is read.

    Many clients look for an answer only when they have sent everything, and lose it if the connection is reset under
    them. So what still comes after a refusal is thrown away for a while, then the connection is closed.

    A client that leaves while its request waits or is worked on cancels it.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, admission: Admission) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        body = Body(receive, scope["state"]["deadline"])
        try:
            if len(scope["query_string"]) > _LONGEST_QUERY:
                raise MalformedBody("The query is too long.")
            self._admit(Headers(scope=scope))
            with contextlib.ExitStack() as uploading:
                uploading.enter_context(self._admission.upload())
                await self._attend(body, uploading, scope, send)
        except QrestoreError as refusal:
            answer = last_answer(body, send, discard=self._max_bytes)
            await problem_response(scope, refusal)(scope, receive, answer)

    def _admit(self, headers: Headers) -> None:
        lengths = headers.getlist("Content-Length") or ["0"]
        if "Content-Length" in headers and "Transfer-Encoding" in headers:  # two lengths: how requests are smuggled
            raise MalformedBody("A request has either a Content-Length or a Transfer-Encoding.")
        if len(lengths) > 1 or not _DIGITS.fullmatch(lengths[0]):
            raise MalformedBody("The Content-Length is not valid.")
        if int(lengths[0]) > self._max_bytes:
            raise self._refusal()
        self._admission.check()

    async def _attend(self, body: Body, uploading: contextlib.ExitStack, scope: Scope, send: Send) -> None:
        """Runs the application on the body, and cancels it if the client leaves before it is answered."""
        refusing = last_answer(body, send, discard=self._max_bytes)
        answered = False

        async def receive_counted() -> Message:
            message = await body.receive()
            if body.ended.is_set():
                uploading.close()
            if body.received > self._max_bytes:
                raise self._refusal()
            return message

        async def send_counted(message: Message) -> None:
            nonlocal answered
            answered = True
            if body.late and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await (refusing if body.received > self._max_bytes else send)(message)

        answering = asyncio.ensure_future(_run(self._app, scope, receive_counted, send_counted))
        leaving = asyncio.ensure_future(body.hung_up())
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answered:
                answering.cancel()  # does nothing to one that is over
            await asyncio.wait((answering,))
        finally:
            leaving.cancel()
            answering.cancel()
        if not answering.cancelled():
            answering.result()

    def _refusal(self) -> UploadTooLarge:
        return UploadTooLarge(f"The request body is larger than {self._max_bytes} bytes.")


def last_answer(body: Body, send: Send, *, discard: int) -> Send:
    """A `send` that has the connection closed, after the answer is out and up to so many bytes of the body, those that
    still come, are thrown away."""

    async def send_then_discard(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)
        elif message.get("more_body", False):
            await send(message)
        else:
            await send({**message, "more_body": True})
            await body.discard(discard)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_then_discard


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)
