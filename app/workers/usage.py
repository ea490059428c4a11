"""What a process uses, as Linux' /proc/PID/stat tells (proc(5))."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """One look at a process.

    ``state`` is a letter: Z for one that has ended but is not yet waited for. ``memory`` is in resident bytes, shared
    pages included; ``seconds`` is its processor time so far, ``reaped`` that of its children that have ended.
    """

    state: str
    parent: int
    seconds: float
    reaped: float
    memory: int


def usage_of(pid: int) -> ProcessUsage | None:
    """What a process uses now; None if it is gone or the system has no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        user, system, reaped_user, reaped_system = (int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:15])
        memory = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        return ProcessUsage(fields[0], int(fields[1]), user + system, reaped_user + reaped_system, memory)
    except (OSError, ValueError, IndexError):
        return None


def resident_memory(pid: int) -> int:
    """Resident bytes of a process; 0 if that is not known."""
    found = usage_of(pid)
    return found.memory if found else 0


def processor_seconds(pid: int) -> float:
    """Processor seconds of a process so far; 0 if that is not known."""
    found = usage_of(pid)
    return found.seconds if found else 0.0
