"""What a request is for: its host, its path and its method, in the forms that HTTP allows."""

from collections.abc import Collection, Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import MalformedBody, Misdirected, QrestoreError
from app.http.problems import problem_response
from app.http.uploads import closing_send

METHOD: Final = "method"
"""Where `scope["state"]` keeps the method that the client sent."""


class PlainTarget:
    """Gives the application the path and method that its routes know.

    - A target in absolute form, `http://host/path`, becomes its path, and its host the value of Host (RFC 9112, 3.2.2).
      uvicorn would take it for a path.
    - HEAD becomes GET: the server sends no body with the answer (RFC 9110, 9.3.2). The framework's routes know HEAD
      only where each of them names it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "state": {**scope.get("state", {}), METHOD: scope["method"]}}
            if scope["method"] == "HEAD":
                scope["method"] = "GET"
            if scope["path"][:7].lower() in ("http://", "https:/"):
                _make_plain(scope)
        await self._app(scope, receive, send)


def _make_plain(scope: Scope) -> None:
    authority, slash, path = scope["raw_path"].partition(b"//")[2].partition(b"/")
    scope["raw_path"] = slash + path or b"/"
    scope["path"] = unquote(scope["raw_path"].decode("latin-1"))
    scope["headers"] = [(name, authority if name == b"host" else value) for name, value in scope["headers"]]


class AllowedHosts:
    """Answers 421 to a request for a host that is not among ``hosts``: names, or `*.name` for all below a name.

    So a page of another site whose name was made to lead here can ask nothing. ``health`` paths are answered under the
    machine's own addresses, too, since orchestrators ask for them by address: no name leads there.

    Starlette's TrustedHostMiddleware answers 400 in plain text, redirects to www, and has no exception for health.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str], health: Collection[str]) -> None:
        self._app = app
        self._names = {host for host in hosts if not host.startswith("*")}
        self._suffixes = tuple(host[1:] for host in hosts if host.startswith("*."))
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(scope, refusal)(scope, receive, closing_send(send))

    def _refusal(self, scope: Scope) -> QrestoreError | None:
        try:
            host = urlsplit(f"//{Headers(scope=scope).get('Host', '')}").hostname or ""
        except ValueError:
            return MalformedBody("The Host is not valid.")
        if host in self._names or host.endswith(self._suffixes):
            return None
        return None if scope["path"] in self._health and _is_local(host) else Misdirected()


def _is_local(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
