"""What this process may use of its machine: processors and memory, as affinity and control groups limit them.

Imports only the standard library: `qrestore doctor` runs where nothing else is installed.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

_ROOT: Final = Path("/")
_UNLIMITED_BYTES: Final = 1 << 60
"""Version 1 of control groups says that memory is unlimited by a number of bytes beyond all memory."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine has and what this process may use of it.

    ``processors``: those of the machine; ``affinity``: those that the process may run on; ``quota``: how many of them
    its control groups let it keep busy, infinite without a limit. ``memory_bytes``: the memory of the machine or, if
    less, of its control groups; 0 if unknown.
    """

    processors: int
    affinity: int
    quota: float
    memory_bytes: int

    @property
    def usable_processors(self) -> int:
        """The whole number of processors to plan for, at least 1. A part of one counts as one, as it does for Go's
        GOMAXPROCS (since 1.25) and for OpenJDK: work waits for other things, too."""
        return max(1, math.ceil(min(self.quota, self.affinity)))


def look(root: Path = _ROOT) -> Machine:
    """Reads what this process may use. ``root`` is the folder that holds proc and sys."""
    processors = os.cpu_count() or 1
    return Machine(
        processors=processors,
        affinity=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else processors,
        quota=min(_quotas(root), default=math.inf),
        memory_bytes=min((_physical_bytes(), *_memory_limits(root))),
    )


def _quotas(root: Path) -> Iterator[float]:
    """The processors that each control group of this process may keep busy, of those with a limit."""
    stated = [_text(folder / "cpu.max") for folder in _groups(root, "")]
    stated += [
        f"{_text(folder / 'cpu.cfs_quota_us')} {_text(folder / 'cpu.cfs_period_us')}" for folder in _groups(root, "cpu")
    ]
    for quota, _, period in (each.partition(" ") for each in stated):
        if quota.isdecimal() and period.isdecimal() and int(period):  # "max" and -1 are no limits
            yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    """The bytes of memory that each control group of this process may hold, of those with a limit."""
    files = [folder / "memory.max" for folder in _groups(root, "")]
    files += [folder / "memory.limit_in_bytes" for folder in _groups(root, "memory")]
    for file in files:
        limit = _text(file)
        if limit.isdecimal() and int(limit) < _UNLIMITED_BYTES:
            yield int(limit)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the control group of this process and of those above it; "" is the one hierarchy of version 2.

    In a container the path may be that of the host, which the container does not see; its own group is the root then.
    """
    top = root / "sys/fs/cgroup" / controller
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controller in controllers.split(","):
            steps = PurePosixPath(path.lstrip("/")).parts
            for depth in range(len(steps), -1, -1):
                yield top.joinpath(*(step for step in steps[:depth] if step != ".."))
            return


def _physical_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
