"""Forms of a request's target, HEAD, and the hosts that a service goes by."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app.settings import Settings
from tests.support.fakes import FakeLadder


@pytest.fixture
def named(start: Callable[..., TestClient]) -> TestClient:
    return start(FakeLadder(), allowed_hosts="qr.example.org, *.example.net,192.0.2.7")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/version", "/models", "/openapi.json", "/"])
def test_head_is_answered_where_get_is(start: Callable[..., TestClient], path: str) -> None:
    client = start(FakeLadder())
    assert client.head(path).status_code == client.get(path).status_code == 200
    assert client.head("/decode").status_code == 405
    assert client.post("/livez").headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("qr.example.org", "/version", 200),
        ("QR.example.org:8000", "/version", 200),
        ("a.b.example.net", "/version", 200),
        ("192.0.2.7:80", "/version", 200),
        ("example.net", "/version", 421),
        ("evilexample.net", "/version", 421),
        ("evil.example", "/version", 421),
        ("evil.example", "/livez", 421),
        ("qr.example.org.evil.example", "/version", 421),
        ("192.0.2.8", "/version", 421),
        ("192.0.2.8:8000", "/livez", 200),
        ("[2001:db8::1]:8000", "/readyz", 200),
        ("localhost", "/livez", 200),
        ("localhost.evil.example", "/livez", 421),
        ("", "/version", 421),
        ("[::1", "/version", 400),
        ("qr.example.org@evil.example", "/version", 421),
    ],
)
def test_only_the_hosts_of_the_settings_are_answered(named: TestClient, host: str, path: str, status: int) -> None:
    answer = named.get(path, headers={"Host": host})
    assert answer.status_code == status
    if status == 421:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"].endswith(":misdirected")
        assert answer.headers["connection"] == "close"


def test_without_the_setting_any_host_is_answered(start: Callable[..., TestClient]) -> None:
    assert start(FakeLadder()).get("/version", headers={"Host": "evil.example"}).status_code == 200


@pytest.mark.parametrize("hosts", ["http://example.org", "example.org:80", "*", "*example.org", "a.*.org", "a b"])
def test_what_is_no_host_is_refused_by_the_settings(hosts: str) -> None:
    with pytest.raises(ValidationError, match="is no host"):
        Settings(allowed_hosts=hosts)  # type: ignore[arg-type]
