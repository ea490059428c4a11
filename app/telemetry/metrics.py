"""Every metric in one table, and the methods that count.

Labels hold names that the service itself or its operator chose, never request data.
"""

import platform
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics import MetricWrapperBase

from app import __version__
from app.pipeline.results import ENGINES, Outcome, Reason
from app.workers.admission import RefusalReason, Slowness
from app.workers.pool import RestartReason

M = TypeVar("M", bound=MetricWrapperBase)

NO_CODE: Final = "none"
"""Rung and engine of a picture in which no code was read."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BYTES: Final = tuple(float(1 << power) for power in range(10, 27, 2))
_SAMPLES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_VARIANCE: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)


class ConnectionLoss(StrEnum):
    """Why a client lost its connection without an answer: an idle one was closed to make room for new ones; a new one
    found no room; a new one found no file descriptor."""

    IDLE = "idle"
    NO_ROOM = "no_room"
    NO_DESCRIPTOR = "no_descriptor"


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric; only histograms have buckets."""

    kind: type[MetricWrapperBase]
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


TABLE: Final = (
    Spec(Histogram, "qrestore_request_duration_seconds", "Time from a request's arrival to its last byte sent.",
         ("endpoint", "status"), _SECONDS),
    Spec(Histogram, "qrestore_stage_duration_seconds", "Time spent in one stage of the pipeline.",
         ("stage",), _SECONDS),
    Spec(Counter, "qrestore_decode_total", "Codes read, by rung and engine; pictures without a code count as none.",
         ("rung", "engine", "result")),
    Spec(Counter, "qrestore_differing_total",
         "Codes of which an engine said something else than their codewords do, which are answered.", ("engine",)),
    Spec(Counter, "qrestore_inexact_total", "Codes whose codewords could not be had, by engine.", ("engine",)),
    Spec(Counter, "qrestore_unread_total", "Codes that were seen but not read, by reason.", ("reason",)),
    Spec(Counter, "qrestore_incomplete_total", "Pictures whose search ended with its budget."),
    Spec(Counter, "qrestore_route_total", "Pictures with a routed region, by the network chosen first.", ("network",)),
    Spec(Histogram, "qrestore_laplacian_variance", "Sharpness of routed regions: variance of the Laplacian.",
         (), _VARIANCE),
    Spec(Histogram, "qrestore_upload_bytes", "Size of an uploaded image.", (), _BYTES),
    Spec(Gauge, "qrestore_in_flight", "Requests being answered now."),
    Spec(Counter, "qrestore_errors_total", "Answers that carried a problem, by category.", ("category",)),
    Spec(Counter, "qrestore_key_requests_total", "Requests with a valid API key, by the name of the key.", ("key",)),
    Spec(Gauge, "qrestore_ready", "1 while the service is ready for requests, 0 otherwise."),
    Spec(Gauge, "qrestore_slots", "Requests that can be processed at once, without the slow ones."),
    Spec(Gauge, "qrestore_busy_slots", "Requests being processed now, without the slow ones."),
    Spec(Gauge, "qrestore_slow_slots", "Slow requests that can be processed at once."),
    Spec(Gauge, "qrestore_busy_slow_slots", "Slow requests being processed now."),
    Spec(Gauge, "qrestore_slow_queue_length", "Slow requests that gave way and wait for a slow slot."),
    Spec(Counter, "qrestore_slow_total", "Requests that outlasted their time: moved to a slow slot, or gave way.",
         ("outcome",)),
    Spec(Gauge, "qrestore_queue_length", "Requests waiting for a slot."),
    Spec(Gauge, "qrestore_queue_capacity", "Requests that can wait for a slot."),
    Spec(Histogram, "qrestore_queue_seconds", "Time that a request waited for a slot.", (), _SECONDS),
    Spec(Counter, "qrestore_refused_total", "Requests refused because queue or uploads were full.", ("reason",)),
    Spec(Gauge, "qrestore_connections", "Open connections of clients, without those of the admin port."),
    Spec(Counter, "qrestore_connections_lost_total", "Connections closed without an answer, by reason.", ("reason",)),
    Spec(Counter, "qrestore_child_restarts_total", "Child processes replaced, by reason.", ("reason",)),
    Spec(Gauge, "qrestore_child_memory_bytes", "Resident memory of all child processes; shared pages count in each."),
    Spec(Histogram, "qrestore_inference_duration_seconds", "Time of one run of a network.", ("network",), _SECONDS),
    Spec(Histogram, "qrestore_inference_batch_size", "Samples in one run of a network.", ("network",), _SAMPLES),
    Spec(Gauge, "qrestore_build_info", "Always 1; the labels name the running versions.", ("version", "python")),
    Spec(Gauge, "qrestore_model_info", "Always 1; one series for each loaded network.",
         ("name", "architecture", "parameters", "device")),
)  # fmt: skip


