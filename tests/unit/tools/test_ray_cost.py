"""What a process of a Ray cluster is for, and what its descendants have used."""

import os
import subprocess
import sys

import pytest

from tools.load.processes import seconds_below
from tools.load.ray_cost import Cost, kind_of, row


@pytest.mark.parametrize(
    ("title", "parent", "kind"),
    [
        ("ray::ServeReplica:qrestore:Replica.handle_request\0", "rest", "replica"),
        ("python\0-c\0from multiprocessing.forkserver", "replica", "children"),
        ("anything", "children", "children"),
        ("ray::ProxyActor", "rest", "proxy"),
        ("ray::HAProxyManager", "rest", "proxy"),
        ("haproxy\0-db", "proxy", "proxy"),
        ("raylet", "rest", "rest"),
        ("", "", "rest"),
    ],
)
def test_the_kind_of_a_process(title: str, parent: str, kind: str) -> None:
    assert kind_of(title, parent) == kind


def test_a_row_has_a_cell_for_each_column() -> None:
    alone = Cost([0.002] * 10)
    on_ray = Cost([0.003] * 9 + [0.013])
    alone.work.update(rest=0.01)
    on_ray.work.update(proxy=0.02, replica=0.03)
    assert row("way", alone, on_ray) == "| way | 2.0 | 3.0 | 1.0 | 2.0 | 13.0 | 2.0 | 3.0 | 0.0 | 0.0 | 1.0 |"


def test_a_child_counts_below_its_parent() -> None:
    code = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        below = seconds_below(os.getpid())
        child.communicate(b"\n", timeout=30)
    assert below[child.pid] >= 0.2
    assert os.getpid() in below
    assert os.getppid() not in below
