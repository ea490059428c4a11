"""Breaks what a running service stands on and measures what its clients see: `python -m tools.chaos [NAME...]`.

Prints a line for each promise, what was measured, and ok, FAIL or skipped. Exits 1 after a FAIL. Full disks, small
shared memory and few threads need Linux and root, jumps of the clock libfaketime (Debian's package faketime); without
them these are skipped.
"""

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.workers.usage import usage_of
from tests.support.live.servers import SERVE, Server, children_of, running
from tools.attack.figures import Figure, at_most, is_true

_RECOVERY_MS: Final = 5000.0
_START_MS: Final = 30_000.0
_WORK_SECONDS: Final = 3.0
_STOPPED_MS: Final = 3 * 1000 * _WORK_SECONDS  # a client may meet more than one child that is stopped
_CHILDREN: Final = 5  # of two workers: a slow one and two in reserve, too
_AS_SOMEBODY: Final = (
    *("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"),
    *("--inh-caps", "+dac_read_search,+dac_override", "--ambient-caps", "+dac_read_search,+dac_override"),
)
"""A user of whom there are no other processes, and who may read where this program lies."""
FAKETIME: Final = next(map(str, Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), "")
"""The library that shows other processes another time; empty if it is not installed."""
_FAKED: Final = {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
_IN_NAMESPACE: Final = ("unshare", "--mount", "--propagation", "private", "sh", "-c")


class Skipped(Exception):
    """This machine cannot do it; the text says why."""


class Clients:
    """Clients that send good pictures all the while, and what became of them."""

    def __init__(self, server: Server, count: int = 2) -> None:
        self._server = server
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(count)
        self.read = self.failed = 0
        self._done = [self._pool.submit(self._send) for _ in range(count)]

    def _send(self) -> None:
        while not self._stop.wait(0.02):
            if self._server.reads():
                self.read += 1
            else:
                self.failed += 1

    def end(self) -> None:
        self._stop.set()
        self._pool.shutdown()


@contextmanager
def sending(server: Server) -> Iterator[Clients]:
    clients = Clients(server)
    try:
        time.sleep(0.5)
        yield clients
        time.sleep(1.0)
    finally:
        clients.end()


def milliseconds_until(condition: Callable[[], bool], seconds: float = 60.0) -> float:
    """Milliseconds until the condition holds; infinite after ``seconds``."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if condition():
            return 1000 * (time.monotonic() - began)
        time.sleep(0.005)
    return float("inf")


def _recovers(
    name: str, server: Server, clients: Clients, lost: Sequence[int], *, most_failed: int
) -> Iterator[Figure]:
    """Waits until others have taken the place of the ``lost`` children."""
    spent = milliseconds_until(lambda: _has_new(server, lost) and server.reads())
    yield at_most(f"{name}: there are others, and they read", spent, _RECOVERY_MS, unit="ms")
    words = f"{clients.failed} of {clients.failed + clients.read}"
    yield is_true("  pictures lost", clients.failed <= most_failed, figure=words, wanted=f"<= {most_failed}")


def _has_new(server: Server, lost: Sequence[int]) -> bool:
    return len(set(server.workers()) - set(lost)) >= _CHILDREN


def child_killed() -> Iterator[Figure]:
    with running(workers=2) as server, sending(server) as clients:
        lost = server.workers()[:1]
        os.kill(lost[0], signal.SIGKILL)
        yield from _recovers("SIGKILL of a child", server, clients, lost, most_failed=1)


def fork_server_killed() -> Iterator[Figure]:
    with running(workers=2) as server, sending(server) as clients:
        lost = server.workers()
        (fork_server,) = [pid for pid in server.helpers() if children_of(pid)]
        for pid in (fork_server, *lost):
            os.kill(pid, signal.SIGKILL)
        yield from _recovers("SIGKILL of the fork server and all", server, clients, lost, most_failed=2)


def server_killed() -> Iterator[Figure]:
    with running(workers=2) as server:
        children = server.children()
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        gone = milliseconds_until(lambda: not any(map(_is_running, children)))
        yield at_most("SIGKILL of the server: its children end", gone, _RECOVERY_MS, unit="ms")
    began = time.monotonic()
    with running(workers=2) as again:
        ready = 1000 * (time.monotonic() - began)
        yield at_most("  a new one is ready", ready, _START_MS, unit="ms")
        yield is_true("  and reads", again.reads())


def _is_running(pid: int) -> bool:
    found = usage_of(pid)
    return found is not None and found.state not in "ZX"


def child_stopped() -> Iterator[Figure]:
    with running(workers=2, work_seconds=_WORK_SECONDS) as server, sending(server) as clients:
        _stop_all(server)
        spent = milliseconds_until(server.reads)
        yield at_most("SIGSTOP of all children: pictures are read again", spent, _STOPPED_MS, unit="ms")
        words = f"{clients.failed} of {clients.failed + clients.read}"
        yield is_true("  pictures lost", clients.failed <= _CHILDREN, figure=words, wanted=f"<= {_CHILDREN}")
        timeouts = server.restarts("timeout")
        yield is_true("  they are replaced at the deadline", timeouts >= 1, figure=f"{timeouts:.0f} replaced")


def _stop_all(server: Server) -> None:
    for child in server.workers():
        os.kill(child, signal.SIGSTOP)


def disk_full() -> Iterator[Figure]:
    mount = "mount -t tmpfs -o size=256k tmpfs /tmp && head -c 300k /dev/zero >/tmp/full; "
    yield from _confined("a full /tmp", mount)


def small_shared_memory() -> Iterator[Figure]:
    yield from _confined("/dev/shm of 1 MB", "mount -t tmpfs -o size=1m tmpfs /dev/shm && ")


def _confined(name: str, mount: str) -> Iterator[Figure]:
    if os.geteuid() != 0 or subprocess.run([*_IN_NAMESPACE, "true"], capture_output=True, check=False).returncode:
        raise Skipped("mounting needs root")
    command = f"{mount} exec {sys.executable} {' '.join(SERVE)}"
    with running(entry=("-c", _EXEC, *_IN_NAMESPACE, command), workers=2) as server:
        results = [server.reads() for _ in range(20)]
        yield is_true(f"{name}: pictures are read", all(results), figure=f"{sum(results)} of {len(results)}")
        lost = server.workers()
        for pid in lost:
            os.kill(pid, signal.SIGKILL)
        spent = milliseconds_until(lambda: _has_new(server, lost) and server.reads())
        yield at_most("  all children are replaced", spent, _RECOVERY_MS, unit="ms")


_EXEC: Final = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"


def few_descriptors() -> Iterator[Figure]:
    command = f"ulimit -n 64 && exec {sys.executable} {' '.join(SERVE)}"
    with running(entry=("-c", _EXEC, "sh", "-c", command), workers=2) as server, sending(server) as clients:
        lost = server.workers()[:1]
        os.kill(lost[0], signal.SIGKILL)
        yield from _recovers("64 descriptors, SIGKILL of a child", server, clients, lost, most_failed=1)


def few_threads() -> Iterator[Figure]:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skipped("it needs root, whom no limit on threads holds, and setpriv")
    program = (*_AS_SOMEBODY, sys.executable, "-B", *SERVE)
    with running(entry=("-c", _EXEC, *program), workers=2, log_format="json") as server:
        if not server.reads():
            raise Skipped("this user cannot run the service")
        yield from _without_threads(server)
    refused = subprocess.run(
        [*_AS_SOMEBODY, "prlimit", "--nproc=3", sys.executable, "-B", *SERVE],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in refused.stderr.splitlines() if not line.startswith("{")]
    is_told = len(told) == 1 and "ulimit -u" in told[0]
    yield is_true("three threads for a start: it fails in one line", is_told, figure=f"{len(told)} line")


def _without_threads(server: Server) -> Iterator[Figure]:
    """Takes every further thread and process from a running service, then a child, then gives them back."""
    held = [server.pid, *server.children()]
    with sending(server) as clients:
        _limit(held, sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in held))
        lost = server.workers()[:1]
        os.kill(lost[0], signal.SIGKILL)
        yield from _recovers("no thread to spare, SIGKILL of a child", server, clients, lost, most_failed=1)
    _limit(held, 1)
    os.kill(server.workers()[0], signal.SIGKILL)
    noticed = milliseconds_until(lambda: server.get("/readyz").status == 503)
    yield at_most("  none for a new child: /readyz turns 503", noticed, _RECOVERY_MS, unit="ms")
    told = milliseconds_until(lambda: any("child processes do not start" in line for line in server.log))
    yield at_most("  the log says why", told, _RECOVERY_MS, unit="ms")
    _limit(held, None)
    spent = milliseconds_until(lambda: server.get("/readyz").status == 200 and server.reads())
    yield at_most("  the limit goes: it is ready again, and reads", spent, _RECOVERY_MS, unit="ms")


def _limit(pids: Sequence[int], tasks: int | None) -> None:
    """Has the kernel refuse these processes a thread or process beyond so many of their user; None: none again."""
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)
    allowed = most if tasks is None else tasks
    for pid in pids:
        limit = f"--nproc={'unlimited' if allowed == resource.RLIM_INFINITY else allowed}:"
        subprocess.run([*_AS_SOMEBODY, "prlimit", "--pid", str(pid), limit], capture_output=True, check=False)


def clock_jumps() -> Iterator[Figure]:
    if not FAKETIME:
        raise Skipped("there is no libfaketime")
    with tempfile.TemporaryDirectory() as folder:
        shift = Path(folder, "shift")
        shift.write_text("+0")
        variables = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(shift), **_FAKED}
        command = " ".join([*(f"{name}={value}" for name, value in variables.items()), "exec", sys.executable, *SERVE])
        entry = ("-c", _EXEC, "sh", "-c", command)
        with running(entry=entry, workers=2, work_seconds=2 * _WORK_SECONDS, log_format="json") as server:
            for words, value in (("ten days on", "+10d"), ("ten days back", "-10d"), ("right again", "+0")):
                yield from _jump(server, shift, words, value)
            with sending(server):
                _stop_all(server)
                shift.write_text("-10d")
                spent = milliseconds_until(server.reads)
            yield at_most("  children that are stopped meanwhile: read again", spent, 2 * _STOPPED_MS, unit="ms")


def _jump(server: Server, shift: Path, words: str, value: str) -> Iterator[Figure]:
    before = len(server.log)
    with sending(server) as clients:
        milliseconds_until(lambda: len(server.log) > before)  # of the day before the jump
        shift.write_text(value)
        time.sleep(1.0)
    times = {line.partition('"time": "')[2][:10] for line in server.log[before:]}
    lost = f"{clients.failed} of {clients.failed + clients.read}, log of {len(times)} day{'s' * (len(times) > 1)}"
    yield is_true(
        f"the clock jumps, {words}: pictures lost",
        not clients.failed and len(times) > 1,
        figure=lost,
        wanted="0, 2 days",
    )


CALAMITIES: Final[Mapping[str, Callable[[], Iterator[Figure]]]] = {
    "child-killed": child_killed,
    "fork-server-killed": fork_server_killed,
    "server-killed": server_killed,
    "child-stopped": child_stopped,
    "disk-full": disk_full,
    "small-shared-memory": small_shared_memory,
    "few-descriptors": few_descriptors,
    "few-threads": few_threads,
    "clock-jumps": clock_jumps,
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *CALAMITIES], metavar="NAME", help=", ".join(CALAMITIES))
    all_ok = True
    for name in parser.parse_args(argv).names or CALAMITIES:
        try:
            for each in CALAMITIES[name]():
                verdict = "ok" if each.ok else "FAIL"
                sys.stdout.write(f"{each.name:<52} {each.figure:<24} {each.wanted:<14} {verdict}\n")
                sys.stdout.flush()
                all_ok &= each.ok
        except Skipped as why:
            sys.stdout.write(f"{name:<52} skipped: {why}\n")
    return 0 if all_ok else 1


if __name__ == "__main__":
    sys.exit(main())