class Model(Protocol):
    """What metrics' labels show of a loaded checkpoint."""

    @property
    def name(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def parameters(self) -> int: ...


class Metrics:
    """The metrics of one application, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._by_name: dict[str, MetricWrapperBase] = {spec.name: self._make(spec) for spec in TABLE}
        self._key_names: set[str] = set()
        self._gauge("qrestore_build_info", version=__version__, python=platform.python_version()).set(1)
        for refusal in RefusalReason:  # a counter that appears with its first event shows no increase for it
            self._counter("qrestore_refused_total", reason=refusal)
        for slowness in Slowness:
            self._counter("qrestore_slow_total", outcome=slowness)
        for restart in RestartReason:
            self._counter("qrestore_child_restarts_total", reason=restart)
        for loss in ConnectionLoss:
            self._counter("qrestore_connections_lost_total", reason=loss)
        for reason in Reason:
            self._counter("qrestore_unread_total", reason=reason)
        for engine in ENGINES:
            self._counter("qrestore_differing_total", engine=engine)
            self._counter("qrestore_inexact_total", engine=engine)

    def models_loaded(self, models: Iterable[Model], *, device: str) -> None:
        for model in models:
            labels = {"name": model.name, "architecture": model.architecture, "parameters": str(model.parameters)}
            self._gauge("qrestore_model_info", **labels, device=device).set(1)

    def request_started(self) -> None:
        self._gauge("qrestore_in_flight").inc()

    def request_finished(self, *, endpoint: str, status: int, seconds: float) -> None:
        self._gauge("qrestore_in_flight").dec()
        self._histogram("qrestore_request_duration_seconds", endpoint=endpoint, status=str(status)).observe(seconds)

    def watch(self, name: str, value: Callable[[], float]) -> None:
        """Has the gauge of this name call ``value`` whenever it is scraped."""
        self._gauge(name).set_function(value)

    def keys_known(self, names: Collection[str]) -> None:
        """Counts the use of the API keys of these names from now on, and forgets every other."""
        for name in self._key_names.difference(names):
            self._by_name["qrestore_key_requests_total"].remove(name)
        for name in names:
            self._counter("qrestore_key_requests_total", key=name)
        self._key_names = set(names)

    def key_used(self, name: str) -> None:
        self._counter("qrestore_key_requests_total", key=name).inc()

    def waited(self, seconds: float) -> None:
        self._histogram("qrestore_queue_seconds").observe(seconds)

    def refused(self, reason: RefusalReason) -> None:
        self._counter("qrestore_refused_total", reason=reason).inc()

    def connection_lost(self, reason: ConnectionLoss) -> None:
        self._counter("qrestore_connections_lost_total", reason=reason).inc()

    def slowed(self, outcome: Slowness) -> None:
        self._counter("qrestore_slow_total", outcome=outcome).inc()

    def restarted(self, reason: RestartReason) -> None:
        self._counter("qrestore_child_restarts_total", reason=reason).inc()

    def inferred(self, network: str, samples: int, seconds: float) -> None:
        """Counts one run of a network on a batch."""
        self._histogram("qrestore_inference_duration_seconds", network=network).observe(seconds)
        self._histogram("qrestore_inference_batch_size", network=network).observe(samples)

    def problem(self, category: str) -> None:
        self._counter("qrestore_errors_total", category=category).inc()

    def uploaded(self, size: int) -> None:
        self._histogram("qrestore_upload_bytes").observe(size)

    def record(self, outcome: Outcome) -> None:
        """Counts one finished run of the ladder: its trace, its route, its codes and what it left unread."""
        for stage in outcome.trace:
            self._histogram("qrestore_stage_duration_seconds", stage=stage.stage).observe(stage.seconds)
        if outcome.route is not None:
            self._counter("qrestore_route_total", network=outcome.route.network).inc()
            self._histogram("qrestore_laplacian_variance").observe(outcome.route.laplacian_variance)
        for found in outcome.codes:
            labels = {"rung": found.rung, "engine": found.symbol.engine, "result": "read"}
            self._counter("qrestore_decode_total", **labels).inc()
            if found.symbol.differs:
                self._counter("qrestore_differing_total", engine=found.symbol.engine).inc()
            if not found.symbol.exact:
                self._counter("qrestore_inexact_total", engine=found.symbol.engine).inc()
        if not outcome.codes:
            self._counter("qrestore_decode_total", rung=NO_CODE, engine=NO_CODE, result="not_read").inc()
        for unread in outcome.unread:
            self._counter("qrestore_unread_total", reason=unread.reason).inc()
        if not outcome.complete:
            self._counter("qrestore_incomplete_total").inc()

    def _make(self, spec: Spec) -> MetricWrapperBase:
        if spec.kind is Histogram:
            return Histogram(spec.name, spec.help, spec.labels, buckets=spec.buckets, registry=self.registry)
        return spec.kind(spec.name, spec.help, spec.labels, registry=self.registry)

    def _counter(self, name: str, /, **labels: str) -> Counter:
        return self._labelled(Counter, name, labels)

    def _gauge(self, name: str, /, **labels: str) -> Gauge:
        return self._labelled(Gauge, name, labels)

    def _histogram(self, name: str, /, **labels: str) -> Histogram:
        return self._labelled(Histogram, name, labels)

    def _labelled(self, kind: type[M], name: str, labels: Mapping[str, str]) -> M:
        metric = self._by_name[name]
        labelled = metric.labels(**labels) if labels else metric
        if not isinstance(labelled, kind):
            raise TypeError(f"{name} is not a {kind.__name__}")
        return labelled
