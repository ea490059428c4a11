"""What is told of finished work: metrics, and spans where OpenTelemetry is set up.

The framework makes a span of each request where a tracer provider is there; the stages of the pipeline become its
children here. Nothing of a picture or a payload is told.
"""

import importlib
import time

from opentelemetry import trace

from app.errors import InvalidConfiguration
from app.pipeline.results import Outcome, Stage
from app.service import Service

_tracer = trace.get_tracer("qrestore")
_NANOSECONDS = 1_000_000_000


def start_tracing() -> None:
    """Sends spans to where the OTEL_ variables of the environment say, in batches, until the process ends.

    Raises InvalidConfiguration where the packages of the extra `otel` are not installed.
    """
    try:
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError as exc:
        raise InvalidConfiguration(f"tracing needs the extra otel: pip install --editable '.[otel]' ({exc})") from exc
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def record(service: Service, outcome: Outcome) -> None:
    """Counts a finished piece of work and traces its stages."""
    service.metrics.record(outcome)
    if trace.get_current_span().is_recording():
        _trace(outcome.trace)


def _trace(stages: tuple[Stage, ...]) -> None:
    """One span a stage, laid end to end so that the last ends now."""
    at = time.time_ns() - round(sum(stage.seconds for stage in stages) * _NANOSECONDS)
    for stage in stages:
        span = _tracer.start_span(stage.stage, start_time=at, attributes={"qrestore.codes": stage.codes})
        at += round(stage.seconds * _NANOSECONDS)
        span.end(end_time=at)
