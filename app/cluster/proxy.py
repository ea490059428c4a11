"""What Ray Serve's proxy answers itself, in the service's words: RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH names
`app.cluster.proxy.middlewares`.

The proxy says in plain text that no replica is there, that one died, or that nothing has such a path, and it adds a
second X-Request-ID to every answer.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import NotReady, Overloaded, ProcessingTimeout, QrestoreError
from app.http.context import REQUEST_ID_HEADER, SECURITY_HEADERS, request_id_of
from app.http.problems import problem_response

log = logging.getLogger("qrestore.cluster")

_OWN_PATHS: Final = "/-/"  # of the proxy: health and routes
_MARK: Final = "Content-Security-Policy"
"""A header of every answer of the service, and of none of the proxy's."""


def middlewares() -> list[Middleware]:
    """What Serve puts around its proxy."""
    return [Middleware(PlainProxy)]


class PlainProxy:
    """Leaves the service's own answers as they are, with one X-Request-ID, and replaces the proxy's errors."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_OWN_PATHS):
            await self._app(scope, receive, send)
            return
        replacement: QrestoreError | None = None
        has_begun = False

        async def send_in_words(message: Message) -> None:
            nonlocal replacement, has_begun
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if _MARK not in headers:
                    replacement = _error(message["status"])
                elif first := headers.get(REQUEST_ID_HEADER):
                    del headers[REQUEST_ID_HEADER]
                    headers[REQUEST_ID_HEADER] = first
            if replacement is None:
                has_begun = True
                await send(message)

        try:
            await self._app(scope, receive, send_in_words)
        except (Exception, asyncio.CancelledError):  # what Ray raises where a replica dies amid a request is not public
            if has_begun:
                raise
            log.exception("a request was lost")
        if not has_begun:  # where a replica dies, the proxy returns without any answer
            replacement = replacement or _error(HTTPStatus.INTERNAL_SERVER_ERROR)
        if replacement is not None:
            await _answer(scope, receive, send, replacement)


async def _answer(scope: Scope, receive: Receive, send: Send, error: QrestoreError) -> None:
    request_id = request_id_of(scope)
    scope.setdefault("state", {})["request_id"] = request_id
    response = problem_response(scope, error)
    for name, value in (SECURITY_HEADERS | {REQUEST_ID_HEADER: request_id}).items():
        response.headers[name] = value
    await response(scope, receive, send)


def _error(status: int) -> QrestoreError | None:
    """What an error of the proxy itself means; None for what is no error."""
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return ProcessingTimeout()
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Overloaded(retry_after=1)
    if status >= HTTPStatus.BAD_REQUEST:
        return nobody()
    return None


def nobody() -> NotReady:
    """What a client is told where no replica answers, or where one died amid the request."""
    return NotReady("No replica answers; send the request again.", retry_after=1)
