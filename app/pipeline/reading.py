"""Engines that read QR codes from a grey picture, and the cheap picture variants worth a second look.

Conventions. Pictures are `(H, W)` uint8. Positions are in pixels of the picture handed in, measured from its outer
edge: pixel `i` covers `[i, i + 1]`, so scaling a picture scales its positions by the same factor. Corners are the outer
corners of the symbol without its quiet zone, clockwise as seen in the picture, beginning at the symbol's own top-left
finder; in a mirrored symbol the second corner is therefore the symbol's own bottom-left.

Payloads are the exact bytes stored in the symbol. `text` follows the symbol's ECI where there is one; otherwise the
encoding is guessed: UTF-8, else Shift-JIS, else Latin-1.
"""

import ctypes
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import cv2
import numpy as np
import zxingcpp
from pyzbar import wrapper as libzbar

from app.pipeline.imaging import GreyImage, resize

Corner = tuple[float, float]
Corners = tuple[Corner, Corner, Corner, Corner]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A decoded symbol. `version` and `ec_level` are None where the engine does not tell."""

    payload: bytes
    text: str
    content_type: str
    symbology: str
    version: int | None
    ec_level: str | None
    engine: str
    corners: Corners


@dataclass(frozen=True, slots=True)
class Sighting:
    """A QR code that was found but did not decode; `dimension` is its modules per side, if known."""

    corners: Corners
    dimension: int | None


class Engine(Protocol):
    """Reads every QR code it can in one grey picture; a picture without a readable code gives an empty list."""

    name: str

    def read(self, image: GreyImage) -> list[Symbol]: ...


_FULL_SIZE = zxingcpp.BarcodeFormats([zxingcpp.QRCodeModel1, zxingcpp.QRCodeModel2])
_EVERY_SIZE = zxingcpp.BarcodeFormats([zxingcpp.QRCode, zxingcpp.MicroQRCode, zxingcpp.RMQRCode])
_SMALL_SYMBOLS = {zxingcpp.MicroQRCode: "MicroQRCode", zxingcpp.RMQRCode: "RMQRCode"}


@dataclass(frozen=True, slots=True)
class ZXingOptions:
    """How zxing-cpp searches one picture; the defaults are its own.

    `small_symbols` looks for Micro QR and rMQR codes too. Their error correction is weak, so that in the remains of a
    larger code noise reads as one now and then: leave them out for processed pictures.
    """

    small_symbols: bool = True
    binarizer: zxingcpp.Binarizer = zxingcpp.Binarizer.LocalAverage
    try_downscale: bool = True


_LONGEST_SIDE = 65_535
"""Most pixels a side that zxing-cpp takes."""


class ZXing:
    """zxing-cpp: QR, Micro QR and rMQR codes, upright, rotated, mirrored or inverted."""

    name = "zxing"

    def __init__(self, options: ZXingOptions = ZXingOptions()) -> None:
        self._options = options

    def read(self, image: GreyImage) -> list[Symbol]:
        return [_zxing_symbol(code) for code in self._scan(image, self._options, return_errors=False)]

    def look(self, image: GreyImage, options: ZXingOptions | None = None) -> tuple[list[Symbol], list[Sighting]]:
        """Read, and also tell where QR codes are that did not decode (Micro QR and rMQR sightings are mere noise)."""
        codes = self._scan(image, options or self._options, return_errors=True)
        symbols = [_zxing_symbol(code) for code in codes if code.valid]
        sightings = [
            Sighting(_zxing_corners(code), _dimension(code))
            for code in codes
            if not code.valid and code.format not in _SMALL_SYMBOLS
        ]
        return symbols, sightings

    @staticmethod
    def _scan(image: GreyImage, options: ZXingOptions, *, return_errors: bool) -> list[zxingcpp.Barcode]:
        if image.size == 0 or max(image.shape) > _LONGEST_SIDE:
            return []
        codes = zxingcpp.read_barcodes(
            np.ascontiguousarray(image),
            formats=_EVERY_SIZE if options.small_symbols else _FULL_SIZE,
            try_downscale=options.try_downscale,
            text_mode=zxingcpp.TextMode.Plain,
            binarizer=options.binarizer,
            return_errors=return_errors,
        )
        # A small symbol without error correction to spare is as likely an accident (a full M1 never has any).
        return [code for code in codes if code.format not in _SMALL_SYMBOLS or _extra(code)["UEC"] > 0]


def _zxing_symbol(code: zxingcpp.Barcode) -> Symbol:
    return Symbol(
        payload=code.bytes,
        text=code.text,
        content_type=code.content_type.name,
        symbology=_SMALL_SYMBOLS.get(code.format, "QRCode"),
        version=_version(code),
        ec_level=code.ec_level or None,
        engine=ZXing.name,
        corners=_zxing_corners(code),
    )


def _extra(code: zxingcpp.Barcode) -> dict[str, Any]:
    return {"Version": "", "UEC": 0.0, **(cast("dict[str, Any] | None", code.extra) or {})}


def _zxing_corners(code: zxingcpp.Barcode) -> Corners:
    at = code.position
    points = (at.top_left, at.top_right, at.bottom_right, at.bottom_left)
    first, second, third, fourth = ((float(p.x), float(p.y)) for p in points)
    return first, second, third, fourth


def _version(code: zxingcpp.Barcode) -> int | None:
    """Version number: "7" of a QR code, "M2" of a Micro QR code; rMQR versions such as "R11x27" are no number."""
    version = str(_extra(code)["Version"]).removeprefix("M")
    return int(version) if version.isdecimal() else None


def _dimension(code: zxingcpp.Barcode) -> int | None:
    version = _version(code)
    return None if version is None else 17 + 4 * version


_ANY_SYMBOLOGY, _QRCODE = 0, int(libzbar.ZBarSymbol.QRCODE)
_ENABLE = int(libzbar.ZBarConfig.CFG_ENABLE)
_RAW_BYTES = 4  # ZBAR_CFG_BINARY of zbar.h, libzbar >= 0.23.1
_Y800 = int.from_bytes(b"Y800", "little")
_LATIN_CONTROLS = re.compile(r"[\x80-\x9f]")
_JAPANESE_RUN = re.compile(r"[^\x00-\x7f]{3}")
_first_component = libzbar.zbar_function(
    "zbar_symbol_first_component",
    ctypes.POINTER(libzbar.zbar_symbol),
    ctypes.POINTER(libzbar.zbar_symbol),
)


class ZBar:
    """ZBar: upright QR codes of either handedness, dark on light, looked for at several picture sizes.

    The sizes in `longest_sides` are tried in order, the picture itself standing for sizes it does not exceed, until one
    reads; ZBar misses large codes that it reads in a smaller picture. Payloads are the stored bytes, except that ZBar
    hands out the UTF-8 text of a segment with an explicit ECI. Parts of a structured append come one by one.
    """

    name = "zbar"

    def __init__(self, longest_sides: tuple[int, ...] = (1000, 500, 2048)) -> None:
        self._longest_sides = longest_sides
        with _zbar_scanner():
            pass

    def read(self, image: GreyImage) -> list[Symbol]:
        if image.size == 0:
            return []
        longest = max(image.shape)
        for side in dict.fromkeys(min(side, longest) for side in self._longest_sides):
            symbols = self.read_once(resize(image, side / longest))
            if symbols:
                return [_scaled(symbol, longest / side) for symbol in symbols]
        return []

    @staticmethod
    def read_once(image: GreyImage) -> list[Symbol]:
        """Read at the picture's own size only."""
        if image.size == 0:
            return []
        with _zbar_scanner() as scanner, _zbar_image(image) as picture:
            if libzbar.zbar_scan_image(scanner, picture) < 0:
                raise RuntimeError("libzbar refused a grey picture")
            return [
                symbol for found in _chain(libzbar.zbar_image_first_symbol(picture)) for symbol in _zbar_symbols(found)
            ]


