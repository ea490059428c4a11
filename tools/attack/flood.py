"""Connections that send a head and then the same bytes without end, again and again.

``python -m tools.attack.flood`` reads its orders as one JSON object from standard input: port, connections, head, piece
(both latin-1), pause (seconds between two pieces of a connection) and seconds. It prints the bytes sent and the
connections made. Needs the standard library only, and runs in a process of its own.
"""

import json
import selectors
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_WAIT: Final = 0.01


@dataclass(slots=True)
class _Flooder:
    connection: socket.socket
    unsent: bytes
    due: float = 0.0


class Flood:
    """Keeps so many connections sending."""

    def __init__(self, port: int, head: bytes, piece: bytes, pause: float) -> None:
        self._port, self._head, self._piece, self._pause = port, head, piece, pause
        self._ready = selectors.DefaultSelector()
        self.sent = self.made = 0

    def run(self, connections: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        for _ in range(connections):
            self._open()
        while time.monotonic() < until:
            for key, events in self._ready.select(_WAIT):
                self._serve(key.data, events)
        for key in list(self._ready.get_map().values()):
            key.data.connection.close()
        self._ready.close()

    def _open(self) -> None:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        self.made += 1
        events = selectors.EVENT_READ | selectors.EVENT_WRITE
        self._ready.register(connection, events, _Flooder(connection, self._head))

    def _serve(self, flooder: _Flooder, events: int) -> None:
        try:
            if events & selectors.EVENT_READ and not flooder.connection.recv(1 << 16):
                raise ConnectionResetError
            if events & selectors.EVENT_WRITE:
                self._send(flooder)
        except BlockingIOError:
            pass
        except OSError:
            self._ready.unregister(flooder.connection)
            flooder.connection.close()
            with suppress(OSError):
                self._open()

    def _send(self, flooder: _Flooder) -> None:
        now = time.monotonic()
        if now < flooder.due:
            time.sleep(min(0.0005, flooder.due - now))
            return
        count = flooder.connection.send(flooder.unsent)
        self.sent += count
        flooder.unsent = flooder.unsent[count:]
        if not flooder.unsent:
            flooder.unsent, flooder.due = self._piece, now + self._pause


def main() -> None:
    orders = json.load(sys.stdin)
    head, piece = (orders[name].encode("latin-1") for name in ("head", "piece"))
    flood = Flood(orders["port"], head, piece, orders["pause"])
    flood.run(orders["connections"], orders["seconds"])
    sys.stdout.write(json.dumps({"sent": flood.sent, "made": flood.made}))


if __name__ == "__main__":
    main()
