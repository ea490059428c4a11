"""Rows 32 to 35 of docs/bad-inputs.md: pictures whose symbols are hard on the decoding engines or on clients."""

import json
from typing import Final

import pytest
import segno

from app.pipeline.files.png import encode_png
from app.pipeline.imaging import GreyImage
from app.settings import Settings
from tests.support.codes import qr_picture, symbol_picture
from tests.support.live.servers import Server
from tests.support.live.symbols import bar_field, beside, finder_field, sheet

pytestmark = pytest.mark.slow

SHAPES: Final[dict[str, GreyImage]] = {
    "centres in a grid": finder_field(24),
    "centres, damaged": finder_field(16, seed=1),
    "centres touching": finder_field(20, gap=0),
    "centres, one pixel a module": finder_field(30, scale=1, gap=2),
    "stacked bars": bar_field(20, seed=2),
    "stacked bars and centres": beside(bar_field(8, seed=3), finder_field(8, seed=4)),
}


def crashes(server: Server) -> float:
    return server.metric("qrestore_child_restarts_total", reason="crash")


@pytest.mark.parametrize("name", SHAPES)
def test_row_32_shapes_that_broke_zbar(server: Server, name: str) -> None:
    before = crashes(server)
    assert server.upload(encode_png(SHAPES[name]), query=b"?effort=fast").payloads() == []
    assert crashes(server) == before


def test_row_32_shapes_that_broke_zbar_on_every_rung(server: Server) -> None:
    before = crashes(server)
    assert server.upload(encode_png(finder_field(2))).payloads() == []
    assert crashes(server) == before


WHOLE: Final = "first part, second part, third part"
PARTS: Final = segno.make_sequence(WHOLE, version=2, error="m")


@pytest.mark.parametrize("effort", ["fast", "balanced", "thorough"])
def test_row_33_structured_append(server: Server, effort: str) -> None:
    """Each part is answered as a code of its own, beside every other code."""
    plain = qr_picture("neighbour", scale=4)
    picture = beside(plain, *(symbol_picture(part, scale=4) for part in PARTS), plain)
    payloads = server.upload(encode_png(picture), query=b"?effort=" + effort.encode()).payloads()
    parts = [payload.decode() for payload in payloads if payload != b"neighbour"]
    assert len(payloads) - len(parts) == 2
    assert "".join(sorted(parts, key=WHOLE.find)) == WHOLE


@pytest.mark.parametrize("part", PARTS, ids=range(len(PARTS)))
def test_row_33_one_part_alone(server: Server, part: segno.QRCode) -> None:
    """An engine once raised on a part without the others."""
    (payload,) = server.upload(encode_png(symbol_picture(part, scale=4))).payloads()
    assert payload.decode() in WHOLE


PAYLOADS: Final = {
    "nul": b"before\0after",
    "only nul": b"\0",
    "high bytes": bytes(range(0x80, 0x100)),
    "all bytes": bytes(range(256)),
    "no utf-8": b"\xc3\x28 \xed\xa0\x80 \xf8\x88\x80\x80\x80",
    "bidi marks": "\u202egnp.exe\u202c \u2066\u2069 \u200f \ufeff".encode(),
    "markup": b"</script><script>alert(1)</script>\"'&",
    "javascript": b"javascript:alert(document.cookie)",
    "control characters": bytes(range(1, 32)) + b"\x7f\x1b[2J\r\nX-Evil: yes\r\n\r\n",
    "json": b'","codes":[],"x":"\\u0000\\',
    "line separators": "\u2028\u2029\u0085".encode(),
    "beyond the first plane": "\U0001f4a9\U000e0001\U0010ffff".encode(),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_row_34_payload_is_exact(server: Server, name: str) -> None:
    payload = PAYLOADS[name]
    answer = server.upload(encode_png(qr_picture(payload, scale=4, error="l")))
    assert answer.payloads() == [payload]
    text = json.loads(answer.body.decode("utf-8"))["codes"][0]["text"]
    text.encode("utf-8")


def test_row_34_payload_with_line_breaks_adds_no_header(server: Server) -> None:
    """The text of a restored code is percent-encoded in a header of the answer."""
    restored = server.restore(encode_png(qr_picture(PAYLOADS["control characters"], scale=4)))
    assert restored.status == 200
    assert "x-evil" not in restored.headers
    assert "%0D%0AX-Evil%3A%20yes" in restored.headers["x-qrestore-text"]


@pytest.mark.parametrize("name", ["nul", "control characters", "javascript"])
def test_row_34_nothing_of_a_payload_is_logged(server: Server, name: str) -> None:
    before = len(server.log)
    server.upload(encode_png(qr_picture(b"unlikely-word" + PAYLOADS[name], scale=4))).payloads()
    assert "unlikely-word" not in "".join(server.log[before:])


def two_hundred(count: int = 200) -> tuple[list[str], GreyImage]:
    payloads = [f"code {number:03}" for number in range(count)]
    return payloads, sheet(payloads, columns=20)


def test_row_35_two_hundred_codes(server: Server) -> None:
    payloads, picture = two_hundred()
    answer = server.upload(encode_png(picture))
    assert sorted(answer.payloads()) == [text.encode() for text in payloads]
    assert answer.json()["truncated"] is False


def test_row_35_more_codes_than_an_answer_holds(server: Server) -> None:
    payloads, picture = two_hundred(300)
    answer = server.upload(encode_png(picture))
    read = answer.payloads()
    assert len(set(read)) == len(read) == Settings().max_codes
    assert {text.encode() for text in payloads} >= set(read)
    assert answer.json()["truncated"] is True
