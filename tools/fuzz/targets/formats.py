"""Parsers of files, messages and payloads that are written in Python."""

import json

import numpy as np

from app.errors import RequestError
from app.pipeline.engines.payload_text import guess_content_type, guess_text
from app.pipeline.files.decoding import read_header
from app.pipeline.qrcode.codewords import blocks
from app.pipeline.qrcode.messages import message_bits


def header(data: bytes) -> None:
    """Reads the header of an image file: a positive size or a RequestError."""
    try:
        found = read_header(data)
    except RequestError:
        return
    assert found.width > 0
    assert found.height > 0


def message(data: bytes) -> None:
    """Parses data codewords; the first byte sets the version, 1 to 10."""
    version = (data or b"\0")[0] % 10 + 1
    words = np.resize(np.frombuffer(data[1:] or b"\0", np.uint8), blocks(version, "L").data_codewords)
    bits = message_bits(words, version)
    assert bits is None or 0 < bits <= 8 * len(words)


def text(data: bytes) -> None:
    """Guesses the encoding and the kind of a payload."""
    guessed = guess_text(data).encode("utf-8", "replace").decode()
    assert json.loads(json.dumps(guessed)) == guessed
    assert guess_content_type(data) in ("Text", "Binary")
