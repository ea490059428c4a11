"""The interface as described to clients does not change by accident.

After a wanted change, `make openapi` writes the snapshot anew; commit it with the change.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from app.main import create_app
from app.schemas import DecodeAnswer, Problem, RestoreAnswer, Wire
from app.settings import Settings

SNAPSHOT = Path(__file__).with_name("openapi.json")


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def test_snapshot(described: dict[str, Any], request: pytest.FixtureRequest) -> None:
    text = json.dumps(described, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if request.config.getoption("--snapshot-update"):
        SNAPSHOT.write_text(text, encoding="utf-8")
    recorded = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert described == recorded, "the interface has changed; if that is wanted, run `make openapi`"


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


def test_every_reference_resolves(described: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert references(described) <= known


def test_every_error_is_a_problem(described: dict[str, Any]) -> None:
    answers = {
        (path, method, status): list(answer.get("content", {}))
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
        for status, answer in operation["responses"].items()
        if int(status) >= 400
    }
    assert set(map(tuple, answers.values())) == {("application/problem+json",)}
    assert {"400", "413", "415", "422", "500", "503"} <= {s for path, _, s in answers if path == "/decode"}


@pytest.mark.parametrize("path", ["/decode", "/restore"])
def test_upload_is_described_in_every_form(described: dict[str, Any], path: str) -> None:
    content = described["paths"][path]["post"]["requestBody"]["content"]
    raw = {"image/*", "video/*", "application/octet-stream", "binary/octet-stream", "application/pdf"}
    assert set(content) == {"multipart/form-data", "application/json"} | raw
    options = {parameter["name"] for parameter in described["paths"][path]["post"]["parameters"]} - {"accept"}
    for kind, file in (("multipart/form-data", "file"), ("application/json", "image_base64")):
        assert set(content[kind]["schema"]["properties"]) == options | {file}


@pytest.mark.parametrize("kind", [DecodeAnswer, RestoreAnswer, Problem], ids=lambda kind: kind.__name__)
def test_examples_are_valid_and_whole(described: dict[str, Any], kind: type[Wire]) -> None:
    (example,) = described["components"]["schemas"][kind.__name__]["examples"]
    assert kind.model_validate(example).model_dump(mode="json", exclude_unset=True) == example
