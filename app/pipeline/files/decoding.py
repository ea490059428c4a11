"""Decodes image bytes to 8-bit grey pixels, after checking format and pixel count by the header alone.

Pixels are as stored: EXIF orientation is not applied, so positions refer to the frame in the file. Transparent pixels
are blended with white; `app.pipeline.files.looks` shows them on black, and colours that grey hides. Animations give
their first frame; 16-bit and palette images, the grey of their 8-bit version.

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

WHITE, BLACK = 255, 0
"""Grounds on which transparent pixels are shown."""
AS_STORED: Final = cv2.IMREAD_UNCHANGED

_GREY: Final = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
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
    stored = _decode(needed, AS_STORED if header.transparent else _GREY)
    if stored.shape[0] * stored.shape[1] > max_pixels:
        raise ImageTooLarge
    return blend(stored, header, WHITE)


def decode_stored(data: bytes, flags: int) -> NDArray[np.uint8 | np.uint16]:
    """Decodes a file that `decode_image` has accepted once more, with OpenCV's ``flags``. Raises InvalidImage."""
    with _translate_cut_short():
        return _decode(_format_of(data).strip(data), flags)


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


def blend(stored: NDArray[np.uint8 | np.uint16], header: Header, ground: int) -> GreyImage:
    """Blends stored pixels, (H, W), (H, W, 3) or (H, W, 4), with a ground, `WHITE` or `BLACK`: grey (H, W).

    Works in bands: the intermediate arrays are several times as large as input and output.
    """
    if stored.ndim == 2 and stored.dtype == np.uint8 and header.grey_key is None:
        return np.asarray(stored, np.uint8)
    height, width = stored.shape[:2]
    grey = np.empty((height, width), np.uint8)
    for rows in bands(height, width):
        grey[rows] = _blend_band(stored[rows], header, ground)
    return grey


def bands(height: int, width: int, *, multiple: int = 1) -> Iterator[slice]:
    """Cuts the rows of a picture into slices of about a megapixel, each of a ``multiple`` of rows but the last."""
    rows = max(1, _BAND_PIXELS // width // multiple) * multiple
    return (slice(top, min(height, top + rows)) for top in range(0, height, rows))


def _blend_band(stored: NDArray[np.uint8 | np.uint16], header: Header, ground: int) -> GreyImage:
    pixels = eight_bits(stored)
    if pixels.ndim == 2:
        if header.grey_key is None:
            return pixels
        key = header.grey_key if header.depth >= 8 else header.grey_key * WHITE // ((1 << header.depth) - 1)
        return np.where(stored == key, np.uint8(ground), pixels)
    if pixels.shape[2] == 3:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2GRAY), np.uint8)
    return lay_over(grey, pixels[:, :, 3], ground)


def lay_over(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], ground: int) -> NDArray[np.uint8]:
    """Lays pixels of this opacity, 0 to 255, over a ground, `WHITE` or `BLACK`; the shapes broadcast."""
    ink = (WHITE - pixels if ground == WHITE else pixels).astype(np.uint16) * alpha
    laid = ((ink + WHITE // 2) // WHITE).astype(np.uint8)
    return WHITE - laid if ground == WHITE else laid


def eight_bits(image: NDArray[np.uint8 | np.uint16]) -> NDArray[np.uint8]:
    """The high bytes of 16-bit samples; others as they are."""
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image.astype(np.uint8, copy=False)
