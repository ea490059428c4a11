"""Attack 2: more idle connections than file descriptors, on the public port and on that for operators."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPException
from typing import Final

from tests.support.live.servers import GOOD, GOOD_TEXT, Server
from tools.attack.bench import operators_of, probed, service
from tools.attack.figures import Figure, at_most, is_true

DESCRIPTORS: Final = 256
IDLE: Final = 500
SECONDS: Final = 5.0
_MOST_LINES: Final = 40
_HALF_A_HEAD: Final = b"GET /livez HTTP/1.1\r\nX-Idle: "


def keep_idle(server: Server, kept: ExitStack, *, sends: bytes = b"") -> None:
    """Opens connections that send nothing more, until ``kept`` closes them."""
    for _ in range(IDLE):
        with suppress(OSError):
            connection = kept.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            connection.sendall(sends)


def _answers(server: Server, path: str) -> bool:
    with suppress(OSError, HTTPException):
        return server.get(path).status == 200
    return False


def _beside(server: Server, attacked: Server, name: str, *, sends: bytes = b"") -> Iterator[Figure]:
    """What the service does while idle connections are open to ``attacked``, one of its ports."""
    lines = len(server.log)
    with ExitStack() as kept:
        keep_idle(attacked, kept, sends=sends)
        with probed(attacked.port) as health:
            until = time.monotonic() + SECONDS
            ready = [_answers(view, "/readyz") for view in (server, attacked) for _ in range(10)]
            read = server.upload(GOOD).payloads() == [GOOD_TEXT.encode()]
            time.sleep(max(0.0, until - time.monotonic()))
    words = f"{len(health.milliseconds)} answers, {health.lacking} lacking, on the clock {health.words()}"
    yield is_true(f"/livez beside {IDLE} {name}", health.lacking == 0, figure=words, wanted="0 lacking")
    yield is_true("  /readyz on both ports", all(ready), figure=f"{sum(ready)} of {len(ready)}", wanted="all")
    yield is_true("  a picture is read", read)
    yield at_most("  lines logged", len(server.log) - lines, _MOST_LINES + len(ready), unit="lines")


def measure() -> Iterator[Figure]:
    with service("--descriptors", str(DESCRIPTORS), admin_port=0, log_level="info") as server:
        operators = operators_of(server)
        yield from _beside(server, server, "idle connections")
        yield from _beside(server, server, "halves of heads", sends=_HALF_A_HEAD)
        yield from _beside(server, operators, "idle ones, admin port")
    with service("--descriptors", str(DESCRIPTORS), admin_port=0, connections=2 * IDLE) as server:
        operators_of(server)
        yield from _beside(server, server, "where a setting wants more")
