"""zxing-cpp's writer, which takes text and chooses modes and charset itself."""

from dataclasses import replace

import numpy as np
import zxingcpp

from tests.conformance.encoders.encoder import Encoder, Modules, require
from tests.conformance.wanted import Wanted

_FAMILIES = {
    "QRCode": zxingcpp.QRCode,
    "MicroQRCode": zxingcpp.MicroQRCode,
    "RMQRCode": zxingcpp.RMQRCode,
}


class ByZXing(Encoder):
    name = "zxing-cpp"
    keeps_parts = False

    def said(self, wanted: Wanted) -> Wanted:
        """It states the charset of what is not ASCII, and that bytes are bytes."""
        eci = 26 if wanted.is_text else 899
        if wanted.fnc1 or (wanted.payload.isascii() and wanted.is_text):
            return wanted
        parts = [replace(part, eci=eci if part.eci is None else part.eci) for part in wanted.parts]
        return replace(wanted, parts=tuple(parts))

    def draw(self, wanted: Wanted) -> Modules:
        require(wanted.fnc1 < 2, "has no FNC1 in second position")
        require(wanted.small_version is None, "chooses the size of small symbols")
        require(wanted.append is None, "has no structured append")
        require(wanted.elements or not wanted.fnc1, "takes GS1 elements only")
        require(not any(part.mode in ("hanzi", "kanji") for part in wanted.parts), "takes no mode")
        ecis = {part.eci for part in wanted.parts}
        require(len(ecis) == 1, "takes one ECI")
        options: dict[str, object] = {"ec_level": wanted.level}
        if wanted.version:
            options["version"] = wanted.version
        if wanted.mask is not None:
            options["dataMask"] = wanted.mask
        if wanted.parts[0].eci is not None:
            options["eci"] = wanted.parts[0].eci
        content: str | bytes = wanted.payload if not wanted.is_text else wanted.text or ""
        if wanted.fnc1:
            options["gs1"] = True
            content = "".join(f"[{ai}]{value}" for ai, value in wanted.elements)
        code = zxingcpp.create_barcode(content, _FAMILIES[wanted.family], **options)
        return np.asarray(code.to_image(scale=1, add_quiet_zones=False)) == 0
