"""Decodes image bytes to 8-bit grey pixels, after checking format and pixel count by the header alone.

Pixels are as stored: EXIF orientation is not applied, so positions refer to the frame in the file. Transparent pixels
are blended with white. Animations give their first frame; 16-bit and palette images, the grey of their 8-bit version.

Refuses files that end early, and PNG files with a checksum that does not match. The compressed data of a JPEG has no
checksum: damage there goes unnoticed.

The decoder sees only data that the pixels need (see `Format.strip`). It has code of its own for everything else, by
which a small file can demand minutes of work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from struct import error as StructError
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from app.pipeline.files.bmp import BMP
from app.pipeline.files.format import Format, Header
from app.pipeline.files.gif import GIF
from app.pipeline.files.jpeg import JPEG
from app.pipeline.files.png import PNG
from app.pipeline.files.webp import WEBP
from app.pipeline.imaging import GreyImage

FORMATS: Final[tuple[Format, ...]] = (JPEG, PNG, WEBP, GIF, BMP)
"""All formats that the service accepts."""

_GREY: Final = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
_AS_STORED: Final = cv2.IMREAD_UNCHANGED
_WHITE: Final = 255
_BAND_PIXELS: Final = 1 << 20


def read_header(data: bytes) -> Header:
    """Before decoding: reads an image file's declared size and transparency, without decoding a pixel.

    Raises UnsupportedImage unless the first bytes are those of an accepted format; InvalidImage if the file is empty,
    or the header is cut short or declares no area.
    """
    with _translate_cut_short():
        header = _format_of(data).read_header(data)
    if header.width < 1 or header.height < 1:
        raise InvalidImage
    return header


def decode_image(data: bytes, *, max_pixels: int) -> GreyImage:
    """Decodes an encoded image to grey pixels (H, W).

    Raises UnsupportedImage, InvalidImage, or ImageTooLarge: before decoding a pixel if the header declares more than
    ``max_pixels``, afterwards if only the decoded image has more.
    """
    header = read_header(data)
    if header.width * header.height > max_pixels:
        raise ImageTooLarge(
            f"The image is {header.width} x {header.height} pixels; at most {max_pixels} pixels are accepted."
        )
    with _translate_cut_short():
        needed = _format_of(data).strip(data)
    stored = _decode(needed, _AS_STORED if header.transparent else _GREY)
    if stored.shape[0] * stored.shape[1] > max_pixels:
        raise ImageTooLarge
    return _blend_on_white(stored, header)


def _format_of(data: bytes) -> Format:
    if not data:
        raise InvalidImage("The file is empty.")
    for accepted in FORMATS:
        if accepted.magic.match(data):
            return accepted
    raise UnsupportedImage


@contextmanager
def _translate_cut_short() -> Iterator[None]:
    """Raises InvalidImage for the errors of reading past the end of a file."""
    try:
        yield
    except (StructError, IndexError) as exc:
        raise InvalidImage from exc


def _decode(data: bytes, flags: int) -> NDArray[np.uint8 | np.uint16]:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as exc:
        raise InvalidImage from exc
    if image is None:
        raise InvalidImage
    return image  # type: ignore[return-value]


def _blend_on_white(stored: NDArray[np.uint8 | np.uint16], header: Header) -> GreyImage:
    """Blends stored pixels, (H, W), (H, W, 3) or (H, W, 4), with white: grey (H, W).

    Works in bands: the intermediate arrays are several times as large as input and output.
    """
    if stored.ndim == 2 and stored.dtype == np.uint8 and header.grey_key is None:
        return np.asarray(stored, np.uint8)
    height, width = stored.shape[:2]
    grey = np.empty((height, width), np.uint8)
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        grey[top : top + rows] = _blend_band(stored[top : top + rows], header)
    return grey


def _blend_band(stored: NDArray[np.uint8 | np.uint16], header: Header) -> GreyImage:
    pixels = _eight_bits(stored)
    if pixels.ndim == 2:
        if header.grey_key is None:
            return pixels
        key = header.grey_key if header.depth >= 8 else header.grey_key * _WHITE // ((1 << header.depth) - 1)
        return np.where(stored == key, np.uint8(_WHITE), pixels)
    if pixels.shape[2] == 3:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2GRAY), np.uint8)
    ink = (_WHITE - grey).astype(np.uint16) * pixels[:, :, 3]
    return (_WHITE - (ink + _WHITE // 2) // _WHITE).astype(np.uint8)


def _eight_bits(image: NDArray[np.uint8 | np.uint16]) -> NDArray[np.uint8]:
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image.astype(np.uint8, copy=False)
