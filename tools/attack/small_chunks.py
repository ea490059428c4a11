"""Attack 1: fifty connections that send bodies in chunks of one byte, and other bodies that are expensive to parse."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.live.servers import BOUNDARY, GOOD, GOOD_TEXT, Server, upload
from tests.support.paths import ROOT
from tools.attack.bench import KEY, Health, Loop, operators_of, probed, service, watched
from tools.attack.figures import Figure, at_most, is_true

CONNECTIONS: Final = 50
SECONDS: Final = 6.0
P99_MS: Final = 50.0
_BYTES: Final = "1\r\nx\r\n"
_FORM: Final = "multipart/form-data; boundary=" + BOUNDARY.decode()


def _head(line: str, *fields: str, chunked: bool = True) -> str:
    coding = ["Transfer-Encoding: chunked"] if chunked else []
    return "\r\n".join([f"{line} HTTP/1.1", "Host: x", *coding, *fields, "", ""])


_WITH: Final = f"X-API-Key: {KEY}"
_WRONG: Final = "X-API-Key: a key of somebody else"
_START: Final = f'--{BOUNDARY.decode()}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
_FIRST: Final = f"{len(_START):x}\r\n{_START}\r\n"
"""The beginning of a form, as a chunk: what follows is the file."""

FLOODS: Final[dict[str, dict[str, Any]]] = {
    "a valid key": {"head": _head("POST /decode", _WITH, f"Content-Type: {_FORM}") + _FIRST, "piece": _BYTES * 4096},
    "a wrong key": {"head": _head("POST /decode", _WRONG, f"Content-Type: {_FORM}"), "piece": _BYTES * 4096},
    "/restore": {"head": _head("POST /restore", _WITH, f"Content-Type: {_FORM}") + _FIRST, "piece": _BYTES * 4096},
    "a JSON body": {"head": _head("POST /decode", _WITH, "Content-Type: application/json"), "piece": _BYTES * 4096},
    "a long query": {"head": _head("POST /decode?q=" + "x" * 8000, _WITH), "piece": _BYTES * 4096},
    "a path that does not exist": {"head": _head("POST /nowhere", _WITH), "piece": _BYTES * 4096},
    "GET": {"head": _head("GET /version"), "piece": _BYTES * 4096},
    "one packet a chunk": {
        "head": _head("POST /decode", _WITH, f"Content-Type: {_FORM}") + _FIRST,
        "piece": _BYTES,
        "pause": 0.001,
    },
    "one packet a byte, with a length": {
        "head": _head("POST /decode", _WITH, f"Content-Type: {_FORM}", "Content-Length: 9000000", chunked=False)
        + _START,
        "piece": "x",
        "pause": 0.001,
    },
    "one packet a byte of a head": {"head": "GET /version HTTP/1.1\r\nX: ", "piece": "x", "pause": 0.001},
    "extensions": {"head": _head("POST /decode", _WITH), "piece": ("1;" + "e" * 500 + "\r\nx\r\n") * 64},
    "trailers": {"head": _head("POST /decode", _WITH) + "0\r\n", "piece": "a:\r\n" * 16384},
    "long heads": {"head": "", "piece": _head("GET /version", *["a:"] * 90, chunked=False) * 16},
    "spaces in a field": {"head": "", "piece": "GET /livez HTTP/1.1\r\nX:" + " " * 15_000 + "\0\r\n\r\n"},
}
"""What the connections send, by what is special about it."""


@contextmanager
def flooded(port: int, *, seconds: float, connections: int = CONNECTIONS, **orders: Any) -> Iterator[dict[str, int]]:
    """Floods a port from another process inside the block, which must last no longer than ``seconds``; what it sent and
    how many connections it made is there when the block ends."""
    result: dict[str, int] = {}
    orders = {"port": port, "seconds": seconds, "connections": connections, "pause": 0.0} | orders
    command = [sys.executable, "-m", "tools.attack.flood"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(orders))
        process.stdin.close()
        process.stdin = None
        yield result
        result |= json.loads(process.communicate(timeout=60)[0])


def _beside(server: Server, flood: dict[str, Any], *, port: int) -> tuple[Health, dict[str, int], Loop]:
    watched(server)
    with flooded(port, seconds=SECONDS, **flood) as sent:
        time.sleep(0.5)
        with probed(server.port) as health:
            time.sleep(SECONDS - 1)
    return health, sent, watched(server)


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder, "keys")
        keys.write_text(KEY + "\n")
        with service(api_keys_file=keys, admin_port=0) as server:
            yield from _measure(server)


def _measure(server: Server) -> Iterator[Figure]:
    operators = operators_of(server)
    watched(server)
    with probed(server.port) as idle:
        time.sleep(SECONDS / 2)
    yield from _figures("nothing", (idle, {"sent": 0, "made": 0}, watched(server)))
    for name, flood in FLOODS.items():
        yield from _figures(name, _beside(server, flood, port=server.port))
    flood = FLOODS["a path that does not exist"]
    yield from _figures("the admin port, flooded", _beside(server, flood, port=operators.port))
    yield from _figures("it, on the admin port", _beside(operators, flood, port=operators.port))
    answer = server.send(upload(GOOD, b"X-API-Key: " + KEY.encode()))
    yield is_true("a picture is read afterwards", answer.payloads() == [GOOD_TEXT.encode()])


def _figures(name: str, measured: tuple[Health, dict[str, int], Loop]) -> Iterator[Figure]:
    health, sent, loop = measured
    wall = f" (on the clock {health.words()}; {sent['sent'] / 1e6 / SECONDS:.1f} MB/s, {sent['made']} connections)"
    yield at_most(f"/livez p99 beside {name}", loop.p99(), P99_MS, unit="ms", beside=wall)
    yield at_most("  longest callback", loop.longest, P99_MS, unit="ms", beside=f" {loop.callback[:60]}")
    yield is_true("  every probe answered", health.lacking == 0, figure=f"{health.lacking} lacking", wanted="0 lacking")
