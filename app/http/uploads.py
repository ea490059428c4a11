"""Limits on request bodies: their size, their time and their number, enforced before anything parses them."""

import asyncio
import contextlib
import re
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import MalformedBody, QrestoreError, RequestTimeout, UploadTooLarge
from app.http.problems import problem_response
from app.workers.admission import Admission

_DIGITS: Final = re.compile(r"[0-9]{1,20}")
_DISCARD_SECONDS: Final = 5.0
_MAX_QUERY_BYTES: Final = 2048


class Body:
    """The body of an upload as it arrives: how much has arrived, whether it is complete, and whether it was too
    late."""

    def __init__(self, receive: Receive, deadline: float) -> None:
        self._receive = receive
        self._deadline = deadline
        self.received = 0
        self.ended = asyncio.Event()
        self.late = False

    async def receive(self) -> Message:
        """The next message. Raises RequestTimeout if it has not arrived by the deadline."""
        if self.ended.is_set():  # only the client's disconnect can follow
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
        """Reads and drops what still arrives, up to ``most`` bytes and for a few seconds at most."""
        enough = self.received + most
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_SECONDS):
                while not self.ended.is_set() and self.received < enough:
                    self._take(await self._receive())

    async def disconnected(self) -> None:
        """Returns when the body is complete and the client has left, or has its answer."""
        await self.ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


class UploadLimit:
    """Refuses uploads that are too large, too slow or too many, and cancels requests whose client has left.

    A body of more than ``max_bytes`` is refused unread if Content-Length says so, otherwise as soon as it exceeds them;
    one that is incomplete at the request's deadline, at the deadline; one that finds no free place, unread.

    Many clients read the answer only after they have sent everything, and lose it if the connection is reset meanwhile.
    So after a refusal the rest of the body is read and dropped for a while before the connection is closed.
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
            if len(scope["query_string"]) > _MAX_QUERY_BYTES:
                raise MalformedBody("The query is too long.")
            self._check_head(Headers(scope=scope))
            with contextlib.ExitStack() as uploading:
                uploading.enter_context(self._admission.upload())
                await self._answer(body, uploading, scope, send)
        except QrestoreError as refusal:
            answer = closing_send(body, send, discard=self._max_bytes)
            await problem_response(scope, refusal)(scope, receive, answer)

    def _check_head(self, headers: Headers) -> None:
        lengths = headers.getlist("Content-Length") or ["0"]
        if "Content-Length" in headers and "Transfer-Encoding" in headers:  # two lengths: request smuggling
            raise MalformedBody("A request may have a Content-Length or a Transfer-Encoding, not both.")
        if len(lengths) > 1 or not _DIGITS.fullmatch(lengths[0]):
            raise MalformedBody("The Content-Length is not valid.")
        if int(lengths[0]) > self._max_bytes:
            raise self._too_large()
        self._admission.check()

    async def _answer(self, body: Body, uploading: contextlib.ExitStack, scope: Scope, send: Send) -> None:
        """Runs the application on the body, and cancels it if the client leaves before the answer begins."""
        refuse = closing_send(body, send, discard=self._max_bytes)
        answered = False

        async def receive_counted() -> Message:
            message = await body.receive()
            if body.ended.is_set():
                uploading.close()
            if body.received > self._max_bytes:
                raise self._too_large()
            return message

        async def send_counted(message: Message) -> None:
            nonlocal answered
            answered = True
            if body.late and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await (refuse if body.received > self._max_bytes else send)(message)

        answering = asyncio.ensure_future(self._app(scope, receive_counted, send_counted))
        leaving = asyncio.ensure_future(body.disconnected())
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

    def _too_large(self) -> UploadTooLarge:
        return UploadTooLarge(f"The request body is larger than {self._max_bytes} bytes.")


def closing_send(body: Body, send: Send, *, discard: int) -> Send:
    """A ``send`` for refused uploads that closes the connection after the answer, once ``discard`` more bytes of the
    body, or what there is of them, have been read and dropped."""

    async def send_and_close(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)
        elif message.get("more_body", False):
            await send(message)
        else:
            await send({**message, "more_body": True})
            await body.discard(discard)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_and_close
