"""What every request gets: an id, a deadline, security headers, metrics and one line in the log."""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import InternalError, NotReady
from app.http.problems import problem_response
from app.http.targets import METHOD
from app.telemetry.metrics import Metrics

log = logging.getLogger("qrestore.http")

REQUEST_ID_HEADER: Final = "X-Request-ID"
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""In every answer; a route that sets one of them itself keeps its own."""
_CLIENT_CLOSED_REQUEST: Final = 499
"""The status counted for a request whose client left before the answer."""
VALID_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_UNMATCHED: Final = "unmatched"


def request_id_of(scope: Scope) -> str:
    """The client's own id of a request if it is valid, otherwise a new one."""
    offered = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return offered if VALID_ID.fullmatch(offered) else uuid.uuid4().hex


class RequestContext:
    """Gives each request an id and a deadline, measures and logs it, and answers 500 if nothing else answered.

    A valid X-Request-ID from the client is kept, any other is replaced. The id goes into `scope["state"]["request_id"]`
    and into the answer's headers, the deadline (`time.monotonic`) into `scope["state"]["deadline"]`.

    Requests to ``probes`` are logged at the level debug.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        seconds: float,
        probes: Collection[str] = (),
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._seconds = seconds
        self._probes = probes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope)
        began = time.monotonic()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["deadline"] = began + self._seconds
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        self._metrics.request_started()
        try:
            await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:  # the drain ended before the request did
            if status:
                raise
            stopping = NotReady("The service is shutting down.")
            await problem_response(scope, stopping)(scope, receive, send_with_headers)
        except Exception:
            log.exception("request failed", extra={"request_id": request_id})
            if status:
                raise
            await problem_response(scope, InternalError())(scope, receive, send_with_headers)
        finally:
            seconds = time.monotonic() - began
            endpoint = getattr(scope.get("route"), "path", _UNMATCHED)
            category = state.get("problem_category")
            status = status or _CLIENT_CLOSED_REQUEST
            if category:
                self._metrics.problem(category)
            self._metrics.request_finished(endpoint=endpoint, status=status, seconds=seconds)
            level = logging.DEBUG if endpoint in self._probes else logging.INFO
            log.log(
                level,
                "answered",
                extra={
                    "request_id": request_id,
                    "method": state.get(METHOD, scope["method"]),
                    "endpoint": endpoint,
                    "status": status,
                    "seconds": round(seconds, 6),
                    "problem": category,
                    "key": state.get("key"),
                },
            )
