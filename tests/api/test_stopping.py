"""A signal to stop: running requests are finished, new ones are refused, and nothing outlasts the drain."""

import signal
import time
from pathlib import Path

from tests.support.live.servers import read_answer, running, upload
from tests.support.live.slow import SLOW, at_work
from tests.support.waiting import wait_for


def test_it_finishes_what_is_there_and_refuses_what_comes(weights: Path) -> None:
    """One request at work, one in the queue and one whose body is still coming in."""
    with running(entry=SLOW, weights=weights, workers=1) as server:
        whole = upload(b"0")
        with at_work(server, 2.5, 0.5) as answers, server.connect() as connection:
            connection.sendall(whole[:-20])
            wait_for(lambda: server.metric("qrestore_in_flight") >= len(answers) + 2)  # the scrape is one
            time.sleep(0.5)  # a request is counted before it is admitted
            server.process.send_signal(signal.SIGTERM)
            wait_for(lambda: server.get("/readyz").status == 503)
            refused = server.upload(b"0")
            assert refused.problem(503)["type"].endswith(":not_ready")
            assert int(refused.headers["retry-after"]) >= 1
            assert server.get("/livez").status == 200
            connection.sendall(whole[-20:])
            assert read_answer(connection).status == 200
            assert [answer.result().status for answer in answers] == [200, 200]
        assert server.process.wait(10) == 0


def test_work_that_outlasts_the_drain_is_cut_off(weights: Path) -> None:
    with running(entry=SLOW, weights=weights, workers=1, drain_seconds=0.5) as server, at_work(server, 25.0) as answers:
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert answers[0].result().problem(503)["type"].endswith(":not_ready")
        assert server.process.wait(15) == 0
        assert time.monotonic() - began < 15
