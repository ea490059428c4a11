"""A server that first refuses, as the test says, and then hands requests on to the real service."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Final

HANG_UP: Final = 0
"""Instead of a status: ends the connection without an answer."""

Refusal = tuple[int, Mapping[str, str]]
"""A status, or HANG_UP, and headers."""


@dataclass
class Refusing:
    """The refusals that each body meets in turn; bodies not named meet ``otherwise``."""

    port: int
    refusals: dict[bytes, Sequence[Refusal]] = field(default_factory=dict)
    otherwise: Sequence[Refusal] = ()
    arrivals: dict[bytes, list[float]] = field(default_factory=lambda: defaultdict(list))
    """When each body came, in seconds of `time.monotonic`."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refusal(self, body: bytes) -> Refusal | None:
        """What this request meets; None if it goes on to the service."""
        arrivals = self.arrivals[body]
        arrivals.append(time.monotonic())
        return next(iter(self.refusals.get(body, self.otherwise)[len(arrivals) - 1 :]), None)

    def waits(self, body: bytes) -> list[float]:
        """Seconds between the attempts to send this body."""
        times = self.arrivals[body]
        return [later - earlier for earlier, later in pairwise(times)]


@contextmanager
def refusing(service: int) -> Iterator[Refusing]:
    """Serves inside the block, in front of the service at that port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            refusal = front.refusal(body)
            if refusal is None:
                self._hand_on(body)
                return
            status, headers = refusal
            if status == HANG_UP:
                self.close_connection = True
                return
            self._answer(status, headers, b'{"status": %d, "title": "Refused", "detail": "Not now."}' % status)

        def _hand_on(self, body: bytes) -> None:
            connection = HTTPConnection("127.0.0.1", service, timeout=60)
            connection.request("POST", self.path, body, {"Content-Type": self.headers["Content-Type"]})
            response = connection.getresponse()
            answer = response.read()
            connection.close()
            self._answer(response.status, {"Content-Type": response.headers["Content-Type"]}, answer)

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            given = {"Content-Type": "application/problem+json", "Content-Length": str(len(body))} | headers
            for name, value in given.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Writes nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    front = Refusing(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
