"""What strangers wrote, made safe to print."""

import json

import pytest

from app.telemetry.escaping import escape, escape_json, is_unsafe

HOSTILE = "\x1b]0;owned\x07\r\n\t\x00\x7f\x9b31m\N{RIGHT-TO-LEFT OVERRIDE}\N{LINE SEPARATOR}\udc9b\U000e0041"
OTHER_SCRIPTS = "caf\xe9 \u5de5\u5834\u3000\u6771\xa0\N{SNOWMAN}\U0001f600"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain = text; C:\\new", "plain = text; C:\\new"),
        (OTHER_SCRIPTS, OTHER_SCRIPTS),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x1b[2J\x07\x00\x7f", "\\x1b[2J\\x07\\x00\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}\N{PARAGRAPH SEPARATOR}", "\\u202e\\u2029"),
        ("\udc9b\U000e0041", "\\udc9b\\U000e0041"),
    ],
)
def test_escape(text: str, safe: str) -> None:
    assert escape(text) == safe
    assert escape(safe) == safe


def test_some_characters_are_kept() -> None:
    assert escape("a\nb\x1b", keep="\n") == "a\nb\\x1b"


def test_escaped_json_means_what_it_did() -> None:
    document = json.dumps({"text": HOSTILE, "caf\xe9": "\u6771"}, ensure_ascii=False)
    safe = escape_json(document)
    assert json.loads(safe) == json.loads(document)
    assert not any(map(is_unsafe, safe))
    assert "caf\xe9" in safe


def test_nothing_unsafe_is_left() -> None:
    assert not any(map(is_unsafe, escape("".join(map(chr, range(0x3000)))) + escape(HOSTILE)))
