"""Spans reach the collector that the standard variables name: one for each request and stage, without client data."""

import gzip
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from app.pipeline.files.png import encode_png
from tests.support.codes import qr_picture
from tests.support.live.servers import running

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector(http.server.ThreadingHTTPServer):
    """Receives spans as OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.spans: list[Span] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keeps the log of the tests clean."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_request_and_its_stages_are_traced(
    weights: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    picture = encode_png(qr_picture("a secret payload"))
    with running(weights=weights, workers=1) as server:
        answer = server.upload(picture, b"traceparent: 00-%s-00f067aa0ba902b7-01" % TRACE.encode())
        assert answer.payloads() == [b"a secret payload"]
        until = time.monotonic() + 20
        while not any(span.name == "direct" for span in collector.spans) and time.monotonic() < until:
            time.sleep(0.05)
    ours = [span for span in collector.spans if span.trace_id.hex() == TRACE]
    (request,) = [span for span in ours if span.kind == Span.SPAN_KIND_SERVER]
    assert "/decode" in request.name
    stages = [span for span in ours if span.name in ("imaging", "direct")]
    assert len(stages) == 2
    inside = {span.span_id for span in ours}
    for span in stages:
        assert span.parent_span_id in inside
        assert request.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
    everything = "".join(str(span) for span in collector.spans)
    assert "secret" not in everything
    assert "picture.png" not in everything