def _scaled(symbol: Symbol, factor: float) -> Symbol:
    first, second, third, fourth = ((x * factor, y * factor) for x, y in symbol.corners)
    return replace(symbol, corners=(first, second, third, fourth))


@contextmanager
def _zbar_scanner() -> Iterator[Any]:
    scanner = libzbar.zbar_image_scanner_create()
    if not scanner:
        raise MemoryError("libzbar could not create a scanner")
    try:
        wanted = ((_ANY_SYMBOLOGY, _ENABLE, 0), (_QRCODE, _ENABLE, 1), (_QRCODE, _RAW_BYTES, 1))
        if any(libzbar.zbar_image_scanner_set_config(scanner, *config) for config in wanted):
            raise RuntimeError("libzbar 0.23.1 or newer is needed to read payload bytes untouched")
        yield scanner
    finally:
        libzbar.zbar_image_scanner_destroy(scanner)


@contextmanager
def _zbar_image(image: GreyImage) -> Iterator[Any]:
    pixels = np.ascontiguousarray(image)
    picture = libzbar.zbar_image_create()
    if not picture:
        raise MemoryError("libzbar could not create an image")
    try:
        height, width = pixels.shape
        libzbar.zbar_image_set_format(picture, _Y800)
        libzbar.zbar_image_set_size(picture, width, height)
        libzbar.zbar_image_set_data(picture, pixels.ctypes.data, pixels.size, None)
        yield picture
    finally:
        libzbar.zbar_image_destroy(picture)


