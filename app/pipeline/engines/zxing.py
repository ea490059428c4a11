"""The engine zxing-cpp. It also reports codes that it sees but cannot read."""

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np
import zxingcpp
from numpy.typing import NDArray

from app.pipeline.engines.showing import showing
from app.pipeline.engines.symbol import Sighting, Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.contents import read_contents
from app.pipeline.qrcode.patterns import Bits
from app.pipeline.qrcode.small.contents import read_small_contents
from app.pipeline.qrcode.small.patterns import small_patterns
from app.pipeline.quad import Quad, bilinear_weights

_FULL_SIZE = zxingcpp.BarcodeFormats([zxingcpp.QRCodeModel1, zxingcpp.QRCodeModel2])
_EVERY_SIZE = zxingcpp.BarcodeFormats([zxingcpp.QRCode, zxingcpp.MicroQRCode, zxingcpp.RMQRCode])
_SMALL_SYMBOLS = {zxingcpp.MicroQRCode: "MicroQRCode", zxingcpp.RMQRCode: "RMQRCode"}
# Of 198 M1 codes of the set cleanmicro-M1 the least had 0.92.
_LEAST_SHOWING = 0.85  # correlation of the picture with a small symbol that has no error correction to spare
_SAMPLED = 7  # modules along each side of a symbol, those of a finder pattern, that say whether it is inverted


@dataclass(frozen=True, slots=True)
class ZXingOptions:
    """How zxing-cpp searches one picture; the defaults are those of zxing-cpp.

    `small_symbols` searches for Micro QR and rMQR codes as well. Their error correction is weak, so that noise in the
    remains of a larger code sometimes reads as one: leave them out for processed pictures.
    """

    small_symbols: bool = True
    binarizer: zxingcpp.Binarizer = zxingcpp.Binarizer.LocalAverage
    try_downscale: bool = True


LONGEST_SIDE = 65_535
"""Most pixels a side that zxing-cpp accepts."""


class ZXing:
    """Reads QR, Micro QR and rMQR codes with zxing-cpp: upright, rotated, mirrored or inverted.

    Reads nothing in pictures longer than ``LONGEST_SIDE``.
    """

    name = "zxing"

    def __init__(self, options: ZXingOptions = ZXingOptions()) -> None:
        self.options = options

    def read(self, image: GreyImage) -> list[Symbol]:
        return [_zxing_symbol(code, image) for code in self._scan(image, self.options, return_errors=False)]

    def look(self, image: GreyImage, options: ZXingOptions | None = None) -> tuple[list[Symbol], list[Sighting]]:
        """Reads, and also returns QR codes that did not decode; sightings of Micro QR and rMQR codes are mere noise."""
        codes = self._scan(image, options or self.options, return_errors=True)
        symbols = [_zxing_symbol(code, image) for code in codes if code.valid]
        sightings = [
            Sighting(corners_of(code), _dimension(code))
            for code in codes
            if not code.valid and code.format not in _SMALL_SYMBOLS
        ]
        return symbols, sightings

    @staticmethod
    def _scan(image: GreyImage, options: ZXingOptions, *, return_errors: bool) -> list[zxingcpp.Barcode]:
        if image.size == 0 or max(image.shape) > LONGEST_SIDE:
            return []
        codes = zxingcpp.read_barcodes(
            np.ascontiguousarray(image),
            formats=_EVERY_SIZE if options.small_symbols else _FULL_SIZE,
            try_downscale=options.try_downscale,
            text_mode=zxingcpp.TextMode.Plain,
            binarizer=options.binarizer,
            return_errors=return_errors,
        )
        return [code for code in codes if code.format not in _SMALL_SYMBOLS or _is_believed(code, image)]


def _is_believed(code: zxingcpp.Barcode, image: GreyImage) -> bool:
    """Whether a small symbol has error correction to spare or else, as M1 always has, is plain to see in the picture
    with its finder pattern, timing patterns and quiet zone. An M1 code, whose check codewords only detect errors, must
    have none."""
    if not code.valid:
        return False
    version = _extra(code)["Version"]
    if version != "M1" and _extra(code)["UEC"] > 0:
        return True
    modules = _modules(code)
    contents = read_small_contents(modules)
    if contents is None or (version == "M1" and contents.errors):
        return False
    patterns = small_patterns(version)
    return showing(image, corners_of(code), np.where(patterns.known, patterns.dark, modules)) >= _LEAST_SHOWING


def _zxing_symbol(code: zxingcpp.Barcode, image: GreyImage) -> Symbol:
    modules, corners = _modules(code), corners_of(code)
    version = _version(code)
    symbol = Symbol(
        payload=code.bytes,
        text=code.text,
        content_type=code.content_type.name,
        symbology=_SMALL_SYMBOLS.get(code.format, "QRCode"),
        version=version,
        ec_level=code.ec_level or None,
        engine=ZXing.name,
        corners=corners,
        small_version=_extra(code)["Version"] if version is None else None,
        identifier=code.symbology_identifier,
        inverted=_is_inverted(image, corners, modules),
    )
    contents = read_small_contents(modules) if code.format in _SMALL_SYMBOLS else read_contents(modules)
    return symbol.stating(contents) if contents else symbol


def _modules(code: zxingcpp.Barcode) -> Bits:
    """The modules (H, W) of a code as they were seen, True is dark."""
    return np.asarray(np.asarray(code.to_image(scale=1, add_quiet_zones=False)) == 0)


def _is_inverted(image: GreyImage, corners: Quad, modules: Bits) -> bool:
    """Whether the dark modules (h, w) of a symbol are lighter in the picture than its light ones."""
    weights, index = _samples(*modules.shape)
    x, y = (weights @ corners.array).astype(np.intp).T
    grey = image[y.clip(0, image.shape[0] - 1), x.clip(0, image.shape[1] - 1)].astype(np.intp)
    dark = modules.ravel()[index]
    count = np.count_nonzero(dark)
    return bool(0 < count < len(dark) and grey @ dark * (len(dark) - count) > grey @ ~dark * count)


@cache
def _samples(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Modules, at most ``_SAMPLED`` a side, of a finder pattern in the corner: bilinear weights (N, 4) of their centres
    by the symbol's corners, and flat indices (N,)."""
    rows, columns = (part.ravel() for part in np.indices((min(height, _SAMPLED), min(width, _SAMPLED))))
    y, x = (rows + 0.5) / height, (columns + 0.5) / width
    return bilinear_weights(x, y), rows * width + columns


def _extra(code: zxingcpp.Barcode) -> dict[str, Any]:
    return {"Version": "", "UEC": 0.0, **(cast("dict[str, Any] | None", code.extra) or {})}


def corners_of(code: zxingcpp.Barcode) -> Quad:
    at = code.position
    return Quad.of([(p.x, p.y) for p in (at.top_left, at.top_right, at.bottom_right, at.bottom_left)])


def _version(code: zxingcpp.Barcode) -> int | None:
    """Version number of a QR code; None for Micro QR and rMQR versions, "M2" and "R11x27"."""
    version = str(_extra(code)["Version"])
    return int(version) if version.isdecimal() else None


def _dimension(code: zxingcpp.Barcode) -> int | None:
    version = _version(code)
    return None if version is None else 17 + 4 * version
