"""Settings: defaults, the environment, and refusals."""

import math
import resource

import pytest
from pydantic import ValidationError

from app.pipeline import PIXEL_CEILING
from app.pipeline.inference.runners import Backend
from app.pipeline.results import Effort
from app.settings import Settings, likely_setting
from tests.support.paths import ROOT


def test_defaults() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.device) == ("127.0.0.1", 8000, "auto")
    assert settings.max_upload_bytes == 20 * 2**20
    assert settings.max_pixels == 50_000_000
    assert settings.default_effort is Effort.BALANCED
    assert settings.weights == ROOT / "weights"
    assert settings.reader_network == "module-reader"
    assert settings.locator_network == "quad-locator"
    assert settings.workers >= 1
    assert settings.torch_threads >= 1


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QRESTORE_DEFAULT_EFFORT", "fast")
    monkeypatch.setenv("QRESTORE_WORKERS", "3")
    settings = Settings(workers=2)
    assert settings.default_effort is Effort.FAST
    assert settings.workers == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 70_000),
        ("workers", 0),
        ("max_upload_bytes", -1),
        ("max_pixels", PIXEL_CEILING + 1),
        ("device", "abacus"),
        ("backend", "abacus"),
        ("default_effort", "lazy"),
        ("budget_seconds", 0),
        ("budget_seconds", "nan"),
        ("log_level", "loud"),
        ("connections", 15),
        ("upload_rate", 0),
        ("allowed_hosts", "example.org:80"),
        ("unheard_of", 1),
    ],
)
def test_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({name: value})


def test_hosts_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QRESTORE_ALLOWED_HOSTS", "QR.example.org, *.example.net,,192.0.2.7,2001:db8::1")
    assert Settings().allowed_hosts == ("qr.example.org", "*.example.net", "192.0.2.7", "2001:db8::1")
    monkeypatch.delenv("QRESTORE_ALLOWED_HOSTS")
    assert Settings().allowed_hosts == ()


@pytest.mark.parametrize(
    ("descriptors", "workers", "connections"),
    [(256, 2, 144), (1024, 4, 896), (1 << 20, 4, 1000), (64, 1, 16), (resource.RLIM_INFINITY, 4, 1000)],
)
def test_connections_are_what_the_descriptors_leave(
    descriptors: int, workers: int, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    assert Settings(workers=workers).connections == connections


def test_only_thorough_effort_has_no_budget() -> None:
    settings = Settings(budget_seconds=0.75)
    assert {effort: settings.budget(effort) for effort in Effort} == {
        Effort.FAST: 0.75,
        Effort.BALANCED: 0.75,
        Effort.THOROUGH: math.inf,
    }
    assert Settings().budget(Effort.BALANCED) == 4.0


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_onnx_runtime_is_asked_for_on_the_cpu_only(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().backend is Backend.AUTO
    assert Settings(device=device).backend is Backend.AUTO
    monkeypatch.setenv("QRESTORE_BACKEND", "onnx-int8")
    assert Settings(device="cpu").backend is Settings().backend is Backend.ONNX_INT8
    with pytest.raises(ValidationError, match=f"onnx-int8 runs on the CPU only.*{device}"):
        Settings(device=device)


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_traces_are_sent_only_where_the_standard_variables_name_a_collector(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings().tracing is False
    monkeypatch.setenv(name, "http://127.0.0.1:4318")
    assert Settings().tracing is True


@pytest.mark.parametrize("name", ["host", "port", "weights", "api_keys_file", "light_network", "page"])
def test_an_empty_variable_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty address would be every address, an empty key file none."""
    monkeypatch.setenv(f"QRESTORE_{name.upper()}", "")
    with pytest.raises(ValidationError, match="it is empty"):
        Settings()


@pytest.mark.parametrize("name", ["QRESTORE_WORKER", "qrestore_worker", "QRESTORE_WEIGHTS_FOLDER", "QRESTORE_"])
def test_a_variable_that_is_no_setting_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "2")
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Settings()
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Settings.model_validate({"workers": 2})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QRESTORE_SERVICE_HOST", "10.0.0.1"),
        ("QRESTORE_SERVICE_PORT", "8000"),
        ("QRESTORE_SERVICE_PORT_HTTP", "8000"),
        ("QRESTORE_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("QRESTORE_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("QRESTORE_GPU_PORT", "tcp://10.0.0.1:8000"),
        ("QRESTORE_GPU_SERVICE_HOST", "10.0.0.1"),
        ("QRESTORED", "1"),
    ],
)
def test_variables_that_others_set_are_not(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert Settings().port == 8000


@pytest.mark.parametrize(
    ("name", "likely"),
    [("worker", "workers"), ("api_key_file", "api_keys_file"), ("max_upload_byte", "max_upload_bytes"), ("foo", "")],
)
def test_the_setting_that_was_meant(name: str, likely: str) -> None:
    assert likely_setting(name) == likely


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
