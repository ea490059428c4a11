"""What a process uses, as /proc tells."""

import os
import platform
import subprocess
import sys
import time

import pytest

from app.workers.usage import processor_seconds, resident_memory, usage_of

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="it is read from /proc")
NOBODY = 2**22 + 1
"""Above the highest process id that Linux gives."""


def test_of_this_process() -> None:
    before = processor_seconds(os.getpid())
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert 0.05 < processor_seconds(os.getpid()) - before < 5
    assert 1_000_000 < resident_memory(os.getpid()) < 1 << 40
    found = usage_of(os.getpid())
    assert found
    assert (found.state, found.parent) == ("R", os.getppid())


def test_of_a_process_that_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        found = usage_of(process.pid)
        assert found
        assert (found.state, found.memory, found.parent) == ("Z", 0, os.getpid())
    assert usage_of(process.pid) is None


def test_of_nobody() -> None:
    assert usage_of(NOBODY) is None
    assert (resident_memory(NOBODY), processor_seconds(NOBODY)) == (0, 0.0)
