"""Pages of other origins: without the setting none may call the service, with it those that it names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app.settings import Settings
from tests.support.fakes import FakeLadder

HERE, THERE = "https://app.example.org", "https://evil.example"
ALLOWED = "access-control-allow-origin"


@pytest.fixture
def open_client(start: Callable[..., TestClient]) -> TestClient:
    return start(FakeLadder(), cors_origins=f"{HERE}, http://localhost:3000")


def preflight(client: TestClient, origin: str, method: str = "POST", headers: str = "x-api-key") -> Any:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return client.options("/decode", headers=asked)


def test_by_default_no_header_allows_anything(client: TestClient, blank_png: bytes) -> None:
    answer = client.post("/decode", files={"file": blank_png}, headers={"Origin": HERE})
    assert answer.status_code == 200
    assert ALLOWED not in answer.headers
    assert preflight(client, HERE).status_code == 405


def test_answers_and_problems_are_shown_to_pages_of_the_origins(open_client: TestClient, blank_png: bytes) -> None:
    answers = [
        open_client.post("/decode", files={"file": blank_png}, headers={"Origin": HERE}),
        open_client.post("/decode", files={"file": b"text"}, headers={"Origin": HERE}),
        open_client.get("/nowhere", headers={"Origin": HERE}),
    ]
    assert [answer.status_code for answer in answers] == [200, 415, 404]
    for answer in answers:
        assert answer.headers[ALLOWED] == HERE
        assert "Origin" in answer.headers["vary"]
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers


def test_pages_may_read_every_header_that_an_answer_of_restore_has(open_client: TestClient, blank_png: bytes) -> None:
    answer = open_client.post("/restore", files={"file": blank_png}, headers={"Origin": HERE})
    shown = answer.headers["access-control-expose-headers"].lower().split(", ")
    stated = open_client.get("/openapi.json").json()["paths"]["/restore"]["post"]["responses"]["200"]["headers"]
    assert {"x-qrestore-codes", "x-qrestore-located"} <= set(answer.headers)
    assert {name.lower() for name in stated} <= set(shown)


def test_an_unforeseen_error_and_a_missing_key_are_shown_too(
    start: Callable[..., TestClient], blank_png: bytes, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text("a-key-of-more-than-sixteen-characters")
    broken = start(FakeLadder(failure=RuntimeError()), cors_origins=HERE)
    guarded = start(FakeLadder(), cors_origins=HERE, api_keys_file=tmp_path / "keys")
    for client, status in ((broken, 500), (guarded, 401)):
        answer = client.post("/decode", files={"file": blank_png}, headers={"Origin": HERE})
        assert (answer.status_code, answer.headers[ALLOWED]) == (status, HERE)
    assert preflight(guarded, HERE).status_code == 200  # browsers send no key with it


def test_other_origins_get_no_permission(open_client: TestClient, blank_png: bytes) -> None:
    answer = open_client.post("/decode", files={"file": blank_png}, headers={"Origin": THERE})
    assert ALLOWED not in answer.headers


def test_preflights(open_client: TestClient) -> None:
    answer = preflight(open_client, HERE)
    assert (answer.status_code, answer.headers[ALLOWED]) == (200, HERE)
    assert "x-api-key" in answer.headers["access-control-allow-headers"].lower()
    refused = [
        preflight(open_client, THERE),
        preflight(open_client, HERE, "DELETE"),
        preflight(open_client, HERE, "POST", "x-evil"),
    ]
    for answer in refused:
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert ALLOWED not in answer.headers
    assert open_client.options("/decode", headers={"Origin": HERE}).status_code == 405


def test_all_origins(start: Callable[..., TestClient]) -> None:
    client = start(FakeLadder(), cors_origins="*")
    assert client.get("/version", headers={"Origin": THERE}).headers[ALLOWED] == "*"


@pytest.mark.parametrize("origins", ["example.org", "https://example.org/", "https://*.example.org", "null", "ftp://a"])
def test_what_is_no_origin_stops_the_start(origins: str) -> None:
    with pytest.raises(ValidationError, match="origin"):
        Settings(cors_origins=origins)  # type: ignore[arg-type]
