"""The decoding engines, on a picture or on the data codewords of an otherwise perfect symbol."""

import json

import cv2
import numpy as np

from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.codewords import assemble, blocks
from app.pipeline.qrcode.patterns import render
from app.pipeline.qrcode.segments import message_bits
from app.pipeline.qrcode.soft import decode_soft

_SOFT = 0x20
_ZXING, _ZBAR = ZXing(), ZBar()

cv2.setNumThreads(1)


class Wrong(AssertionError):
    """A result breaks a promise."""


def pictures(data: bytes) -> str:
    """Runs both engines on a PNG; returns a summary of what they read."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    return "no picture" if image is None else _read(np.asarray(image, np.uint8))


def symbols(data: bytes) -> str:
    """Renders a symbol of these data codewords for both engines; may decode it softly as well.

    The first byte sets the version (1 to 10), the second the level, the mask and whether to decode softly.
    """
    version, choice = (data[0] if data else 0) % 10 + 1, data[1] if len(data) > 1 else 0
    level, mask = "LMQH"[choice & 3], choice >> 2 & 7
    words = np.resize(np.frombuffer(data[2:] or b"\0", np.uint8), blocks(version, level).data_codewords)
    modules = assemble(words, version, level, mask)
    bits = message_bits(words, version)
    if choice & _SOFT:
        soft = decode_soft(np.where(modules, np.float32(9), np.float32(-9)), version, stages=("hard",))
        if (soft is None) != (bits is None):
            raise Wrong(f"message_bits says {bits}, decode_soft {'nothing' if soft is None else soft.method}")
        if soft is not None and not np.array_equal(soft.modules, modules):
            raise Wrong("decode_soft changed a perfect symbol")
    return f"{_read(render(modules, pixels=4))}{', allowed' if bits else ''}"


def _read(image: GreyImage) -> str:
    seen, sightings = _ZXING.look(image)
    read = [("zxing", seen), ("zbar", _ZBAR.read(image))]
    for engine, found in read:
        for symbol in found:
            if not np.isfinite(symbol.corners).all():
                raise Wrong(f"{engine}: corners at {symbol.corners}")
            json.dumps(symbol.text.encode("utf-8", "replace").decode())
    summary = "; ".join(f"{engine} {_summary(found)}" for engine, found in read if found)
    return f"{summary or 'nothing'}{', sighted' * bool(sightings)}"


def _summary(found: list[Symbol]) -> str:
    kinds = {f"{symbol.symbology} {symbol.content_type}{' empty' * (not symbol.payload)}" for symbol in found}
    return " and ".join(sorted(kinds)) + " several" * (len(found) > 1)
