"""qrcodegen, Project Nayuki's, whose segments may have any mode indicator: it draws whatever ISO/IEC 18004 has."""

from collections.abc import Iterator

import numpy as np
from qrcodegen import QrCode, QrSegment

from tests.conformance.encoders.encoder import Encoder, Modules, require
from tests.conformance.wanted import Part, Wanted
from tests.support.codes import bits_of

_LEVELS = {"L": QrCode.Ecc.LOW, "M": QrCode.Ecc.MEDIUM, "Q": QrCode.Ecc.QUARTILE, "H": QrCode.Ecc.HIGH}
_APPEND, _FNC1, _FNC1_SECOND = (QrSegment.Mode(indicator, (0, 0, 0)) for indicator in (3, 5, 9))


class ByQrcodegen(Encoder):
    name = "qrcodegen"

    def draw(self, wanted: Wanted) -> Modules:
        require(wanted.family == "QRCode", "draws QR codes only")
        code = QrCode.encode_segments(
            list(_segments(wanted)),
            _LEVELS[wanted.level],
            minversion=wanted.version or 1,
            mask=-1 if wanted.mask is None else wanted.mask,
            boostecl=False,
        )
        size = code.get_size()
        return np.array([[code.get_module(x, y) for x in range(size)] for y in range(size)])


def _segments(wanted: Wanted) -> Iterator[QrSegment]:
    if wanted.append:
        index, total, parity = wanted.append
        yield QrSegment(_APPEND, 0, _bits(f"{index:04b}{total - 1:04b}{parity:08b}"))
    if wanted.fnc1 == 1:
        yield QrSegment(_FNC1, 0, [])
    if wanted.fnc1 == 2:
        yield QrSegment(_FNC1_SECOND, 0, _bits(f"{wanted.application_indicator:08b}"))
    eci = None
    for part in wanted.parts:
        if part.eci != eci and part.eci is not None:
            yield QrSegment.make_eci(part.eci)
            eci = part.eci
        yield _segment(part, wanted.letters(part))


def _segment(part: Part, letters: str) -> QrSegment:
    if part.mode == "numeric":
        return QrSegment.make_numeric(part.text)
    if part.mode == "alphanumeric":
        return QrSegment.make_alphanumeric(letters)
    if part.mode == "kanji":
        return QrSegment(QrSegment.Mode.KANJI, len(part.text), _bits(bits_of(("kanji", part.payload))[12:-4]))
    if part.mode == "hanzi":
        mode = QrSegment.Mode(13, (12, 14, 16))  # 4 bits of the count are the subset, which is 1
        packed = bits_of(("hanzi", part.payload))
        return QrSegment(mode, 256 + len(part.text), _bits(packed[16:-4]))
    return QrSegment.make_bytes(part.payload)


def _bits(text: str) -> list[int]:
    return [int(bit) for bit in text]
