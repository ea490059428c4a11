"""The cells of the matrix: every encoder with every message that it can say, and what must be answered of it."""

from base64 import b64decode
from functools import cache
from typing import Any

import numpy as np

from app.codes import Code
from tests.conformance.encoders.by_npm import ByNpm
from tests.conformance.encoders.by_python_qrcode import ByPythonQrcode
from tests.conformance.encoders.by_qrcodegen import ByQrcodegen
from tests.conformance.encoders.by_qrencode import ByQrencode
from tests.conformance.encoders.by_segno import BySegno
from tests.conformance.encoders.by_zint import ByZint
from tests.conformance.encoders.by_zxing import ByZXing
from tests.conformance.encoders.encoder import CannotSay, Encoder, Modules
from tests.conformance.wanted import LEVELS, Wanted

PYTHON_ENCODERS: dict[str, Encoder] = {
    one.name: one for one in (BySegno(), ByQrcodegen(), ByQrencode(), ByZint(), ByZXing(), ByPythonQrcode())
}
NPM_ENCODERS: dict[str, Encoder] = {
    one.name: one
    for one in (
        ByNpm("bwip-js", keeps_parts=False),
        ByNpm("node-qrcode", keeps_parts=True),
        ByNpm("lean-qr", keeps_parts=True),
    )
}
ENCODERS = {**PYTHON_ENCODERS, **NPM_ENCODERS}
SAYS = {
    "segno": (43, 34), "qrcodegen": (62, 0), "qrencode": (47, 7), "zint": (55, 296), "zxing-cpp": (45, 6),
    "python-qrcode": (29, 0), "bwip-js": (49, 292), "node-qrcode": (32, 0), "lean-qr": (62, 0),
}  # fmt: skip
"""How many QR codes, of 62, and Micro QR and rMQR codes, of 296, each encoder has a way to say."""
# The 15 bits of format information without their mask: 2 of the level, 3 of the data mask, 10 to check them.
_FORMAT_MASK = 0b101010000010010
_LEVEL_BITS = {0b01: "L", 0b00: "M", 0b11: "Q", 0b10: "H"}


@cache
def draw(encoder: str, wanted: Wanted) -> Modules | None:
    """The symbol; None if the encoder has no way to say what is wanted."""
    try:
        return ENCODERS[encoder].draw(wanted)
    except CannotSay:
        return None


def drawn_level_and_mask(modules: Modules) -> tuple[str, int]:
    """What the format information beside the first finder pattern of a clean QR code says (ISO/IEC 18004, 7.9)."""
    row, column = modules[8], modules[:, 8]
    bits = [*row[:6], row[7], row[8], column[7], *column[5::-1]]
    word = int("".join("01"[int(bit)] for bit in bits), 2) ^ _FORMAT_MASK
    return _LEVEL_BITS[word >> 13], word >> 10 & 7


def faults(code: Code, encoder: str, wanted: Wanted, modules: Modules) -> dict[str, Any]:
    """Where an answer differs from what was wanted: by field, the answer and the truth."""
    said = ENCODERS[encoder].said(wanted)
    append = code.structured_append
    seen = {
        "payload": b64decode(code.bytes_base64),
        "exact": code.exact,
        "symbology": code.symbology,
        "identifier": code.symbology_identifier,
        "append": append and (append.index, append.total, append.parity),
        "by_eci": _joined([(one.eci, b64decode(one.bytes_base64)) for one in code.segments or []]),
    }
    truth = {
        "payload": said.payload,
        "exact": True,
        "symbology": wanted.family,
        "identifier": said.identifier,
        "append": wanted.append,
        "by_eci": _joined([(part.eci, part.payload) for part in said.parts]),
    }
    if said.text is not None:
        seen["text"], truth["text"] = code.text, said.text
    if wanted.elements:
        seen["gs1"], truth["gs1"] = tuple((one.ai, one.value) for one in code.gs1), wanted.elements
    if ENCODERS[encoder].keeps_parts:
        seen["modes"], truth["modes"] = [one.mode for one in code.segments or []], [one.mode for one in wanted.parts]
    if wanted.family == "QRCode":
        level, mask = drawn_level_and_mask(modules)
        assert LEVELS.index(level) >= LEVELS.index(wanted.level), f"{encoder} draws {level}, not {wanted.level}"
        seen |= {"version": code.version, "level": code.ec_level, "mask": code.mask}
        truth |= {"version": (len(modules) - 17) // 4, "level": level, "mask": mask}
    else:
        seen |= {"version": code.version}
        truth |= {"version": small_version(modules)}
    if wanted.mask is not None:
        seen["mask_wanted"], truth["mask_wanted"] = code.mask, wanted.mask
    return {field: (seen[field], truth[field]) for field in truth if seen[field] != truth[field]}


def small_version(modules: Modules) -> str:
    """The name of the version of a small symbol, by its size."""
    height, width = np.shape(modules)
    return f"M{(height - 9) // 2}" if height == width else f"R{height}x{width}"


def _joined(segments: list[tuple[int | None, bytes]]) -> list[tuple[int | None, bytes]]:
    """Neighbours under one ECI as one: encoders cut segments as they like."""
    joined: list[tuple[int | None, bytes]] = []
    for eci, payload in segments:
        if joined and joined[-1][0] == eci:
            joined[-1] = eci, joined[-1][1] + payload
        else:
            joined.append((eci, payload))
    return joined
