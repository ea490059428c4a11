"""zint, which chooses modes itself; it knows ECI, structured append, GS1, Micro QR and rMQR."""

import warnings

import numpy as np
import zint

from tests.conformance.encoders.encoder import Encoder, Modules, require
from tests.conformance.wanted import LEVELS, RECTANGULAR_SIZES, Wanted

_FAMILIES = {
    "QRCode": zint.Symbology.QRCODE,
    "MicroQRCode": zint.Symbology.MICROQR,
    "RMQRCode": zint.Symbology.RMQR,
}
_ROW = 144  # bytes a row of encoded_data


class ByZint(Encoder):
    name = "zint"
    keeps_parts = False

    def draw(self, wanted: Wanted) -> Modules:
        require(wanted.fnc1 < 2, "has no FNC1 in second position")
        require(not any(part.mode == "hanzi" for part in wanted.parts), "has no Hanzi mode")
        kanji = [part for part in wanted.parts if part.mode == "kanji"]
        require(not kanji or not wanted.has_eci, "writes no Kanji mode where an ECI is in force")
        require(len(kanji) in (0, len(wanted.parts)), "takes all bytes for Shift JIS, or none")
        require(wanted.fnc1 == 0 or not wanted.has_eci, "checks GS1 data, which has no ECI")
        symbol = zint.Symbol()
        symbol.symbology = _FAMILIES[wanted.family]
        symbol.option_1 = LEVELS.index(wanted.level) + 1
        symbol.option_2 = _option_2(wanted)
        symbol.option_3 = _option_3(wanted)
        if wanted.append:
            index, total, parity = wanted.append
            symbol.structapp = zint.StructApp(index + 1, total, str(parity).encode())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _encode(symbol, wanted)
        rows = np.frombuffer(bytes(symbol.encoded_data), np.uint8).reshape(-1, _ROW)[: symbol.rows]
        return np.unpackbits(rows, axis=1, bitorder="little")[:, : symbol.width].astype(np.bool_)


def _option_2(wanted: Wanted) -> int:
    if wanted.small_version is None:
        return wanted.version or 0
    if wanted.small_version in RECTANGULAR_SIZES:
        return RECTANGULAR_SIZES.index(wanted.small_version) + 1
    return int(wanted.small_version[1:])


def _option_3(wanted: Wanted) -> int:
    """The mask, and whether double bytes that are Shift JIS go into Kanji mode."""
    wants_kanji = any(part.mode == "kanji" for part in wanted.parts)
    mask = 0 if wanted.mask is None else wanted.mask + 1
    return mask << 8 | (zint.QrFamilyOptions.FULL_MULTIBYTE if wants_kanji else 0)


def _encode(symbol: zint.Symbol, wanted: Wanted) -> None:
    if wanted.fnc1:
        symbol.input_mode = zint.InputMode.GS1 | zint.InputMode.GS1PARENS
        symbol.encode("".join(f"({ai}){value}" for ai, value in wanted.elements))
        return
    # Without UNICODE, bytes are taken as they are.
    if len({part.eci for part in wanted.parts}) == 1:
        symbol.eci = wanted.parts[0].eci or 0
        symbol.encode(b"".join(part.payload for part in wanted.parts))
    else:
        symbol.encode_segs([zint.Seg(part.payload, part.eci or 0) for part in wanted.parts])
