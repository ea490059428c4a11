"""segno: it knows Hanzi mode, Micro QR and ECIs of charsets, not FNC1."""

import numpy as np
import segno
from segno import consts

from tests.conformance.encoders.encoder import Encoder, Modules, require
from tests.conformance.wanted import Wanted

_MODES = {
    "numeric": consts.MODE_NUMERIC,
    "alphanumeric": consts.MODE_ALPHANUMERIC,
    "byte": consts.MODE_BYTE,
    "kanji": consts.MODE_KANJI,
    "hanzi": consts.MODE_HANZI,
}
_CHARSETS = {7: "iso8859-5", 9: "iso8859-7", 20: "shift_jis", 22: "cp1251", 26: "utf-8", 28: "big5", 30: "euc_kr"}


class BySegno(Encoder):
    name = "segno"

    def draw(self, wanted: Wanted) -> Modules:
        require(wanted.family != "RMQRCode", "has no rMQR")
        require(not wanted.fnc1, "has no FNC1")
        require(wanted.append is None, "makes sequences of whole messages: see test_messages.py")
        require(all(part.mode for part in wanted.parts), "is told modes")
        ecis = {part.eci for part in wanted.parts if part.mode == "byte"}
        require(all(eci in (None, *_CHARSETS) for eci in ecis), "has no such charset, or takes it for the default")
        code = segno.make(
            [(part.payload, _MODES[part.mode], _CHARSETS.get(part.eci or 0)) for part in wanted.parts],
            error=None if wanted.small_version == "M1" else wanted.level,
            version=wanted.small_version or wanted.version,
            mask=wanted.mask,
            eci=wanted.has_eci,
            micro=wanted.family == "MicroQRCode",
            boost_error=False,
        )
        return np.array([list(row) for row in code.matrix], dtype=np.bool_)
