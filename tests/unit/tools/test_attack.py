"""The report of attacks, the watch on the event loop, and the flood that some of them use."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tools.attack import __main__ as attack
from tools.attack.figures import Figure, at_most, is_true, lines, percentile
from tools.attack.flood import Flood
from tools.attack.watched import MARK, Watch


def good() -> Iterator[Figure]:
    yield at_most("/livez p99", 4.9, 5, unit="ms", beside=" of 7")
    yield is_true("read", True)


def bad() -> Iterator[Figure]:
    yield at_most("/livez p99", 5.1, 5, unit="ms")


def test_percentiles() -> None:
    values = [float(number) for number in range(100)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)) == (49, 98, 99)
    assert percentile([], 0.5) == float("inf")


def test_a_line_says_what_was_measured_what_is_wanted_and_whether_it_is_so() -> None:
    (first, ok), (_, also) = lines(7, good())
    assert first.split() == ["7", "/livez", "p99", "4.9", "ms", "of", "7", "<=", "5", "ms", "ok"]
    assert ok
    assert also
    ((line, ok),) = lines(7, bad())
    assert line.endswith("FAIL")
    assert not ok


@pytest.mark.parametrize(("rows", "status"), [(["1"], 0), (["2"], 1), ([], 1)])
def test_a_failure_is_the_exit_status(
    rows: list[str], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(attack, "ATTACKS", {1: good, 2: bad})
    assert attack.main(rows) == status
    assert ("FAIL" in capsys.readouterr().out) == bool(status)


def test_the_watch_reports_the_longest_callback_in_processor_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Handle(asyncio.Handle):
        pass

    def busy() -> None:
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass

    watch, loop = Watch(), asyncio.new_event_loop()
    monkeypatch.setattr(Handle, "_run", Handle._run, raising=False)
    watch.watch_callbacks(Handle)
    for callback in (lambda: time.sleep(0.2), busy):
        Handle(callback, (), loop)._run()
    loop.close()
    for longest in (0.05, 0.0):
        watch.report(0, None)
        report = json.loads(capsys.readouterr().err)
        assert report[MARK] == pytest.approx(longest, abs=0.04)
    assert report["answers"] == []


def test_the_flood_keeps_its_connections_and_their_bytes() -> None:
    """It sends the head once and the piece again and again, and comes again where it is closed."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        flood = Flood(listener.getsockname()[1], b"head ", b"piece ", 0.0)
        thread = threading.Thread(target=flood.run, args=(1, 3.0))
        thread.start()
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                piece = b""
                while len(piece) < 40:
                    piece += connection.recv(1 << 16)
                received.append(piece)
        thread.join()
    assert all(piece.startswith(b"head piece piece ") for piece in received)
    assert flood.made >= 2
    assert flood.sent >= 80
