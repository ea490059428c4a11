"""Short runs of load and soak against the real service on tiny networks."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.live.servers import Server, running
from tools.load import load, processes, soak
from tools.load.client import Exchange, Run, Target, open_loop
from tools.load.measuring import Measurement, lines
from tools.load.reckoning import MEGABYTE, Sample
from tools.load.traffic import hinted, shots

pytestmark = pytest.mark.skipif(not processes.available(), reason="memory and processor time are read from /proc")

KINDS = "direct=8,garbage=1,truncated=1"
"""Kinds of requests that untrained networks answer right and quickly."""


@pytest.fixture(scope="module")
def server(weights: Path) -> Iterator[Server]:
    with running(weights=weights, workers=2) as service:
        yield service


@pytest.fixture
def where(server: Server) -> list[str]:
    return ["--url", f"http://127.0.0.1:{server.port}", "--pid", str(server.pid), "--kinds", KINDS]


def test_load_reports_rates_times_memory_and_the_bottleneck(
    where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert load.main([*where, "--count", "40", "--seconds", "60", "--connections", "2"]) == 0
    output = capsys.readouterr().out
    assert re.search(r"(?m)^all +40 ( +\d+\.\d){4}  ", output)
    assert re.search(r"40 requests over 2 connections in \d+\.\d s: \d+\.\d right answers a second, 0 wrong", output)
    assert re.search(r"(?m)^  children \(\d+\) ", output)
    assert re.search(r"(?m)^bound by ", output)
    seconds = {name: float(value) for name, value in re.findall(r"(?m)^  (server|this client) +(\d+\.\d)", output)}
    assert set(seconds) == {"server", "this client"}
    server_memory, children = map(float, re.findall(r"(?m)^at 40 +(\d+\.\d) +(\d+\.\d)", output)[-1])
    assert server_memory > 50
    assert children > 50


def test_load_may_tell_how_many_codes_there_are(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert load.main([*where[:-1], "direct=1", "--count", "5", "--expect", "1"]) == 0
    assert "5 of 200" in capsys.readouterr().out
    (raw,) = {shot.raw.partition(b"\r\n")[0] for shot in hinted(iter(shots(["direct"])["direct"]), 3)}
    assert raw == b"POST /decode?expect=3 HTTP/1.1"


def test_load_at_a_rate_keeps_to_it(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert load.main([*where, "--count", "20", "--rate", "40"]) == 0
    (seconds,) = re.findall(r"20 requests over 128 connections in (\d+\.\d) s", capsys.readouterr().out)
    due = list(open_loop(20, 40, seed=1))[-1]
    assert due - 0.1 < float(seconds) < due + 2


def test_load_fails_below_the_least_rate(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert load.main([*where, "--count", "5", "--least", "1e6"]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_soak_makes_every_request_and_finds_the_slope(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The slope of so few requests means little, so the limit is out of reach."""
    assert soak.main([*where, "--count", "40", "--limit", "1e6", "--every", "0.03"]) == 0
    output = capsys.readouterr().out
    assert "40 requests over 4 connections" in output
    assert re.search(r"slope of the second half, MB per 1,000 requests: server -?\d+\.\d\d, children -?\d", output)


@pytest.mark.parametrize("main", [load.main, soak.main], ids=["load", "soak"])
def test_other_machines_are_refused(main: Callable[[Sequence[str]], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", "http://192.0.2.1:80", "--pid", "1"]) == 2
    assert "loopback" in capsys.readouterr().out


def test_a_missing_service_fails_the_load(capsys: pytest.CaptureFixture[str]) -> None:
    assert load.main(["--url", "http://127.0.0.1:9", "--kinds", KINDS, "--count", "3"]) == 1
    assert "3 wrong" in capsys.readouterr().out


class TestUsage:
    def test_a_process_is_separate_from_its_children(self) -> None:
        """A child that takes 0.2 seconds of processor time and 60 MB, and one that has ended."""
        spin = "import time\nwhile time.process_time() < 0.2: pass\n"
        grandchild = f"x = b'x' * 60_000_000\n{spin}print('up', flush=True)\ninput()"
        code = (
            f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {spin!r}])\n"
            f"subprocess.run([sys.executable, '-c', {grandchild!r}])"
        )
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            found = processes.usage(process.pid)
            process.communicate(b"\n", timeout=30)
        assert found.children == 1
        assert found.children_memory > 60_000_000 > found.server_memory
        assert found.children_seconds > 0.35
        assert found.server_seconds < 0.2

    def test_no_such_process(self) -> None:
        with pytest.raises(ProcessLookupError):
            processes.usage(2**22 + 1)

    def test_this_process_counts_in_the_machine(self) -> None:
        before, began = processes.busy_seconds(), time.process_time()
        while time.process_time() - began < 0.2:
            pass
        assert processes.busy_seconds() - before > 0.1
        assert processes.cores() == len(os.sched_getaffinity(0))


class TestVerdict:
    @staticmethod
    def measured(megabytes: float, *, wrong: str | None = None, count: int = 100) -> Measurement:
        run = Run([Exchange("direct", 200, 0.01, wrong if i == 7 else None) for i in range(count)], 1.0)
        samples = [Sample(done, int((300 + megabytes * done / 1000) * MEGABYTE), 0) for done in range(0, count + 1, 10)]
        return Measurement(run=run, samples=samples)

    def test_level_memory_and_right_answers_pass(self) -> None:
        assert soak.verdict(self.measured(1.9), count=100, limit=2.0) == []

    @pytest.mark.parametrize(
        ("megabytes", "wrong", "count", "words"),
        [
            (2.2, None, 100, "memory rises by 2.20 MB"),
            (0.0, "read nothing", 100, "1 answers were wrong"),
            (0.0, None, 200, "only 100 of 200"),
        ],
    )
    def test_anything_else_fails(self, megabytes: float, wrong: str | None, count: int, words: str) -> None:
        (complaint,) = soak.verdict(self.measured(megabytes, wrong=wrong), count=count, limit=2.0)
        assert words in complaint

    def test_memory_without_samples_fails(self) -> None:
        run = self.measured(0.0).run
        assert "too seldom" in soak.verdict(Measurement(run=run), count=100, limit=2.0)[0]

    def test_wrong_answers_are_reported_word_for_word(self) -> None:
        assert "WRONG direct: read nothing" in list(lines(self.measured(0.0, wrong="read nothing")))


def test_a_target_has_the_address_and_the_process_of_the_service() -> None:
    with load.service("http://127.0.0.1:8000", 5, None) as target:
        assert target == Target("127.0.0.1", 8000, 5)
