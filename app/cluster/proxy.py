"""What Ray Serve's proxy answers itself, in the service's words: RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH names
`app.cluster.proxy.middlewares`.

The proxy says in plain text that no replica is there, that one died, or that nothing has such a path, and it adds a
second X-Request-ID to every answer.
"""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import NotReady, ProcessingTimeout, QrestoreError
from app.http.context import REQUEST_ID_HEADER, SECURITY_HEADERS
from app.http.problems import problem_response

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

        async def send_in_words(message: Message) -> None:
            nonlocal replacement
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                request_id = headers.get(REQUEST_ID_HEADER, "")
                del headers[REQUEST_ID_HEADER]
                headers[REQUEST_ID_HEADER] = request_id
                if _MARK not in headers:
                    replacement = _error(message["status"])
                    if replacement is not None:
                        scope.setdefault("state", {})["request_id"] = request_id
                        return
            elif replacement is not None:
                return
            await send(message)

        await self._app(scope, receive, send_in_words)
        if replacement is not None:
            await _answer(scope, receive, send, replacement)


async def _answer(scope: Scope, receive: Receive, send: Send, error: QrestoreError) -> None:
    response = problem_response(scope, error)
    response.headers[REQUEST_ID_HEADER] = scope["state"]["request_id"]
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    await response(scope, receive, send)


def _error(status: int) -> QrestoreError | None:
    """What an error of the proxy itself means; None for what is no error."""
    if status == 408:
        return ProcessingTimeout()
    if status >= 400:
        return NotReady("No replica answers; send the request again.", retry_after=1)
    return None
