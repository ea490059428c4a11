"""The context of a request."""

import asyncio
import logging
import re
import time
import uuid
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import InternalError, NotReady
from app.http.problems import problem_response
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
"""Of every answer; a route that sets one of them itself keeps its own."""
_CLIENT_CLOSED_REQUEST: Final = 499
"""Status under which requests are counted whose client left before the answer."""
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_UNMATCHED: Final = "unmatched"
_PROBES: Final = ("/livez", "/readyz", "/metrics")
"""Asked every few seconds by machines: logged only where everything is."""
_INTERACTIVE: Final = ("/docs", "/redoc")
"""Pages of the framework, which load their scripts from elsewhere and would not work under the policy."""


class RequestContext:
    """Gives each request an id and a deadline, measures and logs it, and answers 500 where nothing else answered.

    A sane X-Request-ID from the client is kept, anything else is replaced. The id is at `scope["state"]["request_id"]`
    and in the answer's headers, the deadline (`time.monotonic`) at `scope["state"]["deadline"]`.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, seconds: float) -> None:
        self._app = app
        self._metrics = metrics
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        offered = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = offered if _SANE_ID.fullmatch(offered) else uuid.uuid4().hex
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
                    if not (name == "Content-Security-Policy" and scope["path"].startswith(_INTERACTIVE)):
                        headers.setdefault(name, value)
            await send(message)

        self._metrics.request_started()
        try:
            await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:  # it outlasted the drain
            if status:
                raise
            cut = NotReady("The service is shutting down.")
            await problem_response(scope, cut)(scope, receive, send_with_headers)
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
            told = {"request_id": request_id, "method": scope["method"], "endpoint": endpoint, "status": status}
            level = logging.DEBUG if endpoint in _PROBES else logging.INFO
            log.log(level, "answered", extra={**told, "seconds": round(seconds, 6), "problem": category})
