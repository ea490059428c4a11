"""What every request has: an id, limits, errors and metrics; and the life of the application."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp, Message

from app.http.context import SECURITY_HEADERS
from app.main import create_app
from app.schemas import Problem
from app.service import Service
from app.settings import Settings
from app.workers.jobs import Pipeline
from tests.support.fakes import FakeLadder, symbol

SECRET = "/srv/private/weights of torch"


def sample(client: TestClient, name: str, **labels: str) -> float:
    """Value of one sample, 0 if it is not there."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = (s for family in families for s in family.samples)
    return next((s.value for s in samples if s.name == name and labels.items() <= s.labels.items()), 0.0)


class TestRequestId:
    def test_a_new_one_is_made(self, client: TestClient, blank_png: bytes) -> None:
        response = client.post("/decode", files={"file": blank_png})
        assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])
        assert response.json()["request_id"] == response.headers["x-request-id"]

    def test_a_valid_one_is_kept(self, client: TestClient, blank_png: bytes) -> None:
        response = client.post("/decode", files={"file": blank_png}, headers={"X-Request-ID": "Job-7:a.b_c"})
        assert response.headers["x-request-id"] == response.json()["request_id"] == "Job-7:a.b_c"

    @pytest.mark.parametrize("offered", ["", "a b", "<script>", "x" * 129, "\u00e9"])
    def test_an_invalid_one_is_replaced(self, client: TestClient, offered: str) -> None:
        response = client.get("/livez", headers={"X-Request-ID": offered.encode("latin-1")})
        assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])

    def test_errors_carry_it(self, client: TestClient) -> None:
        response = client.get("/nowhere", headers={"X-Request-ID": "seven"})
        assert response.json()["request_id"] == response.headers["x-request-id"] == "seven"


