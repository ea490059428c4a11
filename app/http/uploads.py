"""Limits on request bodies: size, pace, time and number, enforced before anything parses them."""

import asyncio
import contextlib
import re
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import EncodedBody, MalformedBody, QrestoreError, RequestTimeout, UploadTooLarge
from app.http.places import UploadPlaces, client_of
from app.http.problems import problem_response
from app.workers.admission import Admission

_DIGITS: Final = re.compile(r"[0-9]{1,20}")
_PACE_SECONDS: Final = 5.0
_MAX_QUERY_BYTES: Final = 2048


class Body:
    """The body of an upload as it arrives: how much has arrived, whether it is complete, and whether it is given up."""

    def __init__(self, receive: Receive, deadline: float, *, least_rate: float) -> None:
        """Every five seconds must bring ``least_rate`` bytes a second, until ``deadline`` (`time.monotonic`)."""
        self._receive = receive
        self._deadline = deadline
        self._least_rate = least_rate
        self._paced_until = time.monotonic() + _PACE_SECONDS
        self._paced_bytes = 0
        self._waiting: asyncio.Timeout | None = None
        self.began = time.monotonic()
        self.received = 0
        self.ended = asyncio.Event()
        self.given_up: QrestoreError | None = None

    async def receive(self) -> Message:
        """The next message. Raises RequestTimeout if the body is too slow, and what it was given up for."""
        if self.ended.is_set():  # only the client's disconnect can follow
            return await self._receive()
        while True:
            if self.given_up is not None:
                raise self.given_up
            try:
                async with asyncio.timeout(self._patience()) as self._waiting:
                    message = await self._receive()
            except TimeoutError:
                self._check_pace()
            else:
                self._take(message)
                return message

    def give_up(self, error: QrestoreError) -> None:
        """Has `receive` raise ``error``, at once if it is waiting."""
        self.given_up = error
        if self._waiting is not None:
            with contextlib.suppress(RuntimeError):  # it has ended in this moment
                self._waiting.reschedule(asyncio.get_running_loop().time())

    def rate(self) -> float:
        """Bytes a second since the body began."""
        return self.received / max(time.monotonic() - self.began, 1e-3)

    def _patience(self) -> float:
        return max(0.0, min(self._deadline, self._paced_until) - time.monotonic())

    def _check_pace(self) -> None:
        now = time.monotonic()
        if self.given_up is None and now >= self._deadline:
            self.given_up = RequestTimeout()
        elif self.given_up is None and now >= self._paced_until:
            if self.received - self._paced_bytes < self._least_rate * _PACE_SECONDS:
                self.given_up = RequestTimeout("The upload is too slow.")
            self._paced_until, self._paced_bytes = now + _PACE_SECONDS, self.received

    def _take(self, message: Message) -> None:
        self.received += len(message.get("body", b""))
        if not message.get("more_body", False):
            self.ended.set()

    async def disconnected(self) -> None:
        """Returns when the body is complete and the client has left, or has its answer."""
        await self.ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


class UploadLimit:
    """Refuses uploads that are too large, too slow or too many, and cancels requests whose client has left.

    A body of more than ``max_bytes`` is refused unread if Content-Length says so, otherwise as soon as it exceeds them;
    one that is incomplete at the request's deadline, at the deadline; one that brings less than ``least_rate`` bytes a
    second, after five seconds; one that finds no free place, unread.

    A refusal ends the connection: the server drops what still arrives, without parsing it.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, least_rate: float, admission: Admission, most: int) -> None:
        """``most`` is the number of uploads that ``admission`` takes at once."""
        self._app = app
        self._max_bytes = max_bytes
        self._least_rate = least_rate
        self._admission = admission
        self._places = UploadPlaces(most=most, least_rate=least_rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        body = Body(receive, scope["state"]["deadline"], least_rate=self._least_rate)
        try:
            if len(scope["query_string"]) > _MAX_QUERY_BYTES:
                raise MalformedBody("The query is too long.")
            self._check_head(Headers(scope=scope))
            with contextlib.ExitStack() as uploading:
                self._places.make_room(client_of(scope))
                uploading.enter_context(self._admission.upload())
                uploading.enter_context(self._places.taken(client_of(scope), body, uploading.close))
                await self._answer(body, uploading, scope, send)
        except QrestoreError as refusal:
            await problem_response(scope, refusal)(scope, receive, closing_send(send))

    def _check_head(self, headers: Headers) -> None:
        length = headers.get("Content-Length", "0")
        if not _DIGITS.fullmatch(length):
            raise MalformedBody("The Content-Length is not valid.")
        if int(length) > self._max_bytes:
            raise self._too_large()
        if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise EncodedBody
        self._admission.check()

    async def _answer(self, body: Body, uploading: contextlib.ExitStack, scope: Scope, send: Send) -> None:
        """Runs the application on the body, and cancels it if the client leaves before the answer begins."""
        refuse = closing_send(send)
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
            gives_up = body.given_up is not None or body.received > self._max_bytes
            await (refuse if gives_up else send)(message)

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


def closing_send(send: Send) -> Send:
    """A ``send`` for refused uploads that has the server close the connection after the answer."""

    async def send_and_close(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Connection"] = "close"
        await send(message)

    return send_and_close
