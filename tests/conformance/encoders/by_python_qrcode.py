"""qrcode, the most downloaded encoder in Python: digits, letters and bytes."""

import numpy as np
import qrcode
from qrcode import constants, util

from tests.conformance.encoders.encoder import Encoder, Modules, require
from tests.conformance.wanted import Wanted

_MODES = {"numeric": util.MODE_NUMBER, "alphanumeric": util.MODE_ALPHA_NUM, "byte": util.MODE_8BIT_BYTE}
_LEVELS = {
    "L": constants.ERROR_CORRECT_L,
    "M": constants.ERROR_CORRECT_M,
    "Q": constants.ERROR_CORRECT_Q,
    "H": constants.ERROR_CORRECT_H,
}


class ByPythonQrcode(Encoder):
    name = "python-qrcode"

    def draw(self, wanted: Wanted) -> Modules:
        require(wanted.family == "QRCode", "draws QR codes only")
        require(wanted.is_plain and not wanted.has_eci, "has neither FNC1 nor structured append nor ECI")
        require(all(part.mode in _MODES for part in wanted.parts), "has neither Kanji nor Hanzi mode")
        code = qrcode.QRCode(
            version=wanted.version, error_correction=_LEVELS[wanted.level], border=0, mask_pattern=wanted.mask
        )
        for part in wanted.parts:
            code.add_data(util.QRData(part.payload, mode=_MODES[part.mode]), optimize=0)
        code.make(fit=wanted.version is None)
        return np.array(code.get_matrix(), dtype=np.bool_)