def _chain(symbol: Any) -> Iterator[Any]:
    while symbol:
        yield symbol
        symbol = libzbar.zbar_symbol_next(symbol)


def _zbar_symbols(found: Any) -> Iterator[Symbol]:
    """The symbol itself, or the parts that are present of a structured append."""
    data = libzbar.zbar_symbol_get_data(found)
    payload = ctypes.string_at(data, libzbar.zbar_symbol_get_data_length(found))
    parts = list(_chain(_first_component(found)))
    if not parts:
        yield _zbar_symbol(found, payload)
        return
    # libzbar joins the parts' bytes, with one NUL for missing parts before the last present one, and miscounts each
    # part's length. Where parts begin can be trusted, except for a part after missing ones: that begins where they end.
    present = [part.contents.type == _QRCODE for part in parts]
    begins = [_address(libzbar.zbar_symbol_get_data(part)) - _address(data) for part in parts]
    for i in np.flatnonzero(present):
        begin = begins[i] if i == 0 or present[i - 1] else begins[i - 1]
        end = begins[i + 1] if i + 1 < len(parts) else len(payload)
        if any(present[i + 1 :]) and not present[i + 1]:
            end -= 1
        yield _zbar_symbol(parts[i], payload[begin:end])


def _address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def _zbar_symbol(symbol: Any, payload: bytes) -> Symbol:
    at = [
        (float(libzbar.zbar_symbol_get_loc_x(symbol, i)), float(libzbar.zbar_symbol_get_loc_y(symbol, i)))
        for i in range(4)
    ]
    mirrored = cv2.contourArea(np.array(at, np.float32), oriented=True) > 0
    return Symbol(
        payload=payload,
        text=guess_text(payload),
        content_type=guess_content_type(payload),
        symbology="QRCode",
        version=None,
        ec_level=None,
        engine=ZBar.name,
        corners=(at[0], at[1], at[2], at[3]) if mirrored else (at[0], at[3], at[2], at[1]),
    )


def guess_text(payload: bytes) -> str:
    """The text of bytes stored without an ECI: UTF-8, else Shift-JIS where that is plausible, else Latin-1."""
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        pass
    latin = payload.decode("latin-1")
    try:
        japanese = payload.decode("shift_jis")
    except UnicodeDecodeError:
        return latin
    return japanese if _LATIN_CONTROLS.search(latin) or _JAPANESE_RUN.search(japanese) else latin


def guess_content_type(payload: bytes) -> str:
    """ "Binary" where control characters other than tab, line feed and carriage return occur, else "Text"."""
    return "Binary" if any(byte < 0x20 and byte not in b"\t\n\r" for byte in payload) else "Text"


