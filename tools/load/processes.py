"""Memory and processor time of a service and its children, from Linux' /proc."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


def available() -> bool:
    return (_PROC / "self/stat").exists()


@dataclass(frozen=True, slots=True)
class Usage:
    """Resident bytes and processor seconds.

    Pages that children share count in each of them; the time of children that have ended stays in the sum.
    """

    server_memory: int
    children_memory: int
    server_seconds: float
    children_seconds: float
    children: int


def usage(pid: int) -> Usage:
    """The usage of a process and all its descendants. Raises ProcessLookupError for an unknown process."""
    table = dict(_table())
    if pid not in table:
        raise ProcessLookupError(pid)
    server, children = table[pid], list(_descendants(pid, table))
    return Usage(
        server_memory=server.memory,
        children_memory=sum(child.memory for child in children),
        server_seconds=server.seconds,
        children_seconds=server.reaped + sum(child.seconds + child.reaped for child in children),
        children=len(children),
    )


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    seconds: float
    reaped: float
    memory: int


def _table() -> Iterator[tuple[int, _Process]]:
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):  # the process has ended
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            user, system, reaped_user, reaped_system = (int(fields[i]) / tick for i in range(11, 15))
            yield (
                int(entry.name),
                _Process(int(fields[1]), user + system, reaped_user + reaped_system, int(fields[21]) * page),
            )


def _descendants(pid: int, table: dict[int, _Process]) -> Iterator[_Process]:
    for other, process in table.items():
        if process.parent == pid:
            yield process
            yield from _descendants(other, table)


def busy_seconds() -> float:
    """Processor seconds of the whole machine since it started."""
    fields = (_PROC / "stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _, _, interrupts, soft, *_ = map(int, fields)
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def cores() -> int:
    """The number of cores that this process may run on."""
    return len(os.sched_getaffinity(0))
