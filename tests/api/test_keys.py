"""API keys: who is served, what is refused before its body is read, and files without a good key."""

import asyncio
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message

from app.errors import InvalidConfiguration
from app.http.keys import UNNAMED
from app.main import create_app
from app.settings import Settings
from tests.support.fakes import FakeLadder

KEY = "a-key-of-more-than-sixteen-characters"
OTHER = "another.key+of/sixteen=and~more!"


@pytest.fixture
def guarded(start: Callable[..., TestClient], tmp_path: Path) -> TestClient:
    """A client of an application that asks for one of two keys."""
    keys = tmp_path / "keys"
    keys.write_text(f"# who may ask\nwarehouse: {KEY} # gate 3\n\n{OTHER}\n")
    return start(FakeLadder(), api_keys_file=keys)


def test_an_upload_without_a_key_is_refused(guarded: TestClient, blank_png: bytes) -> None:
    refused = guarded.post("/decode", files={"file": blank_png})
    assert refused.status_code == 401
    assert refused.json()["type"].endswith(":unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-API-Key": KEY}, 200),
        ({"X-API-Key": KEY[:-1]}, 401),
        ({"X-API-Key": KEY + "s"}, 401),
        ({"Authorization": f"bearer {OTHER}"}, 200),
        ({"Authorization": f"Basic {OTHER}"}, 401),
        ({"Authorization": OTHER}, 401),
    ],
    ids=str,
)
def test_a_key_comes_in_its_header_or_as_a_bearer_token(
    guarded: TestClient, blank_png: bytes, headers: dict[str, str], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert guarded.post("/decode", files={"file": blank_png}, headers=headers).status_code == status
    for key in (KEY, OTHER):
        assert key not in caplog.text


@pytest.mark.parametrize("path", ["/models", "/models/", "/models%0A", "/decode%0A", "/livez%0A", "/unheard-of"])
def test_no_variant_of_a_path_gets_around_the_key(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 401


def test_a_request_without_a_key_is_refused_by_its_head(guarded: TestClient) -> None:
    events: list[str] = []

    async def receive() -> Message:
        events.append("receive")
        return {"type": "http.request", "body": bytes(1000), "more_body": True}

    async def send(message: Message) -> None:
        events.append(f"{message['type']} {message.get('status', '')}".strip())

    scope = {"type": "http", "method": "POST", "path": "/decode", "raw_path": b"/decode", "root_path": ""}
    asyncio.run(guarded.app(scope | {"query_string": b"", "headers": [(b"content-length", b"9000000")]}, receive, send))
    assert events[:2] == ["http.response.start 401", "http.response.body"]


def test_log_and_metrics_show_the_name_of_the_key_and_nothing_else(
    guarded: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "qrestore.http"):
        for key in (KEY, KEY, OTHER, "a-key-that-nobody-has"):
            guarded.get("/models", headers={"X-API-Key": key})
        guarded.get("/version", headers={"X-API-Key": KEY})  # public: the key is not looked at
    used = [vars(record)["key"] for record in caplog.records if record.message == "answered"]
    assert used == ["warehouse", "warehouse", UNNAMED, None, None]
    lines = guarded.get("/metrics").text.splitlines()
    counts = dict(re.findall(r'qrestore_key_requests_total\{key="([\w.-]+)"\} ([\d.]+)', "\n".join(lines)))
    assert counts == {"warehouse": "2.0", UNNAMED: "1.0"}


def test_the_description_says_how_keys_are_sent_and_where_they_are_needed(
    guarded: TestClient, client: TestClient
) -> None:
    described, without = (each.get("/openapi.json").json() for each in (guarded, client))
    for document in (described, without):
        assert document["components"]["securitySchemes"]["apiKey"]["name"] == "X-API-Key"
        assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    needed = {
        path for path, operations in described["paths"].items() for each in operations.values() if "security" in each
    }
    assert needed == {"/decode", "/restore", "/models"}
    for path in needed:
        for operation in described["paths"][path].values():
            assert operation["security"] == [{"apiKey": []}, {"bearer": []}]
            assert "application/problem+json" in operation["responses"]["401"]["content"]
    assert "security" not in json.dumps(without["paths"])


@pytest.mark.parametrize("content", [None, "# nobody\n", "short\n", b"\xff" * 20])
def test_it_does_not_start_without_good_keys(tmp_path: Path, content: str | bytes | None) -> None:
    keys = tmp_path / "keys"
    if content is not None:
        keys.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InvalidConfiguration, match="keys"):
        create_app(Settings(api_keys_file=keys))
