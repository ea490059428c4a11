"""POST /restore over a fake ladder: PNG with headers, or JSON, and its options."""

from base64 import b64decode
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient

from app.pipeline.files.decoding import decode_image
from app.pipeline.inference.severity import Route
from app.pipeline.results import View
from app.routers.restore import prefers_json
from tests.support.fakes import FakeLadder, symbol

ROUTE = Route(laplacian_variance=12.25, threshold=100.0, network="lenet")


def test_png_with_headers_by_default(start: Callable[..., TestClient], blank_png: bytes) -> None:
    response = start(FakeLadder(symbols=(symbol("caf\u00e9 & co\r\n"),), route=ROUTE)).post(
        "/restore", files={"file": blank_png}
    )
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
    assert decode_image(response.content, max_pixels=10_000).shape == (20, 30)
    assert response.headers["x-qrestore-network"] == "lenet"
    assert response.headers["x-qrestore-route"] == "laplacian_variance=12.25, threshold=100"
    assert response.headers["x-qrestore-located"] == "true"
    assert response.headers["x-qrestore-codes"] == "1"
    assert response.headers["x-qrestore-text"].isascii()
    assert unquote(response.headers["x-qrestore-text"]) == "caf\u00e9 & co\r\n"


def test_headers_if_nothing_ran_and_nothing_was_read(client: TestClient, blank_png: bytes) -> None:
    headers = client.post("/restore", files={"file": blank_png}).headers
    assert headers["x-qrestore-network"] == "none"
    assert headers["x-qrestore-codes"] == "0"
    assert not {"x-qrestore-route", "x-qrestore-text"} & set(headers)


def test_where_nothing_was_located_there_is_no_restored_picture(
    start: Callable[..., TestClient], blank_png: bytes
) -> None:
    client = start(FakeLadder(located=False))
    answer = client.post("/restore", files={"file": blank_png}, headers={"Accept": "application/json"}).json()
    assert (answer["located"], answer["png_base64"], answer["restored"]) == (False, None, None)
    assert (answer["network"], answer["codes"]) == (None, [])
    assert answer["image"] == {"width": 64, "height": 48, "orientation": 1}
    response = client.post("/restore", files={"file": blank_png})
    assert response.status_code == 200
    assert response.headers["x-qrestore-located"] == "false"
    assert decode_image(response.content, max_pixels=10_000).shape == (20, 30)


def test_long_text_is_left_out_of_the_headers(start: Callable[..., TestClient], blank_png: bytes) -> None:
    response = start(FakeLadder(symbols=(symbol("x" * 2049),))).post("/restore", files={"file": blank_png})
    assert response.headers["x-qrestore-codes"] == "1"
    assert "x-qrestore-text" not in response.headers


def test_json_on_request(start: Callable[..., TestClient], blank_png: bytes) -> None:
    answer = (
        start(FakeLadder(symbols=(symbol(),), route=ROUTE))
        .post("/restore", files={"file": blank_png}, headers={"Accept": "application/json"})
        .json()
    )
    assert decode_image(b64decode(answer["png_base64"]), max_pixels=10_000).shape == (20, 30)
    assert answer["located"] is True
    assert answer["restored"] == {"width": 30, "height": 20}
    assert answer["image"] == {"width": 64, "height": 48, "orientation": 1}
    assert answer["network"] == "lenet"
    assert answer["route"] == {"laplacian_variance": 12.25, "threshold": 100.0, "network": "lenet"}
    assert [code["text"] for code in answer["codes"]] == ["hello"]
    assert [entry["stage"] for entry in answer["trace"]] == ["imaging", "direct"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"network": "auto", "scale": 1, "binary": False, "view": View.STRAIGHTENED}),
        (
            "?network=lenet&scale=4&binary=true&view=straightened",
            {"network": "lenet", "scale": 4, "binary": True, "view": View.STRAIGHTENED},
        ),
        (
            "?network=modules&view=original",
            {"network": "modules", "scale": 1, "binary": False, "view": View.ORIGINAL},
        ),
    ],
)
def test_options_reach_the_ladder(
    client: TestClient, ladder: FakeLadder, blank_png: bytes, query: str, expected: dict[str, object]
) -> None:
    client.post(f"/restore{query}", files={"file": blank_png})
    assert ladder.calls == [expected | {"budget": 4.0}]


@pytest.mark.parametrize(
    "query", ["scale=2", "scale=-1", "scale=NaN", "binary=perhaps", "network=", "network=no", "view=aslant", "x=1"]
)
def test_invalid_options(client: TestClient, blank_png: bytes, query: str) -> None:
    response = client.post(f"/restore?{query}", files={"file": blank_png})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


def test_the_original_view_cannot_be_scaled(client: TestClient, ladder: FakeLadder, blank_png: bytes) -> None:
    response = client.post("/restore?view=original&scale=4", files={"file": blank_png})
    assert response.status_code == 422
    problem = response.json()
    assert problem["type"] == "urn:qrestore:problem:invalid_request"
    assert [error["location"] for error in problem["errors"]] == ["query"]
    assert "scale must be 1" in problem["errors"][0]["message"]
    assert ladder.calls == []


@pytest.mark.parametrize("query", ["scale=4", "binary=true", "view=original"])
def test_a_comparison_has_one_form(client: TestClient, ladder: FakeLadder, blank_png: bytes, query: str) -> None:
    response = client.post(f"/restore?network=compare&{query}", files={"file": blank_png})
    assert response.status_code == 422
    assert "network=compare draws" in response.json()["errors"][0]["message"]
    assert ladder.calls == []


def test_one_file_at_a_time(client: TestClient, ladder: FakeLadder, blank_png: bytes) -> None:
    response = client.post("/restore", files=[("file", blank_png), ("file", blank_png)])
    assert response.status_code == 422
    assert response.json()["type"] == "urn:qrestore:problem:too_many_files"
    assert ladder.calls == []


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", False),
        ("", False),
        ("image/png", False),
        ("application/json", True),
        ("Application/JSON; q=0.5", True),
        ("application/json, image/png", False),
        ("application/json, image/png;q=0.9", True),
        ("application/json;q=0.5, */*;q=0.1", True),
        ("application/*", True),
        ("application/json;q=0", False),
        ("application/json;q=x", False),
    ],
)
def test_accept(accept: str, expected: bool) -> None:
    assert prefers_json(accept) is expected
