"""What a process may use of its machine, by affinity and by both versions of control groups."""

import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from app import machine
from app.machine import Machine, look
from app.settings import Settings

V2 = "0::/kubepods/pod1/container1\n"
V1 = "9:name=systemd:/docker/abc\n4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/docker/abc\n"
CASES: dict[str, tuple[str, Mapping[str, str], float, int | None]] = {
    "no control groups": ("", {}, math.inf, None),
    "version 2, no limit": (V2, {"kubepods/pod1/container1/cpu.max": "max 100000"}, math.inf, None),
    "version 2": (
        V2,
        {"kubepods/pod1/container1/cpu.max": "150000 100000", "kubepods/pod1/container1/memory.max": "1073741824"},
        1.5,
        1 << 30,
    ),
    "version 2, the limit of a group above": (
        V2,
        {"kubepods/pod1/container1/cpu.max": "400000 100000", "kubepods/pod1/cpu.max": "200000 100000"},
        2.0,
        None,
    ),
    "version 2, in a container": ("0::/\n", {"cpu.max": "50000 100000", "memory.max": "536870912"}, 0.5, 1 << 29),
    "version 1": (
        V1,
        {
            "cpu/docker/abc/cpu.cfs_quota_us": "300000",
            "cpu/docker/abc/cpu.cfs_period_us": "100000",
            "memory/docker/abc/memory.limit_in_bytes": "2147483648",
        },
        3.0,
        1 << 31,
    ),
    "version 1, in a container": (
        V1,
        {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"},
        2.0,
        None,
    ),
    "version 1, no limit": (
        V1,
        {
            "cpu/cpu.cfs_quota_us": "-1",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        },
        math.inf,
        None,
    ),
    "nonsense": (
        "x\n0::\n\xff",
        {"cpu.max": "", "memory.max": "much", "cpu/cpu.cfs_quota_us": "1", "cpu/cpu.cfs_period_us": "0"},
        math.inf,
        None,
    ),
    "a group outside the namespace": ("0::/../../other\n", {"cpu.max": "100000 100000"}, 1.0, None),
}


@pytest.mark.parametrize(("groups", "files", "quota", "memory"), CASES.values(), ids=CASES)
def test_limits_of_control_groups(
    tmp_path: Path, groups: str, files: Mapping[str, str], quota: float, memory: int | None
) -> None:
    contents = {"proc/self/cgroup": groups} | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    seen = look(tmp_path)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert seen.quota == quota
    assert seen.memory_bytes == min(physical, memory or physical)
    assert seen.processors == os.cpu_count()


@pytest.mark.parametrize(
    ("affinity", "quota", "usable"),
    [(64, 2.0, 2), (64, 1.5, 2), (64, 0.1, 1), (64, math.inf, 64), (1, 8.0, 1), (3, 2.1, 3)],
)
def test_usable_processors(affinity: int, quota: float, usable: int) -> None:
    assert Machine(processors=64, affinity=affinity, quota=quota, memory_bytes=0).usable_processors == usable


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no affinity")
def test_affinity_counts(tmp_path: Path) -> None:
    whole = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(whole)})
        assert look(tmp_path).usable_processors == 1
    finally:
        os.sched_setaffinity(0, whole)


def test_workers_and_threads_follow_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for quota, workers, threads in ((2.0, 2, 1), (8.0, 4, 2), (1.0, 1, 1), (64.0, 4, 8)):
        seen = Machine(processors=64, affinity=64, quota=quota, memory_bytes=0)
        monkeypatch.setattr(machine, "look", lambda seen=seen: seen)
        settings = Settings()
        assert (settings.workers, settings.torch_threads) == (workers, threads)
    assert Settings(workers=64).torch_threads == 1