@dataclass(frozen=True, slots=True)
class Variant:
    """One more look at a picture: scaled by `scale`, then further down to `max_pixels`, transformed, read by `engine`.

    Enlarging variants are left out for pictures that would exceed `max_pixels`.
    """

    name: str
    scale: float
    engine: Engine
    transform: Callable[[GreyImage], GreyImage] | None = None
    max_pixels: int = 4_000_000

    def factor(self, image: GreyImage) -> float | None:
        """The scale that this variant gives to the picture; None where it does not apply."""
        cap = min((self.max_pixels / image.size) ** 0.5, _LONGEST_SIDE / max(image.shape))
        return None if 1 < self.scale > cap else min(self.scale, cap)


def _gamma(exponent: float) -> Callable[[GreyImage], GreyImage]:
    table = np.round(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return lambda image: _grey(cv2.LUT(image, table))


def _smooth(sigma: float) -> Callable[[GreyImage], GreyImage]:
    return lambda image: _grey(cv2.GaussianBlur(image, (0, 0), sigma))


def _sharpen(sigma: float, amount: float) -> Callable[[GreyImage], GreyImage]:
    smooth = _smooth(sigma)
    return lambda image: _grey(cv2.addWeighted(image, 1 + amount, smooth(image), -amount, 0))


def _equalise(image: GreyImage) -> GreyImage:
    return _grey(cv2.createCLAHE(clipLimit=4, tileGridSize=(8, 8)).apply(image))


def _even_light(image: GreyImage) -> GreyImage:
    window = max(3, max(image.shape) // 10 | 1)
    return _grey(cv2.divide(image, cv2.blur(image, (window, window)), scale=128))


def _grey(pixels: cv2.typing.MatLike) -> GreyImage:
    return np.asarray(pixels, dtype=np.uint8)


_LOCAL = ZXing(ZXingOptions(small_symbols=False))
_GLOBAL = ZXing(ZXingOptions(small_symbols=False, binarizer=zxingcpp.Binarizer.GlobalHistogram))
_ZBAR = ZBar(longest_sides=(1 << 30,))

VARIANTS: tuple[Variant, ...] = (
    Variant("double, global threshold", 2, _GLOBAL),
    Variant("half, shadows lifted, global threshold", 0.5, _GLOBAL, _gamma(0.4)),
    Variant("double", 2, _LOCAL),
    Variant("half, highlights opened, global threshold", 0.5, _GLOBAL, _gamma(2.5)),
    Variant("quarter, shadows lifted", 0.25, _LOCAL, _gamma(0.4)),
    Variant("half, smoothed, zbar", 0.5, _ZBAR, _smooth(1.2), max_pixels=1_000_000),
    Variant("half, zbar", 0.5, _ZBAR, max_pixels=1_000_000),
    Variant("half, highlights opened", 0.5, _LOCAL, _gamma(2.5)),
    Variant("quarter, sharpened", 0.25, _LOCAL, _sharpen(1.5, 1.5)),
    Variant("half, equalised", 0.5, _LOCAL, _equalise, max_pixels=1_500_000),
    Variant("sharpened, global threshold", 1, _GLOBAL, _sharpen(3, 2), max_pixels=16_000_000),
    Variant("double, evenly lit, zbar", 2, _ZBAR, _even_light, max_pixels=2_500_000),
    Variant("smoothed, zbar", 1, _ZBAR, _smooth(1.2), max_pixels=1_500_000),
    Variant("zbar", 1, _ZBAR, max_pixels=3_200_000),
    Variant("equalised", 1, _LOCAL, _equalise, max_pixels=1_500_000),
)
"""What a direct read misses, most codes gained per millisecond first."""


def read_variants(image: GreyImage, variants: Iterable[Variant] = VARIANTS) -> Iterator[tuple[Variant, list[Symbol]]]:
    """Look at the variants one after another, on demand; corners are in pixels of `image`."""
    if image.size == 0:
        return
    scaled: dict[float, GreyImage] = {}
    for variant in variants:
        factor = variant.factor(image)
        if factor is None:
            continue
        if factor not in scaled:
            scaled[factor] = resize(image, factor)
        picture = scaled[factor]
        symbols = variant.engine.read(variant.transform(picture) if variant.transform else picture)
        yield variant, [_scaled(symbol, max(image.shape) / max(picture.shape)) for symbol in symbols]
