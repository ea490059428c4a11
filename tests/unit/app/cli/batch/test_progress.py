"""The line of progress: what it counts, how fast it is, and that it leaves nothing behind."""

import io

import pytest

from app.cli.batch.progress import Count, Progress, in_time


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rate_and_time_left_are_those_of_this_run() -> None:
    clock = Clock()
    progress = Progress(io.StringIO(), lambda: 1000, clock, skipped=400)
    assert progress.line() == "[########------------] 400 of 1000 files"
    for _ in range(100):
        progress.advance()
    clock.now += 20
    assert progress.line() == "[##########----------] 500 of 1000 files  5.0 files/s  1 min 40 s left"


def test_without_a_total_there_is_a_rate() -> None:
    clock = Clock()
    progress = Progress(io.StringIO(), lambda: None, clock, done=30)
    clock.now += 4
    assert progress.line() == "30 files  7.5 files/s"


def test_it_redraws_one_line_and_wipes_it() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = Progress(stream, lambda: 3, clock)
    for _ in range(3):
        progress.advance()  # the second and the third come too soon to be drawn
    clock.now += 0.2
    progress.advance()
    progress.clear()
    shown = stream.getvalue()
    assert shown.count("files") == 2
    assert "\n" not in shown
    assert shown.split("\r")[-2].strip() == ""
    assert shown.endswith("\r")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3725, "1 h 02 min"), (1e6, "277 h 46 min")]
)
def test_durations(seconds: float, words: str) -> None:
    assert in_time(seconds) == words


def test_a_count_is_unknown_until_it_is_done() -> None:
    count = Count(range(7))
    assert count.result is None
    count.start()
    while count.result is None:
        pass
    assert count.result == 7
