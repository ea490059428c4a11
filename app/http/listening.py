"""The sockets that the server listens on, bound before anything is loaded: a port that is taken is known at once."""

import errno
import os
import socket
from collections.abc import Mapping
from typing import Final

from app.errors import InvalidConfiguration

_BACKLOG: Final = 2048
_PRIVILEGED: Final = 1024  # ports below it


def listen_on(host: str, ports: Mapping[str, int | None]) -> list[list[socket.socket]]:
    """The listening sockets of each port, none for None; ``ports`` are by the setting that names each.

    Raises InvalidConfiguration, whose detail names the cause and how to fix it, and keeps none open then.
    """
    found: list[list[socket.socket]] = []
    try:
        for setting, port in ports.items():
            found.append([] if port is None else listen(host, port, setting=setting))
    except InvalidConfiguration:
        for each in (each for sockets in found for each in sockets):
            each.close()
        raise
    return found


def listen(host: str, port: int, *, setting: str) -> list[socket.socket]:
    """A listening socket for each address of ``host``; ``setting`` is the variable that names the port.

    Raises InvalidConfiguration, whose detail names the cause and how to fix it.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise InvalidConfiguration(f"QRESTORE_HOST: {host!r} is neither an address nor a known name") from exc
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            sockets.append(_bound(family, kind, protocol, address))
        except OSError as exc:
            failure = exc
            if exc.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):  # one family may be switched off
                break
    if failure and not (sockets and failure.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)):
        for each in sockets:
            each.close()
        raise InvalidConfiguration(_explained(failure, host, port, setting)) from failure
    return sockets


def url(listening: socket.socket) -> str:
    """Where clients reach a socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bound(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket:
    """Raises OSError."""
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _explained(failure: OSError, host: str, port: int, setting: str) -> str:
    match failure.errno:
        case errno.EADDRINUSE:
            return f"{host}:{port} is in use: stop the process that listens there, or set {setting} to another port"
        case errno.EACCES if port < _PRIVILEGED:
            return f"port {port} needs privileges: set {setting} to a port from {_PRIVILEGED} on"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine: set QRESTORE_HOST to one, or to 0.0.0.0 for all"
        case _:
            return f"cannot listen on {host}:{port}: {os.strerror(failure.errno or 0)} (QRESTORE_HOST, {setting})"
