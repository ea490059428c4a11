"""Parsers of files, messages and payloads that are written in Python."""

import json

import numpy as np

from app.errors import RequestError
from app.pipeline.files.decoding import read_header
from app.pipeline.payload.interpreting import interpret
from app.pipeline.qrcode.codewords import blocks
from app.pipeline.qrcode.segments import Message, Segment, parse_message


def header(data: bytes) -> None:
    """Reads the header of an image file: a positive size or a RequestError."""
    try:
        found = read_header(data)
    except RequestError:
        return
    assert found.width > 0
    assert found.height > 0


def message(data: bytes) -> None:
    """Parses data codewords and interprets their message; the first byte sets the version, 1 to 10."""
    version = (data or b"\0")[0] % 10 + 1
    words = np.resize(np.frombuffer(data[1:] or b"\0", np.uint8), blocks(version, "L").data_codewords)
    found = parse_message(words, version)
    if found is not None:
        assert 0 < found.bits <= 8 * len(words)
        _interpret(found)


def text(data: bytes) -> None:
    """Guesses the charset and the kind of a payload."""
    _interpret(Message((Segment("byte", None, data),), None, 0, b"", 0))


def _interpret(message: Message) -> None:
    text = interpret([message]).text.encode("utf-8", "replace").decode()
    assert json.loads(json.dumps(text)) == text
