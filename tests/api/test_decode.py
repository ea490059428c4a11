"""POST /decode over a fake ladder: its answers, its input and its refusals."""

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import reduce
from operator import xor

import pytest
from fastapi.testclient import TestClient

from app.pipeline.inference.severity import Route
from app.pipeline.qrcode.contents import read_contents
from app.pipeline.results import Effort, Reason
from tests.support.codes import bits_of, modules_of_bits
from tests.support.fakes import FakeLadder, symbol, unread

PROBLEM = "application/problem+json"


def upload(client: TestClient, data: bytes, path: str = "/decode", **options: object) -> tuple[int, dict[str, object]]:
    response = client.post(path, files={"file": ("picture", data)}, **options)
    return response.status_code, response.json()


class TestAnswer:
    def test_has_every_member_and_no_other(self, start: Callable[..., TestClient], blank_png: bytes) -> None:
        ladder = FakeLadder(symbols=(symbol(),), route=Route(212.5, 100.0, "lenet"))
        status, answer = upload(start(ladder), blank_png)
        assert status == 200
        request_id, (imaging, direct) = answer.pop("request_id"), answer.pop("trace")
        assert request_id
        assert imaging["stage"] == "imaging"
        assert imaging["codes"] == 0
        assert 0 < imaging["seconds"] < 1
        assert direct == {"stage": "direct", "seconds": 0.002, "codes": 1}
        assert answer == {
            "codes": [
                {
                    "text": "hello",
                    "bytes_base64": "aGVsbG8=",
                    "exact": True,
                    "content_type": "Text",
                    "symbology": "QRCode",
                    "symbology_identifier": None,
                    "version": 2,
                    "ec_level": "M",
                    "mask": None,
                    "segments": None,
                    "charset": None,
                    "charset_source": "decoder",
                    "structured_append": None,
                    "gs1": [],
                    "gs1_hri": None,
                    "errors_corrected": None,
                    "confidence": None,
                    "mirrored": False,
                    "inverted": False,
                    "rotation": 0.0,
                    "module_pixels": 1.17,
                    "engine": "zxing",
                    "rung": "direct",
                    "frame": 0,
                    "page": 0,
                    "position": [[1.0, 2.0], [30.5, 2.0], [30.5, 31.0], [1.0, 31.0]],
                    "position_normalised": [[1.0, 2.0], [30.5, 2.0], [30.5, 31.0], [1.0, 31.0]],
                }
            ],
            "messages": [],
            "unread": [],
            "image": {"width": 64, "height": 48, "orientation": 1},
            "pages": [
                {"index": 0, "width": 64, "height": 48, "dpi": None, "orientation": 1, "problem": None, "seconds": None}
            ],
            "page_count": 1,
            "route": {"laplacian_variance": 212.5, "threshold": 100.0, "network": "lenet"},
            "truncated": False,
            "complete": True,
        }

    def test_a_charset_is_for_bytes_that_name_none(self, start: Callable[..., TestClient], blank_png: bytes) -> None:
        contents = read_contents(modules_of_bits(bits_of(("byte", "Привет".encode("koi8-r")))))
        assert contents is not None
        client = start(FakeLadder(symbols=(symbol().stating(contents),)))
        _, guessed = upload(client, blank_png)
        _, hinted = upload(client, blank_png, "/decode?charset=KOI8-R")
        assert guessed["codes"][0]["charset_source"] == "guessed"
        assert [hinted["codes"][0][key] for key in ("text", "charset", "charset_source")] == [
            "Привет",
            "koi8-r",
            "hint",
        ]
        assert hinted["codes"][0]["bytes_base64"] == guessed["codes"][0]["bytes_base64"]

    @pytest.mark.parametrize("name", ["no-such-charset", "x-user-defined", "idna", "", "rot13", "a" * 50])
    def test_an_unknown_charset_is_refused(self, client: TestClient, blank_png: bytes, name: str) -> None:
        status, answer = upload(client, blank_png, f"/decode?charset={name}")
        assert status == 422
        assert answer["errors"][0]["location"] == "query.charset"

    def test_messages_of_several_codes_are_put_together(
        self, start: Callable[..., TestClient], blank_png: bytes
    ) -> None:
        stored = "日本".encode()
        halves = (
            read_contents(modules_of_bits(bits_of(("append", i << 12 | 1 << 8 | reduce(xor, stored)), ("byte", half))))
            for i, half in enumerate((stored[:2], stored[2:]))
        )
        symbols = tuple(symbol().stating(half) for half in halves if half)
        _, answer = upload(start(FakeLadder(symbols=symbols[::-1])), blank_png)
        assert answer["messages"] == [
            {
                "text": "日本",
                "bytes_base64": b64encode(stored).decode(),
                "parts": [1, 0],
                "complete": True,
                "missing": [],
            }
        ]
        assert [code["structured_append"]["index"] for code in answer["codes"]] == [1, 0]

    def test_picture_without_a_code_is_a_result(self, client: TestClient, blank_png: bytes) -> None:
        status, answer = upload(client, blank_png)
        assert status == 200
        assert answer["codes"] == []
        assert answer["route"] is None

    def test_truncation_is_stated(self, start: Callable[..., TestClient], blank_png: bytes) -> None:
        _, answer = upload(start(FakeLadder(truncated=True)), blank_png)
        assert answer["truncated"] is True

    def test_codes_that_were_only_seen_are_listed(self, start: Callable[..., TestClient], blank_png: bytes) -> None:
        seen = unread(Reason.TOO_SMALL, module_pixels=1.0778, version=3, frame=2)
        _, answer = upload(start(FakeLadder(unread=(seen, unread(Reason.CUT_OFF)))), blank_png)
        assert answer["codes"] == []
        assert answer["complete"] is True
        position = [[40.0, 10.0], [60.0, 12.0], [58.0, 32.0], [38.0, 30.0]]
        first, second = answer["unread"]
        expected = {"reason": "too_small", "module_pixels": 1.08, "confidence": 0.654, "version": 3, "frame": 2}
        expected |= {"symbology": "QRCode", "page": 0}
        assert first == {"position": position} | expected
        unknown = {
            "reason": "cut_off",
            "module_pixels": None,
            "version": None,
            "frame": 0,
            "symbology": "QRCode",
            "page": 0,
        }
        assert second == {"position": position, "confidence": 0.654} | unknown

    def test_a_search_that_its_budget_ended_says_so(self, start: Callable[..., TestClient], blank_png: bytes) -> None:
        ladder = FakeLadder(symbols=(symbol(),), unread=(unread(Reason.BUDGET),), complete=False)
        _, answer = upload(start(ladder), blank_png)
        assert (len(answer["codes"]), answer["unread"][0]["reason"], answer["complete"]) == (1, "budget", False)

    @pytest.mark.parametrize(
        "payload",
        [
            b"\x00\x80\xff",
            "\u202eabc\u2066".encode(),
            b"javascript:alert(1)",
            "\U0001f600 \u65e5\u672c".encode(),
            b'"\\\n\x1b</script>',
        ],
        ids=["binary", "bidi", "script", "emoji", "escapes"],
    )
    def test_payload_is_exact_and_json_stays_valid(
        self, start: Callable[..., TestClient], blank_png: bytes, payload: bytes
    ) -> None:
        text = payload.decode("latin-1") if payload[0] == 0 else payload.decode()
        response = start(FakeLadder(symbols=(symbol(text, payload),))).post("/decode", files={"file": blank_png})
        (code,) = json.loads(response.content)["codes"]
        assert b64decode(code["bytes_base64"], validate=True) == payload
        assert code["text"] == text

    def test_unpaired_surrogate_cannot_break_the_answer(
        self, start: Callable[..., TestClient], blank_png: bytes
    ) -> None:
        status, answer = upload(start(FakeLadder(symbols=(symbol("a\ud800b", b"a"),))), blank_png)
        assert status == 200
        assert answer["codes"][0]["text"] == "a?b"


