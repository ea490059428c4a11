"""API keys, for services that not everybody may use: who is let in, and how the interface's description says so."""

from collections.abc import Callable, Collection
from typing import Any, Final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import Unauthorized
from app.http.keys import KeyRing
from app.http.problems import problem_response, problem_responses
from app.http.uploads import closing_send

HEADER: Final = "X-API-Key"
_BEARER: Final = "bearer "

_SCHEMES: Final = {
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": HEADER,
        "description": "A key from the operator of the service. Needed only where the operator has set keys.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "The same key as a bearer token."},
}


class ApiKeys:
    """Answers 401, before it reads any of the body, to a request without one of the keys.

    The paths in ``public`` need no key. A key comes in X-API-Key or as a bearer token. The name of the key that opened
    goes into `scope["state"]["key"]`, for the log, and to ``on_use``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: KeyRing,
        public: Collection[str],
        on_use: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._app = app
        self._keys = keys
        self._public = public
        self._on_use = on_use

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._public:
            await self._app(scope, receive, send)
        elif (name := self._keys.name_of(_offered(Headers(scope=scope)))) is None:
            await problem_response(scope, Unauthorized())(scope, receive, closing_send(send))
        else:
            scope["state"]["key"] = name
            self._on_use(name)
            await self._app(scope, receive, send)


def _offered(headers: Headers) -> str:
    """The key that a request carries; empty if it has none."""
    offered = headers.get(HEADER, "")
    authorization = headers.get("Authorization", "")
    if not offered and authorization.lower().startswith(_BEARER):
        return authorization[len(_BEARER) :].strip()
    return offered


def describe_keys(app: FastAPI, *, public: Collection[str], needed: bool) -> None:
    """Has the OpenAPI description of ``app`` say how keys are sent and, where they are ``needed``, by which operations:
    those whose path is not ``public``."""
    describe = app.openapi

    def describe_with_keys() -> dict[str, Any]:
        schema = describe()
        schema["components"]["securitySchemes"] = _SCHEMES
        if needed:
            for path in set(schema["paths"]) - set(public):
                for operation in schema["paths"][path].values():
                    _need_key(operation)
        return schema

    app.openapi = describe_with_keys  # type: ignore[method-assign]


def _need_key(operation: dict[str, Any]) -> None:
    operation["security"] = [{name: []} for name in _SCHEMES]
    refusal = problem_responses(Unauthorized)
    operation["responses"].update({str(status): answer for status, answer in refusal.items()})
