"""API keys, for services that not everybody may use."""

import hmac
from collections.abc import Collection, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import InvalidConfiguration, Unauthorized
from app.http.problems import problem_response
from app.http.uploads import closing_send

HEADER: Final = "X-API-Key"
_BEARER: Final = "bearer "
_MIN_LENGTH: Final = 16


def load_keys(file: Path) -> list[str]:
    """The API keys in a file, one a line; empty lines and lines that begin with # are skipped.

    Raises InvalidConfiguration if the file cannot be read, holds no key, or holds one that is too short to be a secret.
    """
    try:
        lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidConfiguration(f"cannot read API keys from {file}: {exc}") from exc
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise InvalidConfiguration(f"there is no API key in {file}")
    if any(len(key) < _MIN_LENGTH for key in keys):
        raise InvalidConfiguration(f"an API key in {file} has fewer than {_MIN_LENGTH} characters")
    return keys


class ApiKeys:
    """Answers 401, before it reads any of the body, to a request without one of the keys.

    The paths in ``public`` need no key. A key comes in X-API-Key or as a bearer token; its hash is compared in constant
    time with the hash of every known key.
    """

    def __init__(self, app: ASGIApp, *, keys: Iterable[str], public: Collection[str]) -> None:
        self._app = app
        self._public = public
        self._known = [_digest(key) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self._public and not self._has_key(Headers(scope=scope)):
            await problem_response(scope, Unauthorized())(scope, receive, closing_send(send))
        else:
            await self._app(scope, receive, send)

    def _has_key(self, headers: Headers) -> bool:
        offered = headers.get(HEADER, "")
        authorization = headers.get("Authorization", "")
        if not offered and authorization.lower().startswith(_BEARER):
            offered = authorization[len(_BEARER) :].strip()
        digest = _digest(offered)
        return sum(hmac.compare_digest(digest, known) for known in self._known) > 0


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