class TestProblems:
    @pytest.mark.parametrize(
        ("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/decode", 405), ("POST", "/decode", 422)]
    )
    def test_form(self, client: TestClient, method: str, path: str, status: int) -> None:
        response = client.request(method, path)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        problem = Problem.model_validate_json(response.content)
        assert problem.status == status
        assert problem.instance == path

    def test_405_names_the_methods_allowed(self, client: TestClient) -> None:
        assert client.put("/decode").headers["allow"] == "POST"

    def test_unforeseen_error_is_logged_and_leaks_nothing(
        self, start: Callable[..., TestClient], blank_png: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = start(FakeLadder(failure=RuntimeError(SECRET)))
        with caplog.at_level(logging.ERROR, "qrestore"):
            response = client.post("/decode", files={"file": blank_png}, headers={"X-Request-ID": "abc"})
        assert response.status_code == 500
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["x-request-id"] == response.json()["request_id"] == "abc"
        assert not any(word in response.text for word in (SECRET, "torch", "Traceback", "RuntimeError"))
        (record,) = [r for r in caplog.records if r.name == "qrestore.http"]
        assert vars(record)["request_id"] == "abc"
        assert record.exc_info is not None
        assert client.get("/livez").status_code == 200


class TestUploadLimit:
    async def _conversation(self, app: ASGIApp, chunks: int, *headers: tuple[bytes, bytes]) -> list[str]:
        """The events in order: `receive`, or the type of a sent message with its status."""
        events: list[str] = []
        left = chunks

        async def receive() -> Message:
            nonlocal left
            events.append("receive")
            left -= 1
            return {"type": "http.request", "body": bytes(600), "more_body": left > 0}

        async def send(message: Message) -> None:
            events.append(f"{message['type']} {message.get('status', '')}".strip())
            if message["type"] == "http.response.start":
                assert (b"connection", b"close") in message["headers"]

        path = {"path": "/decode", "raw_path": b"/decode", "query_string": b"", "root_path": ""}
        await app({"type": "http", "method": "POST", "headers": list(headers), **path}, receive, send)
        return events

    def test_declared_length_is_refused_before_the_body_is_read(self, start: Callable[..., TestClient]) -> None:
        app = start(FakeLadder(), max_upload_bytes=1000).app
        events = asyncio.run(self._conversation(app, 2, (b"content-length", b"1200")))
        assert events == ["http.response.start 413", "http.response.body"]

    def test_no_more_than_the_limit_is_read(self, start: Callable[..., TestClient]) -> None:
        app = start(FakeLadder(), max_upload_bytes=1000).app
        kind = (b"content-type", b"application/json")
        events = asyncio.run(self._conversation(app, 1_000_000, kind))
        assert events == ["receive", "receive", "http.response.start 413", "http.response.body"]

    @pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
    def test_bytes_are_counted_if_no_length_is_declared(self, start: Callable[..., TestClient], kind: str) -> None:
        def body() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
            for _ in range(10):
                yield bytes(500)

        client = start(FakeLadder(), max_upload_bytes=2000)
        response = client.post("/decode", content=body(), headers={"Content-Type": kind})
        assert response.status_code == 413
        assert response.json()["type"] == "urn:qrestore:problem:upload_too_large"
        assert sample(client, "qrestore_errors_total", category="upload_too_large") == 1

    def test_a_body_of_exactly_the_limit_passes(self, start: Callable[..., TestClient], blank_png: bytes) -> None:
        response = start(FakeLadder(), max_upload_bytes=5000).post("/decode", files={"file": blank_png})
        length = int(response.request.headers["content-length"])
        again = start(FakeLadder(), max_upload_bytes=length).post("/decode", files={"file": blank_png})
        assert again.status_code == 200

    @pytest.mark.parametrize("length", ["-1", "1, 1", "abc"])
    def test_an_invalid_length_is_refused(self, client: TestClient, length: str) -> None:
        response = client.post("/decode", content=b"x", headers={"Content-Length": length})
        assert response.status_code == 400


class TestMetrics:
    def test_of_a_decoded_picture(self, start: Callable[..., TestClient], blank_png: bytes) -> None:
        client = start(FakeLadder(symbols=(symbol(), symbol("two"))))
        client.post("/decode", files={"file": blank_png})
        assert sample(client, "qrestore_decode_total", rung="direct", engine="zxing", result="read") == 2
        assert sample(client, "qrestore_stage_duration_seconds_count", stage="imaging") == 1
        assert sample(client, "qrestore_request_duration_seconds_count", endpoint="/decode", status="200") == 1
        assert sample(client, "qrestore_upload_bytes_sum") == len(blank_png)
        assert sample(client, "qrestore_in_flight") == 1  # the scrape itself

    def test_of_errors(self, start: Callable[..., TestClient], blank_png: bytes) -> None:
        client = start(FakeLadder(failure=RuntimeError(SECRET)))
        client.post("/decode", files={"file": blank_png})
        client.get("/no/such/place")
        assert sample(client, "qrestore_errors_total", category="internal") == 1
        assert sample(client, "qrestore_errors_total", category="not_found") == 1
        assert sample(client, "qrestore_request_duration_seconds_count", endpoint="unmatched", status="404") == 1
        assert sample(client, "qrestore_request_duration_seconds_count", endpoint="/decode", status="500") == 1

    def test_process_and_build(self, client: TestClient) -> None:
        assert sample(client, "process_resident_memory_bytes") > 0
        assert sample(client, "qrestore_build_info") == 1

    def test_openmetrics_on_request(self, client: TestClient) -> None:
        response = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert response.headers["content-type"].startswith("application/openmetrics-text")
        assert response.text.endswith("# EOF\n")

    def test_two_applications_in_one_process_count_apart(
        self, start: Callable[..., TestClient], blank_png: bytes
    ) -> None:
        one, other = start(FakeLadder()), start(FakeLadder())
        one.post("/decode", files={"file": blank_png})
        assert sample(one, "qrestore_upload_bytes_count") == 1
        assert sample(other, "qrestore_upload_bytes_count") == 0


class TestLife:
    def test_it_is_not_ready_before_its_start_nor_after_its_end(self, blank_png: bytes) -> None:
        app = create_app(Settings(), pipeline=Pipeline(ladder=FakeLadder(), max_pixels=10_000))
        client = TestClient(app)
        assert client.get("/livez").status_code == 200
        refused = client.get("/readyz")
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert client.post("/decode", files={"file": blank_png}).status_code == 503
        assert client.get("/version").json()["engine"] is None
        with client:
            assert client.get("/readyz").json() == {"status": "ready"}
        assert client.get("/readyz").status_code == 503

    def test_pages(self, client: TestClient) -> None:
        assert client.get("/version").json()["name"] == "qrestore"
        assert client.get("/models").json() == {"device": "cpu", "models": []}
        assert client.get("/docs").status_code == 200


def test_a_worker_or_a_batch_thread_that_ended_is_not_ready(start: Callable[..., TestClient], blank_png: bytes) -> None:
    client = start(FakeLadder())
    service = service_of_client(client)
    assert client.get("/readyz").status_code == 200
    assert service.runtime is not None
    service.runtime = replace(service.runtime, healthy=lambda: False)
    assert client.get("/readyz").status_code == 503
    assert client.post("/decode", files={"file": blank_png}).status_code == 503
    assert sample(client, "qrestore_ready") == 0
    service.runtime = replace(service.runtime, healthy=lambda: True)
    assert sample(client, "qrestore_ready") == 1
    service.draining = True
    assert client.get("/readyz").json()["detail"] == "The service is shutting down."
    assert client.get("/livez").status_code == 200


def test_every_answer_has_the_security_headers(client: TestClient, blank_png: bytes) -> None:
    answers = [client.get("/livez"), client.get("/nowhere"), client.post("/decode", files={"file": blank_png})]
    for answer in answers:
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    page = client.get("/")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src 'self'" in client.get("/docs").headers["Content-Security-Policy"]


def service_of_client(client: TestClient) -> Service:
    service = client.app.state.service  # type: ignore[attr-defined]
    assert isinstance(service, Service)
    return service
