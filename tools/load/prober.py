"""Asks /livez again and again from a process of its own, so that only the service is measured.

``python -m tools.load.prober PORT`` asks until its standard input ends, then prints the milliseconds of each answer as
a JSON list, with null for no answer and for any but the right one. Needs the standard library only.
"""

import json
import select
import socket
import sys
import time
from collections.abc import Sequence
from typing import Final

_REQUEST: Final = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_PAUSE: Final = 0.02
_MOST: Final = 60_000


def ask(port: int) -> float | None:
    """Milliseconds from before the connection to the end of the answer."""
    began = time.perf_counter()
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(_REQUEST)
            while piece := connection.recv(4096):
                answer += piece
    except OSError:
        return None
    spent = 1000 * (time.perf_counter() - began)
    return spent if answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b'{"status":"alive"}') else None


def main(argv: Sequence[str]) -> None:
    port = int(argv[0])
    answers: list[float | None] = []
    while len(answers) < _MOST and not select.select([sys.stdin], [], [], _PAUSE)[0]:
        answers.append(ask(port))
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1:])
