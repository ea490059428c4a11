"""Row 48 of docs/bad-inputs.md: pictures that keep the service busy as long as it lets them."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.pipeline.files.png import encode_png
from tests.support.live.pictures import wallpaper_of_finders
from tests.support.live.servers import GOOD, GOOD_TEXT, Answer, Server, running, upload
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

BUDGET = 2.0
WORK = 20.0
SLOW = encode_png(wallpaper_of_finders(5000))
LATE = 3.0
"""Seconds of a machine that is busy with other things."""


@pytest.fixture(scope="module")
def server(weights: Path) -> Iterator[Server]:
    with running(weights=weights, workers=2, budget_seconds=BUDGET, work_seconds=WORK) as server:
        yield server


@pytest.mark.parametrize("effort", [b"fast", b"balanced"])
def test_row_48_a_picture_that_would_keep_an_engine_busy_for_long_is_answered_when_its_budget_ends(
    server: Server, effort: bytes
) -> None:
    answer = server.upload(SLOW, query=b"?effort=" + effort)
    assert answer.payloads() == []
    assert answer.json()["complete"] is False
    assert answer.seconds < 2 * BUDGET + LATE
    assert server.restarts("unfinished") >= 1
    server.assert_well()


def test_row_48_a_picture_that_would_keep_an_engine_busy_for_long_is_restored_as_it_is(server: Server) -> None:
    """The search has a budget; then networks run on the whole picture."""
    answer = server.restore(SLOW)
    assert answer.status == 200
    assert answer.seconds < WORK - LATE


def test_row_48_slow_pictures_leave_room_for_quick_ones(server: Server) -> None:
    """Twice as many clients as there are slots send slow pictures without a pause."""
    stop = threading.Event()

    def attack(query: bytes) -> list[Answer]:
        answers = []
        while not stop.is_set():
            answers.append(server.upload(SLOW, query=query))
        return answers

    with ThreadPoolExecutor(4) as clients:
        attacks = [clients.submit(attack, query) for query in (b"", b"?effort=fast", b"", b"?effort=thorough")]
        try:
            time.sleep(1.0)
            quick = [server.upload(GOOD) for _ in range(60) if time.sleep(0.1) is None]
        finally:
            stop.set()
        slow = [answer for attack in attacks for answer in attack.result()]
    assert all(answer.payloads() == [GOOD_TEXT.encode()] for answer in quick)
    assert np.percentile([answer.seconds for answer in quick], 90) < 0.5
    assert {answer.status for answer in slow} <= {200, 429, 503, 504}
    assert any(answer.status == 200 for answer in slow)
    assert server.metric("qrestore_slow_total", outcome="moved") >= 1
    assert server.metric("qrestore_slow_total", outcome="gave_way") >= 1
    server.wait_until(lambda: server.metric("qrestore_busy_slow_slots") == 0, 30)


def test_row_48_a_network_that_outlasts_the_work_is_not_waited_for() -> None:
    """The whole picture, as nothing was located, by the slowest network; its time is within the budget."""
    picture = encode_png(np.full((512, 512), 200, np.uint8))
    with running(weights=ROOT / "weights", workers=1, work_seconds=1.0, budget_seconds=120.0) as server:
        answers = []
        for _ in range(3):
            answers.append(server.send(upload(picture, path=b"/restore?network=srgan")))
            answers[-1].problem(504)
            server.wait_until(lambda: server.metric("qrestore_busy_slow_slots") == 0, 30)
        assert min(answer.seconds for answer in answers) < 2.0
        server.assert_well()
