"""POST /decode?fuse=true over a fake ladder: several files, one answer, and refusals."""

from base64 import b64encode
from collections.abc import Callable

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.pipeline.files.png import encode_png
from app.pipeline.results import Effort
from tests.support.fakes import FakeLadder, symbol


def frames(*pictures: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (f"{index}.png", picture)) for index, picture in enumerate(pictures)]


def picture(height: int, width: int) -> bytes:
    return encode_png(np.full((height, width), 255, np.uint8))


def test_all_frames_reach_the_ladder_in_order(client: TestClient, ladder: FakeLadder) -> None:
    files = frames(picture(20, 30), picture(40, 50), picture(60, 70))
    answer = client.post("/decode?fuse=true&effort=thorough&budget=3&expect=2", files=files).json()
    shapes = [(20, 30), (40, 50), (60, 70)]
    assert ladder.calls == [{"effort": Effort.THOROUGH, "budget": 3.0, "expect": 2, "shapes": shapes}]
    assert answer["image"] == {"width": 30, "height": 20, "orientation": 1}
    assert [entry["stage"] for entry in answer["trace"]] == ["imaging", "imaging", "imaging", "direct"]


@pytest.mark.parametrize(("query", "budget"), [("", 12.0), ("&budget=2.5", 2.5), ("&budget=1e9", 27.0)])
def test_the_default_budget_is_for_each_frame_a_named_one_for_all(
    client: TestClient, ladder: FakeLadder, blank_png: bytes, query: str, budget: float
) -> None:
    client.post(f"/decode?fuse=true{query}", files=frames(*[blank_png] * 3))
    assert ladder.calls[0]["budget"] == budget


def test_a_code_names_its_frame(start: Callable[..., TestClient], blank_png: bytes) -> None:
    client = start(FakeLadder(symbols=(symbol(),)))
    (code,) = client.post("/decode?fuse=true", files=frames(blank_png, blank_png)).json()["codes"]
    assert code["frame"] == 1
    (code,) = client.post("/decode", files=frames(blank_png)).json()["codes"]
    assert code["frame"] == 0


def test_one_frame_is_enough(client: TestClient, ladder: FakeLadder, blank_png: bytes) -> None:
    assert client.post("/decode?fuse=true", files=frames(blank_png)).status_code == 200
    upload = {"image_base64": b64encode(blank_png).decode()}
    assert client.post("/decode?fuse=true", json=upload).status_code == 200
    assert [call["shapes"] for call in ladder.calls] == [[(48, 64)], [(48, 64)]]


def test_each_frame_counts_as_an_upload(client: TestClient, blank_png: bytes) -> None:
    client.post("/decode?fuse=true", files=frames(blank_png, blank_png))
    metrics = client.get("/metrics").text
    assert "qrestore_upload_bytes_count 2.0" in metrics
    assert 'qrestore_stage_duration_seconds_count{stage="imaging"} 2.0' in metrics


@pytest.mark.parametrize("query", ["", "?fuse=false"])
def test_the_refusal_of_several_files_names_the_option(
    client: TestClient, ladder: FakeLadder, blank_png: bytes, query: str
) -> None:
    response = client.post(f"/decode{query}", files=frames(blank_png, blank_png))
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:qrestore:problem:too_many_files"
    assert "fuse=true" in response.json()["detail"]
    assert ladder.calls == []


@pytest.mark.parametrize(("count", "status"), [(3, 200), (4, 422), (60, 422)])
def test_frames_are_counted(
    start: Callable[..., TestClient], ladder: FakeLadder, blank_png: bytes, count: int, status: int
) -> None:
    response = start(ladder, max_frames=3).post("/decode?fuse=true", files=frames(*[blank_png] * count))
    assert response.status_code == status
    if status != 200:
        assert response.json()["type"] == "urn:qrestore:problem:too_many_files"
        assert "At most 3 frames" in response.json()["detail"]
        assert ladder.calls == []


def test_files_of_other_fields_are_refused_by_name(client: TestClient, blank_png: bytes) -> None:
    files = [("other", blank_png), ("file", blank_png)]
    problem = client.post("/decode", files=files).json()
    assert [error["location"] for error in problem["errors"]] == ["form.other"]


@pytest.mark.parametrize(
    ("bad", "status", "category", "detail"),
    [
        (b"PK\3\4", 415, "unsupported_image", "Frame 1: "),
        (b"", 422, "invalid_image", "Frame 1: The file is empty."),
        (picture(30, 30)[:60], 422, "invalid_image", "Frame 1: "),
    ],
)
def test_a_bad_frame_fails_the_request_and_is_named_by_its_number(
    client: TestClient, ladder: FakeLadder, blank_png: bytes, bad: bytes, status: int, category: str, detail: str
) -> None:
    response = client.post("/decode?fuse=true", files=frames(blank_png, bad, blank_png))
    assert response.status_code == status
    assert response.json()["type"] == f"urn:qrestore:problem:{category}"
    assert response.json()["detail"].startswith(detail)
    assert ladder.calls == []


@pytest.mark.parametrize(("most", "status"), [(600 + 2000, 200), (600 + 2000 - 1, 422)])
def test_pixels_are_counted_together(
    start: Callable[..., TestClient], ladder: FakeLadder, most: int, status: int
) -> None:
    client = start(ladder, max_pixels=most)
    response = client.post("/decode?fuse=true", files=frames(picture(20, 30), picture(40, 50)))
    assert response.status_code == status
    if status != 200:
        assert response.json()["type"] == "urn:qrestore:problem:image_too_large"
        assert "2600 pixels" in response.json()["detail"]
        assert ladder.calls == []


def test_the_body_limit_is_for_all_frames(start: Callable[..., TestClient], ladder: FakeLadder) -> None:
    files = frames(*[picture(20, 30) + bytes(400)] * 4)
    assert start(ladder, max_upload_bytes=1500).post("/decode?fuse=true", files=files).status_code == 413
