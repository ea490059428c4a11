"""Ports for servers that are started later."""

import contextlib
import random
import socket
from collections.abc import Iterator
from typing import Final

_LASTING: Final = range(20_000, 30_000)
"""Below those that Linux gives to connections and Ray to its processes."""
_candidates: Final[Iterator[int]] = iter(random.sample(_LASTING, len(_LASTING)))


def lasting_port() -> int:
    """A free port of 127.0.0.1, another one with each call.

    No connection takes it meanwhile as its own: some time may pass until a server listens there, and between its stop
    and its next start.
    """
    for port in _candidates:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("all ports have been given away")
