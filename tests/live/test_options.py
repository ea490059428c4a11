"""Rows 55 to 59 of docs/bad-inputs.md: options that nobody has, base64 in disguise, hidden colours, odd messages."""

import base64
import json
from typing import Any, Final

import pytest
import segno

from app.pipeline.files.png import encode_png
from tests.support import colours
from tests.support.codes import symbol_picture
from tests.support.live.servers import GOOD, GOOD_TEXT, Answer, Server, file_part, form, request, upload
from tests.support.live.symbols import beside

pytestmark = pytest.mark.slow

READ: Final = [GOOD_TEXT.encode()]
TEXT: Final = base64.b64encode(GOOD).decode()


def field(name: str, value: str) -> tuple[bytes, bytes]:
    return b'Content-Disposition: form-data; name="%s"' % name.encode(), value.encode()


def sent_as_json(server: Server, document: str) -> Answer:
    return server.send(request(document.encode(), kind=b"application/json"))


def named(problem: dict[str, Any]) -> list[str]:
    return [each["location"] for each in problem["errors"]]


@pytest.mark.parametrize(
    ("query", "fields", "location"),
    [
        (b"?colour=red", [], "query.colour"),
        (b"", [("colour", "red")], "form.colour"),
        (b"?effort=fast&effort=thorough", [], "query.effort"),
        (b"", [("effort", "fast"), ("effort", "fast")], "form.effort"),
        (b"?effort=fast", [("effort", "thorough")], "form.effort"),
        (b"", [("effort", "lazy")], "form.effort"),
    ],
)
def test_row_55_what_is_no_option_or_two_is_named(
    server: Server, query: bytes, fields: list[tuple[str, str]], location: str
) -> None:
    body = form(file_part(GOOD), *(field(*each) for each in fields))
    assert named(server.send(request(body, line=b"POST /decode" + query)).problem(422)) == [location]


@pytest.mark.parametrize("options", ['"colour": "red"', '"effort": "fast", "effort": "thorough"', '"effort": "lazy"'])
def test_row_55_members_of_json(server: Server, options: str) -> None:
    answer = sent_as_json(server, f'{{"image_base64": "{TEXT}", {options}}}')
    assert named(answer.problem(422)) == ["body." + options.split('"')[1]]


def test_row_55_a_known_option_is_honoured_wherever_it_stands(server: Server) -> None:
    answers = [
        server.upload(GOOD, query=b"?region=0,0,8,8"),
        server.send(request(form(field("region", "0,0,8,8"), file_part(GOOD)))),
        sent_as_json(server, json.dumps({"region": "0,0,8,8", "image_base64": TEXT})),
    ]
    assert [answer.payloads() for answer in answers] == [[]] * 3


@pytest.mark.parametrize(
    "text",
    [
        f"data:image/png;base64,{TEXT}",
        TEXT.rstrip("="),
        base64.urlsafe_b64encode(GOOD).decode(),
        base64.encodebytes(GOOD).decode().replace("\n", "\r\n"),
    ],
    ids=["data URL", "no padding", "URL-safe", "lines"],
)
def test_row_56_base64_in_every_form(server: Server, text: str) -> None:
    assert sent_as_json(server, json.dumps({"image_base64": text})).payloads() == READ


@pytest.mark.parametrize("text", [TEXT[:41], TEXT + "*", f"data:image/png,{TEXT}", "="])
def test_row_56_what_is_no_base64(server: Server, text: str) -> None:
    sent_as_json(server, json.dumps({"image_base64": text})).problem(422)


def test_row_57_hidden_colours_are_not_read(server: Server) -> None:
    hidden = colours.coloured("hidden", colours.BLACK, colours.WHITE)
    shown = colours.on_nothing("shown", colours.BLACK, hidden=hidden)
    assert server.upload(colours.file(shown)).payloads() == [b"shown"]
    shown[:, :, 3] = 0
    for query in (b"", b"?effort=fast", b"?effort=thorough"):
        assert server.upload(colours.file(shown), query=query).payloads() == []


ONE: Final = "north gate, then the southern one"
TWO: Final = "south gate, then the northern one"
"""The same letters, so that the parity is the same."""


def parts(text: str) -> list[segno.QRCode]:
    return list(segno.make_sequence(text, symbol_count=2, error="m", boost_error=False))


def messages(server: Server, *symbols: segno.QRCode) -> list[tuple[str, bool, list[int]]]:
    picture = beside(*(symbol_picture(symbol, scale=4) for symbol in symbols))
    found = server.upload(encode_png(picture)).json()["messages"]
    return sorted((each["text"], each["complete"], each["missing"]) for each in found)


def test_row_58_messages_that_lack_a_part_or_have_one_twice(server: Server) -> None:
    first, second = parts(ONE)
    assert messages(server, second, first, second) == [(ONE, True, [])]
    ((text, complete, missing),) = messages(server, second)
    assert ONE.endswith(text)
    assert (complete, missing) == (False, [0])


def test_row_58_groups_of_the_same_parity(server: Server) -> None:
    found = messages(server, *parts(ONE), *parts(TWO))
    assert found == [(ONE, True, []), (TWO, True, [])]


@pytest.mark.parametrize("region", [b"1,2,3", b"0,0,0,5", b"-1,0,5,5", b"0.5,0,0.6,1", b"a,b,c,d", b"0,0,99999,9"])
@pytest.mark.parametrize("path", [b"/decode", b"/restore"])
def test_row_59_regions_that_are_none(server: Server, path: bytes, region: bytes) -> None:
    server.send(upload(GOOD, path=path, query=b"?region=" + region)).problem(422)
