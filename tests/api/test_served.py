"""The whole service in a process of its own: real HTTP, real engines, tiny networks."""

import http.client
import socket
import time
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.pipeline.files.decoding import decode_image
from app.pipeline.files.png import encode_png
from tests.support.codes import qr_picture
from tests.support.live.servers import running

MAX_UPLOAD = 2_000_000


@pytest.fixture(scope="module")
def server(weights: Path) -> Iterator[str]:
    with running(weights=weights, max_upload_bytes=MAX_UPLOAD) as started:
        yield f"http://127.0.0.1:{started.port}"


@pytest.fixture(scope="module")
def http_client(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client


def test_ready_with_every_network(http_client: httpx.Client, weights: Path) -> None:
    assert http_client.get("/readyz").status_code == 200
    models = http_client.get("/models").json()
    assert models["device"] == "cpu"
    assert {model["name"] for model in models["models"]} == {path.stem for path in weights.iterdir()}
    assert all(model["parameters"] > 0 and model["provenance"] == {"recipe": "none"} for model in models["models"])
    assert 'qrestore_model_info{architecture="LENet"' in http_client.get("/metrics").text


@pytest.mark.parametrize("payload", [b"plain text", "\u00fcml\u00e4ut \u65e5\u672c".encode(), b"\x00\x80\xfe\xff"])
def test_exact_payload(http_client: httpx.Client, payload: bytes) -> None:
    picture = encode_png(qr_picture(payload))
    (code,) = http_client.post("/decode", files={"file": picture}).json()["codes"]
    assert b64decode(code["bytes_base64"]) == payload
    assert code["rung"] == "direct"


def test_several_codes_and_their_positions(http_client: httpx.Client) -> None:
    left, right = qr_picture("left", scale=5), qr_picture("right", scale=5)
    assert left.shape == right.shape
    side, quiet = left.shape[0], 20
    answer = http_client.post("/decode", files={"file": encode_png(np.hstack([left, right]))}).json()
    positions = {code["text"]: np.array(code["position"]) for code in answer["codes"]}
    assert set(positions) == {"left", "right"}
    corners = np.array([[quiet, quiet], [side - quiet, quiet], [side - quiet, side - quiet], [quiet, side - quiet]])
    np.testing.assert_allclose(positions["left"], corners, atol=3)
    np.testing.assert_allclose(positions["right"], np.add(corners, (side, 0)), atol=3)
    assert answer["image"] == {"width": 2 * side, "height": side, "orientation": 1}


def test_nothing_to_read(http_client: httpx.Client, blank_png: bytes) -> None:
    answer = http_client.post("/decode", files={"file": blank_png})
    assert answer.status_code == 200
    assert answer.json()["codes"] == []


def test_restore(http_client: httpx.Client) -> None:
    response = http_client.post("/restore", files={"file": encode_png(qr_picture("restore me"))})
    assert response.status_code == 200
    assert decode_image(response.content, max_pixels=10_000_000).size > 0
    assert response.headers["x-qrestore-network"]


def test_length_over_the_limit_is_refused_before_the_body(server: str) -> None:
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST /decode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {MAX_UPLOAD + 1}"
        connection.sendall(f"{head}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 413
        assert answer.headers.get_content_type() == "application/problem+json"


def test_endless_chunks_are_cut_off(server: str, http_client: httpx.Client) -> None:
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /decode HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        connection.sendall(f"{len(head):x}\r\n".encode() + head + b"\r\n")
        chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        sent = 0
        try:
            while sent < 10 * MAX_UPLOAD:
                connection.sendall(chunk)
                sent += len(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 10 * MAX_UPLOAD
    assert http_client.get("/livez").status_code == 200


def test_many_at_once(http_client: httpx.Client) -> None:
    pictures = {f"number {i}": encode_png(qr_picture(f"number {i}")) for i in range(12)}
    with ThreadPoolExecutor(6) as threads:
        answers = threads.map(lambda data: http_client.post("/decode", files={"file": data}).json(), pictures.values())
        assert [[code["text"] for code in answer["codes"]] for answer in answers] == [[text] for text in pictures]


def test_overhead_of_a_readable_picture(http_client: httpx.Client) -> None:
    """Parsing, hand-over and answering, without the pipeline's own stages; the least of many, for busy machines."""
    picture = encode_png(qr_picture("quick"))
    spent = []
    for _ in range(30):
        began = time.perf_counter()
        trace = http_client.post("/decode", files={"file": picture}).json()["trace"]
        spent.append(time.perf_counter() - began - sum(entry["seconds"] for entry in trace))
    assert min(spent) < 0.05
