"""OpenTelemetry: where spans go, and one span for each stage of the pipeline.

The framework makes a span for each request once there is a tracer provider; the spans of stages become its children.
Spans hold nothing of a picture or a payload.
"""

import importlib
import time
from collections.abc import Sequence

from opentelemetry import trace

from app.errors import InvalidConfiguration
from app.pipeline.results import Stage

_tracer = trace.get_tracer("qrestore")
_NANOSECONDS = 1_000_000_000


def start_tracing() -> None:
    """Sends spans, in batches, to where the environment's OTEL_ variables say, until the process ends.

    Raises InvalidConfiguration where the packages of the extra `otel` are not installed.
    """
    try:
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError as exc:
        raise InvalidConfiguration(f"tracing needs the extra otel: pip install 'qrestore[otel]' ({exc})") from exc
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def trace_stages(stages: Sequence[Stage]) -> None:
    """Makes one span for each stage inside the current span, end to end so that the last ends now.

    Does nothing where the current span is not recorded.
    """
    if not trace.get_current_span().is_recording():
        return
    at = time.time_ns() - round(sum(stage.seconds for stage in stages) * _NANOSECONDS)
    for stage in stages:
        span = _tracer.start_span(stage.stage, start_time=at, attributes={"qrestore.codes": stage.codes})
        at += round(stage.seconds * _NANOSECONDS)
        span.end(end_time=at)