class TestInput:
    def test_json_upload(self, client: TestClient, blank_png: bytes) -> None:
        response = client.post("/decode", json={"image_base64": b64encode(blank_png).decode()})
        assert response.status_code == 200
        assert response.json()["image"] == {"width": 64, "height": 48, "orientation": 1}

    @pytest.mark.parametrize("effort", list(Effort))
    def test_effort_reaches_the_ladder(
        self, client: TestClient, ladder: FakeLadder, blank_png: bytes, effort: Effort
    ) -> None:
        upload(client, blank_png, f"/decode?effort={effort}")
        budget = math.inf if effort is Effort.THOROUGH else 4.0
        assert ladder.calls == [{"effort": effort, "budget": budget, "expect": None, "shape": (48, 64)}]

    def test_effort_defaults_to_the_setting(
        self, start: Callable[..., TestClient], ladder: FakeLadder, blank_png: bytes
    ) -> None:
        upload(start(ladder, default_effort="thorough"), blank_png)
        assert ladder.calls[0]["effort"] is Effort.THOROUGH

    @pytest.mark.parametrize(
        ("query", "settings", "budget"),
        [
            ("", {"budget_seconds": 7}, 7.0),
            ("?budget=0.5", {}, 0.5),
            ("?budget=0.5&effort=fast", {}, 0.5),
            ("?budget=3&effort=thorough", {}, 3.0),
            ("", {"budget_seconds": 7, "default_effort": "thorough"}, math.inf),
            ("?budget=1e9", {"work_seconds": 10}, 9.0),
            ("?budget=1e9", {"request_seconds": 5}, 4.5),
            ("", {"budget_seconds": 60, "work_seconds": 10}, 9.0),
            ("?effort=thorough", {"work_seconds": 10}, math.inf),
        ],
    )
    def test_budget_is_the_requests_then_the_efforts_and_ends_before_the_deadline(
        self,
        start: Callable[..., TestClient],
        ladder: FakeLadder,
        blank_png: bytes,
        query: str,
        settings: dict[str, object],
        budget: float,
    ) -> None:
        assert upload(start(ladder, **settings), blank_png, f"/decode{query}")[0] == 200
        assert ladder.calls[0]["budget"] == budget

    @pytest.mark.parametrize("count", [1, 254])
    def test_expected_number_reaches_the_ladder(
        self, client: TestClient, ladder: FakeLadder, blank_png: bytes, count: int
    ) -> None:
        assert upload(client, blank_png, f"/decode?expect={count}")[0] == 200
        assert ladder.calls[0]["expect"] == count

    @pytest.mark.parametrize("name", ["../../x", "a" * 1_000, "x\u0000y", "\u202egnp"])
    def test_file_name_does_not_matter(self, client: TestClient, blank_png: bytes, name: str) -> None:
        assert client.post("/decode", files={"file": (name, blank_png)}).status_code == 200

    def test_large_upload_stays_whole(self, client: TestClient, blank_png: bytes) -> None:
        padded = blank_png + bytes(3 * 1024 * 1024)
        assert upload(client, padded)[0] == 200


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "data", "expected", "category"),
        [
            ("", b"", 422, "invalid_image"),
            ("", b"PK\3\4", 415, "unsupported_image"),
            ("", b"\x89PNG\r\n\x1a\n", 422, "invalid_image"),
            ("?effort=lazy", None, 422, "invalid_request"),
            ("?unknown=1", None, 422, "invalid_request"),
            *[
                (f"?budget={value}", None, 422, "invalid_request")
                for value in ("NaN", "inf", "-inf", "0", "-0.0", "-1", "1e999", "", "soon")
            ],
            *[
                (f"?expect={value}", None, 422, "invalid_request")
                for value in ("NaN", "0", "-1", "255", "1.5", "", "all", "9" * 400)
            ],
            ("?" + "a=&" * 1000, None, 400, "malformed_body"),
        ],
    )
    def test_of_images_and_options(
        self, client: TestClient, blank_png: bytes, query: str, data: bytes | None, expected: int, category: str
    ) -> None:
        status, problem = upload(client, blank_png if data is None else data, f"/decode{query}")
        assert status == expected
        assert problem["type"] == f"urn:qrestore:problem:{category}"

    def test_each_option_that_is_not_valid_is_named_once(self, client: TestClient, blank_png: bytes) -> None:
        _, problem = upload(client, blank_png, "/decode?effort=lazy&unknown=1")
        assert sorted(error["location"] for error in problem["errors"]) == ["query.effort", "query.unknown"]

    @pytest.mark.parametrize(
        ("request_", "expected"),
        [
            ({}, 422),
            ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
            ({"content": b"--x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
            ({"content": b"--x\r\nfoo", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 400),
            ({"files": {"other": b"x"}}, 422),
            ({"data": {"file": "text"}, "files": {"other": b"x"}}, 422),
            ({"files": [("file", b"x"), ("file", b"y")]}, 422),
            ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
            ({"json": {}}, 422),
            ({"json": {"image_base64": 7}}, 422),
            ({"json": {str(number): 0 for number in range(100_000)}}, 422),
            ({"json": {"image_base64": [0] * 100_000}}, 422),
            ({"json": {"image_base64": "*"}}, 422),
            ({"json": {"image_base64": "\u00e9"}}, 422),
            ({"json": {"image_base64": ""}}, 422),
        ],
        ids=str,
    )
    def test_of_bodies(self, client: TestClient, request_: dict[str, object], expected: int) -> None:
        response = client.post("/decode", **request_)
        assert response.status_code == expected
        assert response.headers["content-type"] == PROBLEM

    def test_too_many_pixels(self, start: Callable[..., TestClient], ladder: FakeLadder, blank_png: bytes) -> None:
        status, problem = upload(start(ladder, max_pixels=64 * 48 - 1), blank_png)
        assert status == 422
        assert problem["type"] == "urn:qrestore:problem:image_too_large"
        assert ladder.calls == []
