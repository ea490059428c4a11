"""Cross-origin requests (CORS, of the Fetch standard): which pages of other origins may call the service."""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import RequestError
from app.http.problems import problem_response

_METHODS: Final = ("GET", "HEAD", "POST")
_SENT: Final = ("Authorization", "X-API-Key", "X-Request-ID")
_SHOWN: Final = (
    "Retry-After",
    "X-Request-ID",
    "X-Qrestore-Codes",
    "X-Qrestore-Located",
    "X-Qrestore-Network",
    "X-Qrestore-Route",
    "X-Qrestore-Text",
)
"""Headers of answers that scripts may read."""
_REFUSAL: Final = "Pages of this origin may not send this request: see QRESTORE_CORS_ORIGINS."


class CrossOrigin(CORSMiddleware):
    """Starlette's middleware, which answers a preflight that is refused in plain text: here it is a problem.

    Credentials are keys in headers, which a page must know; cookies play no part.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        super().__init__(app, allow_origins=origins, allow_methods=_METHODS, allow_headers=_SENT, expose_headers=_SHOWN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "Origin" in headers and "Access-Control-Request-Method" in headers:
                await self._answer_preflight(scope, headers)(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def _answer_preflight(self, scope: Scope, headers: Headers) -> Response:
        answer = self.preflight_response(headers)
        return answer if answer.status_code < 400 else problem_response(scope, RequestError(_REFUSAL))
