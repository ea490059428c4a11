"""The engine ZBar, through its shared library. It reads what zxing-cpp misses in noise and in small pictures."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from pyzbar import wrapper as libzbar

from app.pipeline.engines.symbol import Symbol
from app.pipeline.imaging import GreyImage, resize
from app.pipeline.payload.charsets import guess_charset
from app.pipeline.payload.interpreting import CharsetSource, ContentType, is_binary
from app.pipeline.quad import Quad

_ANY_SYMBOLOGY, _QRCODE = 0, int(libzbar.ZBarSymbol.QRCODE)
_ENABLE = int(libzbar.ZBarConfig.CFG_ENABLE)
_RAW_BYTES = 4  # ZBAR_CFG_BINARY of zbar.h, libzbar >= 0.23.1
_Y800 = int.from_bytes(b"Y800", "little")
_first_component = libzbar.zbar_function(
    "zbar_symbol_first_component",
    ctypes.POINTER(libzbar.zbar_symbol),
    ctypes.POINTER(libzbar.zbar_symbol),
)


class ZBar:
    """Reads QR codes with ZBar, dark on light, mirrored or not, at several picture sizes.

    Tries the sizes in `longest_sides` in order until one reads; never enlarges the picture. ZBar misses large codes
    that it reads in a smaller picture. Its symbols are not exact: payloads are the stored bytes, except that ZBar
    returns UTF-8 text, or what it takes for it, for a segment with an explicit ECI, and it says nothing of version,
    level, FNC1 and structured append. Each part of a structured append is a symbol of its own.

    Raises RuntimeError if libzbar is older than 0.23.1.
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
                return [symbol.at(symbol.corners.scaled(longest / side)) for symbol in symbols]
        return []

    @staticmethod
    def read_once(image: GreyImage) -> list[Symbol]:
        """Reads the picture at its own size only."""
        if image.size == 0:
            return []
        with _zbar_scanner() as scanner, _zbar_image(image) as picture:
            if libzbar.zbar_scan_image(scanner, picture) < 0:
                raise RuntimeError("libzbar refused a grey picture")
            return [
                symbol for found in _chain(libzbar.zbar_image_first_symbol(picture)) for symbol in _zbar_symbols(found)
            ]


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
    """Yields the symbol itself or, of a structured append, the parts that are present."""
    data = libzbar.zbar_symbol_get_data(found)
    payload = ctypes.string_at(data, libzbar.zbar_symbol_get_data_length(found))
    parts = list(_chain(_first_component(found)))
    if not parts:
        yield _zbar_symbol(found, payload)
        return
    # libzbar joins the bytes of the parts, with one NUL for missing parts before the last present one, and miscounts
    # the length of each part. Their beginnings are right, except that of a part after missing ones, which begins where
    # these end.
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
    charset = guess_charset(payload)
    is_text = charset.has_control_bytes or not is_binary(payload)
    return Symbol(
        payload=payload,
        text=charset.decode(payload),
        content_type=(ContentType.TEXT if is_text else ContentType.BINARY).value,
        symbology="QRCode",
        version=None,
        ec_level=None,
        engine=ZBar.name,
        corners=Quad.of(at if mirrored else [at[0], at[3], at[2], at[1]]),
        charset=charset.name,
        charset_source=CharsetSource.GUESSED,
        mirrored=mirrored,
        exact=False,
    )
