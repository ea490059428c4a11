"""Starts a built image as a careful operator would and asks it to read a picture: no network but loopback, a read-only
root, an unprivileged user, a small /tmp. Needs root, and a mount and process namespace of its own."""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import layers
from dockerfile import Health

_POLL: Final = 0.25  # seconds
_ORPHANS: Final = 5.0
_AT_ONCE: Final = 4
_CLONE_NEWNET: Final = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


class Failed(Exception):
    """The image did not do what it is for."""


@dataclass(slots=True)
class Trial:
    """What was seen. Memory is the sum of proportional set sizes, tasks are threads of all processes: peaks of both."""

    ready: float = 0.0
    stopped: float = 0.0
    status: int = 0
    left: int = 0
    processes: int = 0
    tasks: int = 0
    memory: int = 0
    temporary: int = 0

    def told(self) -> str:
        return (
            f"healthy after {self.ready:.1f} s; every reading right; "
            f"stopped in {self.stopped:.1f} s with status {self.status}, {self.left} processes left\n"
            f"peaks: {self.memory / 2**20:.0f} MiB of memory, {self.processes} processes, {self.tasks} tasks, "
            f"{self.temporary / 2**20:.1f} MiB of /tmp"
        )

    def look(self, root: Path) -> None:
        family = list(_family(os.getpid()))
        self.processes = max(self.processes, len(family))
        self.tasks = max(self.tasks, sum(_field(pid, "status", "Threads:") for pid in family))
        self.memory = max(self.memory, sum(_field(pid, "smaps_rollup", "Pss:") * 1024 for pid in family))
        usage = os.statvfs(root / "tmp")
        self.temporary = max(self.temporary, (usage.f_blocks - usage.f_bfree) * usage.f_frsize)


def attempt(
    root: Path, image: layers.Image, command: tuple[str, ...], health: Health, *, picture: Path, text: str, rounds: int
) -> Trial:
    """Starts, waits until healthy, has ``picture`` read ``rounds`` times, `_AT_ONCE` at once, stops. Raises Failed.

    ``text`` must be the payload of the first code.
    """
    leave_network()
    seen = Trial()
    began = time.monotonic()
    server = layers.inside(root, image, command, {})
    try:
        while not _is_healthy(root, image, health):
            seen.look(root)
            if server.poll() is not None:
                raise Failed(f"the service ended with status {server.returncode} before it was healthy")
            if time.monotonic() - began > health.start_period + 3 * health.interval:
                raise Failed("the service did not become healthy")
            time.sleep(_POLL)
        seen.ready = time.monotonic() - began
        port = int(image.environment["QRESTORE_PORT"])
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as clients:
            answers = [clients.submit(_read, port, picture) for _ in range(rounds)]
            while not all(answer.done() for answer in answers):
                seen.look(root)
                time.sleep(_POLL)
        for answer in answers:
            if answer.result()[:1] != [text]:
                raise Failed(f"read {answer.result()} in {picture.name}, not {text!r}")
    finally:
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        try:
            seen.status = server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            server.kill()
            raise Failed("the service did not stop within 60 seconds of SIGTERM") from None
        seen.stopped = time.monotonic() - began
        seen.left = _end_orphans()
    if seen.status != 0:
        raise Failed(f"the service ended with status {seen.status} after SIGTERM")
    return seen


def leave_network() -> None:
    """From here on this process and its children have a loopback interface and nothing else."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = fcntl.ioctl(handle, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        (flags,) = struct.unpack_from("H", request, 16)
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _end_orphans() -> int:
    """How many processes outlive the service by `_ORPHANS` seconds. They are this process's by now, and are killed."""
    until = time.monotonic() + _ORPHANS
    left = list(_family(os.getpid()))
    while left and time.monotonic() < until:
        time.sleep(_POLL)
        _reap()
        left = list(_family(os.getpid()))
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    time.sleep(_POLL if left else 0)
    _reap()
    return len(left)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _is_healthy(root: Path, image: layers.Image, health: Health) -> bool:
    probe = layers.inside(root, image, health.command, {}, quiet=True)
    try:
        return probe.wait(timeout=health.timeout) == 0
    except subprocess.TimeoutExpired:
        probe.kill()
        probe.wait()
        return False


def _read(port: int, picture: Path) -> list[str]:
    """The texts of the codes that the service reads in a picture."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="picture"\r\n\r\n'
    body = head.encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/decode",
        data=body,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return [code["text"] for code in json.load(answer)["codes"]]


def _family(ancestor: int) -> Iterator[int]:
    """Every descendant of a process."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            children.setdefault(_field(int(entry.name), "status", "PPid:"), []).append(int(entry.name))
    waiting = list(children.get(ancestor, ()))
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, ())


def _field(pid: int, file: str, name: str) -> int:
    """A number of /proc/PID/FILE; 0 where the process has gone."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
