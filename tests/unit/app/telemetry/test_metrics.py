"""The table of metrics, and what an outcome adds to them."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from prometheus_client import Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.pipeline.inference.severity import Route
from app.pipeline.results import Found, Outcome, Reason, Stage
from app.telemetry.metrics import TABLE, Metrics, Spec
from tests.support.fakes import symbol, unread


@pytest.mark.parametrize("spec", TABLE, ids=lambda spec: spec.name)
def test_conventions(spec: Spec) -> None:
    assert spec.name.startswith("qrestore_")
    assert spec.help.endswith(".")
    assert spec.name.endswith("_total") == (spec.kind is Counter)
    assert list(spec.buckets) == sorted(set(spec.buckets))
    assert bool(spec.buckets) == (spec.kind is Histogram)


def test_names_are_unique() -> None:
    assert len({spec.name for spec in TABLE}) == len(TABLE)


def value(metrics: Metrics, name: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_record_of_a_routed_read() -> None:
    metrics = Metrics()
    trace = (Stage("direct", 0.01, 0), Stage("light", 0.2, 1))
    codes = (Found(symbol=symbol(), rung="light"),)
    metrics.record(Outcome(codes, 10, 10, Route(250.0, 100.0, "lenet"), trace, False))
    assert value(metrics, "qrestore_decode_total", rung="light", engine="zxing", result="read") == 1
    assert value(metrics, "qrestore_route_total", network="lenet") == 1
    assert value(metrics, "qrestore_laplacian_variance_sum") == 250
    assert value(metrics, "qrestore_stage_duration_seconds_sum", stage="light") == pytest.approx(0.2)


def test_record_of_codes_that_engines_state_otherwise() -> None:
    metrics = Metrics()
    symbols = (symbol(), replace(symbol(), differs=True), replace(symbol(), engine="zbar", exact=False))
    metrics.record(Outcome(tuple(Found(one, "direct") for one in symbols), 10, 10, None, (), False))
    assert [value(metrics, "qrestore_differing_total", engine=name) for name in ("zxing", "zbar", "soft")] == [1, 0, 0]
    assert [value(metrics, "qrestore_inexact_total", engine=name) for name in ("zxing", "zbar", "soft")] == [0, 1, 0]


def test_record_of_nothing_read() -> None:
    metrics = Metrics()
    metrics.record(Outcome((), 10, 10, None, (), False))
    assert value(metrics, "qrestore_decode_total", rung="none", engine="none", result="not_read") == 1
    assert value(metrics, "qrestore_laplacian_variance_count") == 0


def test_every_reason_counts_from_the_start() -> None:
    metrics = Metrics()
    assert [value(metrics, "qrestore_unread_total", reason=reason) for reason in Reason] == [0] * len(Reason)
    assert value(metrics, "qrestore_incomplete_total") == 0


def test_record_of_codes_that_were_only_seen() -> None:
    metrics = Metrics()
    seen = (unread(Reason.CUT_OFF), unread(Reason.BUDGET), unread(Reason.BUDGET))
    metrics.record(Outcome((), 10, 10, None, (), False, unread=seen, complete=False))
    metrics.record(Outcome((), 10, 10, None, (), False))
    counts = {reason: value(metrics, "qrestore_unread_total", reason=reason) for reason in Reason}
    assert counts == dict.fromkeys(Reason, 0) | {Reason.CUT_OFF: 1, Reason.BUDGET: 2}
    assert value(metrics, "qrestore_incomplete_total") == 1
    assert value(metrics, "qrestore_decode_total", rung="none", engine="none", result="not_read") == 2


def test_only_keys_that_are_known_have_a_series() -> None:
    metrics = Metrics()
    metrics.keys_known(["old", "kept"])
    metrics.key_used("kept")
    metrics.keys_known(["kept", "new"])
    counts = {name: value(metrics, "qrestore_key_requests_total", key=name) for name in ("old", "kept", "new")}
    assert counts == {"old": None, "kept": 1, "new": 0}


def test_models() -> None:
    metrics = Metrics()
    metrics.models_loaded([SimpleNamespace(name="lenet", architecture="LENet", parameters=280_000)], device="cpu")
    labels = {"name": "lenet", "architecture": "LENet", "parameters": "280000", "device": "cpu"}
    assert value(metrics, "qrestore_model_info", **labels) == 1


def test_every_metric_of_the_table_is_exposed() -> None:
    families = {family.name for family in text_string_to_metric_families(generate_latest(Metrics().registry).decode())}
    assert {spec.name.removesuffix("_total") for spec in TABLE} <= families
