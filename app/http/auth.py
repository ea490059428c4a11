"""API keys: who may have images read, where the operator says that not everybody may."""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import InvalidConfiguration, Unauthorized
from app.http.problems import problem_response
from app.http.uploads import Body, last_answer

HEADER: Final = "X-API-Key"
_BEARER: Final = "bearer "
_OPEN: Final = frozenset(
    {
        *("/livez", "/readyz", "/version", "/metrics"),
        *("/", "/page.css", "/page.js", "/payload.js"),
        *("/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"),
    }
)
"""What needs no key: health, metrics, the page and the documentation. Whatever else there is, or comes, does."""
_SHORTEST: Final = 16


def load_keys(file: Path) -> list[str]:
    """The keys in a file, one a line; empty lines and lines that begin with # are left out.

    Raises InvalidConfiguration where it cannot be read, holds none, or holds one too short to be a secret.
    """
    try:
        lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidConfiguration(f"cannot read API keys from {file}: {exc}") from exc
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise InvalidConfiguration(f"there is no API key in {file}")
    if any(len(key) < _SHORTEST for key in keys):
        raise InvalidConfiguration(f"an API key in {file} has fewer than {_SHORTEST} characters")
    return keys


class ApiKeys:
    """Middleware that answers 401 to all but open paths without one of the keys, before any of the body is read.

    A key comes in X-API-Key or as a bearer token. Its hash is compared with that of every key, each in constant time.
    """

    def __init__(self, app: ASGIApp, *, keys: Iterable[str], discard: int) -> None:
        """``discard``: bytes of a refused body that are thrown away, so that the client comes to read the answer."""
        self._app = app
        self._discard = discard
        self._known = [_digest(key) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in _OPEN and not self._knows(Headers(scope=scope)):
            answer = last_answer(Body(receive, scope["state"]["deadline"]), send, discard=self._discard)
            await problem_response(scope, Unauthorized())(scope, receive, answer)
        else:
            await self._app(scope, receive, send)

    def _knows(self, headers: Headers) -> bool:
        offered = headers.get(HEADER, "")
        authorization = headers.get("Authorization", "")
        if not offered and authorization.lower().startswith(_BEARER):
            offered = authorization[len(_BEARER) :].strip()
        digest = _digest(offered)
        return sum(hmac.compare_digest(digest, known) for known in self._known) > 0


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
