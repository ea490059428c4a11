"""Attack 4: as many uploads as there are places, at a byte a second, and from one client that sends well enough."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from tests.support.live.servers import GOOD, Server, upload
from tools.attack.bench import service
from tools.attack.figures import Figure, at_most, is_true, percentile

UPLOADS: Final = 32
HONEST: Final = 20
_BEGINNING: Final = upload(bytes(1_000_000))[:400]
_MOST_WAIT_MS: Final = 2000.0


class _Drips:
    """Connections that send a piece of a body every second, and come again as soon as they are refused."""

    def __init__(self, port: int, piece: bytes) -> None:
        self._port, self._piece = port, piece
        self._end = threading.Event()
        self.refused = 0

    def run(self) -> None:
        with ExitStack() as kept:
            while not self._end.wait(0.001):
                self._drip(kept)

    def _drip(self, kept: ExitStack) -> None:
        with suppress(OSError):
            connection = kept.enter_context(socket.create_connection(("127.0.0.1", self._port), timeout=5))
            connection.sendall(_BEGINNING)
            connection.settimeout(1.0)
            while not self._end.is_set():
                try:
                    connection.recv(4096)
                    self.refused += 1
                    return
                except TimeoutError:
                    connection.sendall(self._piece)

    def end(self) -> None:
        self._end.set()


@contextmanager
def dripping(server: Server, piece: bytes) -> Iterator[_Drips]:
    """Keeps every place of an upload busy inside the block."""
    drips = _Drips(server.port, piece)
    threads = [threading.Thread(target=drips.run, daemon=True) for _ in range(UPLOADS)]
    for thread in threads:
        thread.start()
    try:
        yield drips
    finally:
        drips.end()
        for thread in threads:
            thread.join()


def _honest(server: Server, address: str) -> tuple[int, list[float]]:
    """How many uploads are read, and the milliseconds until each is, with new tries after 429."""
    spent, read = [], 0
    for _ in range(HONEST):
        began = time.monotonic()
        answer = server.upload(GOOD, source=address)
        while answer.status == 429 and time.monotonic() - began < 10:
            time.sleep(0.1)
            answer = server.upload(GOOD, source=address)
        read += answer.status == 200
        spent.append(1000 * (time.monotonic() - began))
        time.sleep(0.1)
    return read, spent


def measure() -> Iterator[Figure]:
    for name, piece, address in (
        ("a byte a second, same client", b"x", "127.0.0.1"),
        ("a byte a second, another client", b"x", "127.0.0.2"),
        ("4 KB a second, another client", bytes(4096), "127.0.0.2"),
    ):
        with service() as server, dripping(server, piece) as drips:
            time.sleep(2)
            read, spent = _honest(server, address)
            wait = percentile(spent, 0.95)
            yield is_true(f"read beside {name}", read == HONEST, figure=f"{read} of {HONEST}", wanted=f"{HONEST}")
            yield at_most(
                "  wait, p95 on the clock", wait, _MOST_WAIT_MS, unit="ms", beside=f", {drips.refused} dropped"
            )
