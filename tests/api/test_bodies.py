"""What a body may hold: bare files, base64 in every form, and options beside the file, which query and body share."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from app.pipeline.results import Effort
from app.pipeline.symbologies import GROUPS
from tests.support.fakes import FakeLadder, symbol, unread


def locations(client: TestClient, path: str, **request: object) -> list[str]:
    """The parts of a request that are refused."""
    response = client.post(path, **request)  # type: ignore[arg-type]
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:qrestore:problem:invalid_request"
    return [error["location"] for error in response.json()["errors"]]


class TestBareFiles:
    @pytest.mark.parametrize(
        "kind",
        [
            "image/png",
            "image/jpeg",
            "IMAGE/x-anything; q=1",
            "application/octet-stream",
            "application/pdf",
            "video/mp4",
        ],
    )
    @pytest.mark.parametrize("path", ["/decode", "/restore"])
    def test_the_body_is_the_file_whatever_its_type_says(
        self, client: TestClient, blank_png: bytes, kind: str, path: str
    ) -> None:
        response = client.post(path, content=blank_png, headers={"Content-Type": kind})
        assert response.status_code == 200
        assert "qrestore_upload_bytes_count 1.0" in client.get("/metrics").text

    def test_options_stand_in_the_query(self, client: TestClient, ladder: FakeLadder, blank_png: bytes) -> None:
        client.post("/decode?effort=fast", content=blank_png, headers={"Content-Type": "image/png"})
        assert ladder.calls[0]["effort"] is Effort.FAST

    @pytest.mark.parametrize(("content", "status"), [(b"", 422), (b"<svg/>", 415), (b"\x89PNG\r\n\x1a\n", 422)])
    def test_no_picture(self, client: TestClient, content: bytes, status: int) -> None:
        response = client.post("/decode", content=content, headers={"Content-Type": "image/png"})
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"

    def test_the_body_limit_holds(self, start: Callable[..., TestClient]) -> None:
        def body() -> Iterator[bytes]:
            for _ in range(10):
                yield bytes(500)

        client = start(FakeLadder(), max_upload_bytes=2000)
        response = client.post("/decode", content=body(), headers={"Content-Type": "image/png"})
        assert response.status_code == 413

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "audio/mp4", "imagery/png"])
    def test_other_types_are_refused(self, client: TestClient, blank_png: bytes, kind: str) -> None:
        assert client.post("/decode", content=blank_png, headers={"Content-Type": kind}).status_code == 415


class TestBase64:
    def test_every_form_is_read(self, client: TestClient, blank_png: bytes) -> None:
        standard = b64encode(blank_png).decode()
        lines = "\n".join(standard[i : i + 60] for i in range(0, len(standard), 60))
        safe = urlsafe_b64encode(blank_png).decode().rstrip("=")
        for text in (standard, lines, safe, f"data:image/png;base64,{safe}"):
            for path in ("/decode", "/restore"):
                assert client.post(path, json={"image_base64": text}).status_code == 200

    @pytest.mark.parametrize("text", ["data:image/png,abc", "A", "AA=A", "\u00e9"])
    def test_anything_else_is_named(self, client: TestClient, text: str) -> None:
        response = client.post("/decode", json={"image_base64": text})
        assert response.status_code == 422
        assert "image_base64" in response.json()["detail"]


class TestOptionsInTheBody:
    def test_of_a_form(self, client: TestClient, ladder: FakeLadder, blank_png: bytes) -> None:
        fields = {"effort": "fast", "budget": "0.5", "expect": "2", "symbologies": "all"}
        assert client.post("/decode", files={"file": blank_png}, data=fields).status_code == 200
        assert client.post("/decode?expect=2", files={"file": blank_png}, data={"effort": "fast"}).status_code == 200
        first, second = ladder.calls
        assert (first["effort"], first["budget"], first["expect"]) == (Effort.FAST, 0.5, 2)
        assert (second["effort"], second["expect"]) == (Effort.FAST, 2)
        assert ladder.symbologies == [GROUPS["all"], GROUPS["qr"]]

    def test_of_json(self, client: TestClient, ladder: FakeLadder, blank_png: bytes) -> None:
        upload = {"image_base64": b64encode(blank_png).decode()}
        options = {"effort": "fast", "budget": 0.5, "expect": 2, "fuse": False, "region": "8,8,20,20"}
        assert client.post("/decode", json=upload | options).status_code == 200
        assert ladder.calls[0]["effort"] is Effort.FAST
        assert ladder.calls[0]["shape"] == (20, 20)
        options = {"network": "lenet", "scale": 4, "binary": True}
        assert client.post("/restore", json=upload | options).status_code == 200
        assert (ladder.calls[1]["network"], ladder.calls[1]["scale"], ladder.calls[1]["binary"]) == ("lenet", 4, True)

    def test_fuse_may_follow_its_files(self, client: TestClient, ladder: FakeLadder, blank_png: bytes) -> None:
        parts = [("file", ("a", blank_png)), ("file", ("b", blank_png)), ("fuse", (None, "true"))]
        assert client.post("/decode", files=parts).status_code == 200
        assert len(ladder.calls[0]["shapes"]) == 2  # type: ignore[arg-type]

    def test_what_is_not_valid_is_named(self, client: TestClient, blank_png: bytes) -> None:
        file, text = {"file": blank_png}, b64encode(blank_png).decode()
        assert locations(client, "/decode", files=file, data={"effort": "lazy"}) == ["form.effort"]
        assert locations(client, "/decode", files=file, data={"note": "x", "width": "1"}) == ["form.note", "form.width"]
        assert locations(client, "/decode", files=file, data={"effort": ["fast", "fast"]}) == ["form.effort"]
        assert locations(client, "/restore", files=file, data={"effort": "fast"}) == ["form.effort"]
        assert locations(client, "/decode", files={"file": (None, "text")}) == ["form.file"]
        assert locations(client, "/decode", json={"image_base64": text, "budget": -1}) == ["body.budget"]
        assert locations(client, "/decode", json={"image_base64": text, "x" * 99: 1}) == ["body." + "x" * 64]
        assert locations(client, "/decode", json={"image_base64": text, "effort": None, "frames": 3}) == ["body.frames"]

    def test_query_and_body_may_agree_and_must_not_differ(
        self, client: TestClient, ladder: FakeLadder, blank_png: bytes
    ) -> None:
        file = {"file": blank_png}
        assert client.post("/decode?effort=fast", files=file, data={"effort": "fast"}).status_code == 200
        assert locations(client, "/decode?effort=fast", files=file, data={"effort": "thorough"}) == ["form.effort"]
        assert len(ladder.calls) == 1

    def test_what_is_given_twice_is_named(self, client: TestClient, ladder: FakeLadder, blank_png: bytes) -> None:
        file, text = {"file": blank_png}, b64encode(blank_png).decode()
        assert locations(client, "/decode?effort=fast&effort=thorough", files=file) == ["query.effort"]
        assert locations(client, "/restore?scale=1&binary=true&scale=1", files=file) == ["query.scale"]
        kind = {"Content-Type": "application/json"}
        for options in ('"effort": "fast", "effort" : "thorough"', '"expect": 1, "budget": 1,\n"expect":2'):
            body = f'{{"image_base64": "{text}", {options}}}'
            assert locations(client, "/decode", content=body, headers=kind) == ["body." + options.split('"')[1]]
        once = f'{{"image_base64": "{text}", "charset": "utf-8", "effort": "fast"}}'
        assert client.post("/decode", content=once, headers=kind).status_code == 200
        assert len(ladder.calls) == 1

    def test_rules_between_options_hold_across_query_and_body(self, client: TestClient, blank_png: bytes) -> None:
        assert locations(client, "/restore?view=original", files={"file": blank_png}, data={"scale": "4"}) == ["form"]

    @pytest.mark.parametrize("body", [[], "text", None, 7, {"image_base64": None}])
    def test_json_that_is_no_upload(self, client: TestClient, body: object) -> None:
        response = client.post("/decode", json=body)
        assert response.status_code == 422
        assert "image_base64" in response.json()["detail"]


class TestRegion:
    def test_only_there_is_looked_and_positions_are_those_of_the_whole(
        self, start: Callable[..., TestClient], blank_png: bytes
    ) -> None:
        ladder = FakeLadder(symbols=(symbol(),), unread=(unread(),))
        client = start(ladder)
        for region in ("10,20,40,20", "0.15625,0.416666667,0.625,0.416666666"):
            answer = client.post(f"/decode?region={region}", files={"file": blank_png}).json()
            assert ladder.calls[-1]["shape"] == (20, 40)
            assert answer["image"] == {"width": 64, "height": 48, "orientation": 1}
            assert answer["codes"][0]["position"][0] == [11.0, 22.0]
            assert answer["unread"][0]["position"][0] == [50.0, 30.0]

    @pytest.mark.parametrize("region", ["", "1,2,3", "0,0,0,5", "-1,0,5,5", "0.5,0,0.6,1", "a,b,c,d", "NaN,0,1,1"])
    def test_nonsense_is_refused(self, client: TestClient, ladder: FakeLadder, blank_png: bytes, region: str) -> None:
        for path in ("/decode", "/restore"):
            assert locations(client, f"{path}?region={region}", files={"file": blank_png}) == ["query.region"]
        assert ladder.calls == []

    @pytest.mark.parametrize("path", ["/decode", "/restore", "/decode?fuse=true"])
    def test_outside_the_picture_is_refused_with_its_size(
        self, client: TestClient, blank_png: bytes, path: str
    ) -> None:
        join = "&" if "?" in path else "?"
        response = client.post(f"{path}{join}region=60,0,5,5", files={"file": blank_png})
        assert response.status_code == 422
        assert response.json()["type"] == "urn:qrestore:problem:region_outside"
        assert "64 x 48 pixels" in response.json()["detail"]


@pytest.mark.parametrize("words", ["", "qrcode,", "barcode", "all,none", "QR;EAN13"])
def test_unknown_symbologies_are_refused_with_those_there_are(client: TestClient, blank_png: bytes, words: str) -> None:
    response = client.post(f"/decode?symbologies={words}", files={"file": blank_png})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["location"] == "query.symbologies"
    assert "DataMatrix" in error["message"]
