"""Memory and processor time of a service and its children, from Linux' /proc."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.workers.usage import ProcessUsage, usage_of

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
    table = usages()
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


def seconds_below(pid: int) -> dict[int, float]:
    """Processor seconds so far of a process and of each that descends from it, by process id; processes that have ended
    are not included."""
    table = usages()
    below = [other for other in table if other == pid or _descends(other, pid, table)]
    return {other: table[other].seconds for other in below}


def _descends(pid: int, ancestor: int, table: dict[int, ProcessUsage]) -> bool:
    while (process := table.get(pid)) and process.parent != ancestor:
        pid = process.parent
    return process is not None


def usages() -> dict[int, ProcessUsage]:
    """What every process of the machine uses, by process id."""
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())
    return {pid: found for pid in pids if (found := usage_of(pid))}  # None: it has ended


def _descendants(pid: int, table: dict[int, ProcessUsage]) -> Iterator[ProcessUsage]:
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
