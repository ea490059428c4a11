"""The table of paths agrees with the routes, and every layer treats paths as the table says."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.http.auth import ApiKeys
from app.http.context import SECURITY_HEADERS, RequestContext
from app.http.crossing import CrossOrigin
from app.http.server import PlainStartupFailure
from app.http.stack import PATHS, Treatment
from app.http.targets import AllowedHosts, PlainTarget
from app.http.uploads import UploadLimit
from app.main import create_app
from app.settings import Settings
from app.workers.jobs import Pipeline
from tests.support.fakes import FakeLadder

POLICY = "Content-Security-Policy"
KEY = "a-key-of-more-than-sixteen-characters"
NEED_A_KEY = {"/decode", "/restore", "/models"}


def application(**settings: object) -> FastAPI:
    return create_app(Settings.model_validate(settings), pipeline=Pipeline(ladder=FakeLadder(), max_pixels=10_000))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[TestClient]:
    """A client without a key of an application that requires one."""
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    with TestClient(application(api_keys_file=keys)) as client:
        yield client


def of(treatment: Treatment) -> set[str]:
    return {path for path, treatments in PATHS.items() if treatment in treatments}


def test_the_layers_from_the_outermost_to_the_innermost(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    layers = [layer.cls for layer in application(api_keys_file=keys).user_middleware]
    assert layers == [PlainStartupFailure, PlainTarget, RequestContext, ApiKeys, UploadLimit]
    layers = [layer.cls for layer in application(allowed_hosts="example.org").user_middleware]
    assert layers == [PlainStartupFailure, PlainTarget, RequestContext, AllowedHosts, UploadLimit]
    layers = [layer.cls for layer in application(cors_origins="https://example.org").user_middleware]
    assert layers == [PlainStartupFailure, PlainTarget, CrossOrigin, RequestContext, UploadLimit]
    layers = [layer.cls for layer in application().user_middleware]
    assert layers == [PlainStartupFailure, PlainTarget, RequestContext, UploadLimit]


def test_every_path_of_the_table_is_served(guarded: TestClient) -> None:
    assert {path for path in PATHS if guarded.get(path).status_code != 200} == set()


def test_public_paths_need_no_key_and_all_others_do(guarded: TestClient) -> None:
    assert of(Treatment.PUBLIC) == set(PATHS)
    documented = set(guarded.get("/openapi.json").json()["paths"])
    assert documented - set(PATHS) == NEED_A_KEY
    for path in (*NEED_A_KEY, "/unheard-of", "/livez/", "/docs/unheard-of"):
        assert guarded.get(path).status_code == 401
        assert guarded.get(path, headers={"X-API-Key": KEY}).status_code != 401


def test_every_answer_has_a_policy(guarded: TestClient) -> None:
    for path in (*PATHS, "/docs/unheard-of", "/nowhere"):
        assert guarded.get(path).headers[POLICY].startswith("default-src 'none'")
    assert guarded.get("/docs").headers["X-Frame-Options"] == SECURITY_HEADERS["X-Frame-Options"]


def test_probes_are_logged_at_the_level_debug(guarded: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "qrestore.http"):
        for path in ("/livez", "/readyz", "/metrics", "/version", "/models"):
            guarded.get(path)
    levels = {vars(record)["endpoint"]: record.levelname for record in caplog.records if record.name == "qrestore.http"}
    assert {path for path, level in levels.items() if level == "DEBUG"} == of(Treatment.PROBE)
    assert levels["/version"] == levels["unmatched"] == "INFO"  # a request without a key reaches no route
