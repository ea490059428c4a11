"""Decodes image bytes to 8-bit grey pixels, after checking format and pixel count by the header alone.

Pixels are as stored: EXIF orientation is not applied, so positions refer to the frame in the file. Transparent pixels
are blended with white; `app.pipeline.files.looks` shows them on black, and colours that grey hides. Animations give
their first frame, files of several pages their first page; palette images, the grey of their 8-bit version. Of 9 to 16
bits a sample, the eight highest that the picture uses are kept.

Refuses files that end early, and PNG files with a checksum that does not match. The compressed data of a JPEG has no
checksum: damage there goes unnoticed.

The decoder sees only data that the pixels need (see `Format.strip`). It has code of its own for everything else, by
which a small file can demand minutes of work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from struct import error as StructError
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from app.pipeline.files.bmp import BMP
from app.pipeline.files.format import Format, Header, Stored, imdecode
from app.pipeline.files.gif import GIF
from app.pipeline.files.isobmff import AVIF, HEIC
from app.pipeline.files.jpeg import JPEG
from app.pipeline.files.jpeg2000 import JPEG2000
from app.pipeline.files.png import PNG
from app.pipeline.files.pnm import PNM
from app.pipeline.files.sniffing import refusal_of
from app.pipeline.files.tiff import TIFF
from app.pipeline.files.webp import WEBP
from app.pipeline.imaging import GreyImage

FORMATS: Final[tuple[Format, ...]] = (JPEG, PNG, WEBP, GIF, BMP, TIFF, HEIC, AVIF, JPEG2000, PNM)
"""All formats of pictures that the service accepts."""

WHITE, BLACK = 255, 0
"""Grounds on which transparent pixels are shown."""
_BAND_PIXELS: Final = 1 << 20


def read_header(data: bytes) -> Header:
    """Before decoding: reads an image file's declared size and transparency, without decoding a pixel.

    Raises UnsupportedImage unless the first bytes are those of an accepted format; InvalidImage if the file is empty,
    or the header is cut short or declares no area.
    """
    with _translate_cut_short():
        header = format_of(data).read_header(data)
    if header.width < 1 or header.height < 1:
        raise InvalidImage
    return header


def page_offsets(data: bytes) -> list[int]:
    """Where the pages of a file lie, at least one, for `decode_page`. Raises as `read_header` does."""
    with _translate_cut_short():
        return format_of(data).page_offsets(data)


def decode_page(data: bytes, offset: int, *, max_pixels: int) -> tuple[Header, GreyImage]:
    """The header and the grey pixels (H, W) of the page at an offset of `page_offsets`. Raises as `decode_image`."""
    page = page_bytes(data, offset)
    return read_header(page), decode_image(page, max_pixels=max_pixels)


def page_bytes(data: bytes, offset: int) -> bytes:
    """A file of one page of a file, that at an offset of `page_offsets`."""
    with _translate_cut_short():
        return format_of(data).page_at(data, offset)


def decode_image(data: bytes, *, max_pixels: int) -> GreyImage:
    """Decodes an encoded image to grey pixels (H, W).

    Raises UnsupportedImage; ImageTooLarge, before decoding a pixel, if the header declares more than ``max_pixels``;
    InvalidImage, too, if the decoded image has another size than that.
    """
    header, kind = read_header(data), format_of(data)
    most = min(max_pixels, kind.most_pixels(header))
    if header.width * header.height > most:
        raise ImageTooLarge(
            f"The image is {header.width} x {header.height} pixels; at most {most} pixels are accepted."
        )
    with _translate_cut_short():
        needed = kind.strip(data)
    stored = kind.decode(needed, header)
    if stored.shape[:2] != (header.height, header.width):
        raise InvalidImage
    return flatten(stored, header)


def decode_colours(data: bytes, header: Header) -> Stored:
    """Decodes a file that `decode_image` has accepted once more, with its colours: (H, W) if it has none, else BGR
    (H, W, 3) or BGRA (H, W, 4). Raises InvalidImage."""
    kind = format_of(data)
    with _translate_cut_short():
        return kind.decode(kind.strip(data), replace(header, transparent=True))


def decode_reduced(data: bytes, flags: int) -> Stored:
    """The same of a file that is `Header.reducible`, by OpenCV with flags that reduce it."""
    with _translate_cut_short():
        return imdecode(format_of(data).strip(data), flags)


def format_of(data: bytes) -> Format:
    """The format of a picture. Raises InvalidImage for an empty file, UnsupportedImage, which names it, for others."""
    if not data:
        raise InvalidImage("The file is empty.")
    for accepted in FORMATS:
        if accepted.magic.match(data):
            return accepted
    raise UnsupportedImage(refusal_of(data))


@contextmanager
def _translate_cut_short() -> Iterator[None]:
    """Raises InvalidImage for the errors of reading past the end of a file."""
    try:
        yield
    except (StructError, IndexError) as exc:
        raise InvalidImage from exc


def flatten(stored: Stored, header: Header, ground: int = WHITE) -> GreyImage:
    """Blends stored pixels, (H, W), (H, W, 3) or (H, W, 4), with a ground, `WHITE` or `BLACK`: grey (H, W), eight bits.

    Works in bands: the intermediate arrays are several times as large as input and output.
    """
    if stored.ndim == 2 and stored.dtype == np.uint8 and header.grey_key is None and not header.inverted:
        return np.asarray(stored, np.uint8)
    height, width = stored.shape[:2]
    grey = np.empty((height, width), np.uint8)
    spare = spare_bits(stored)
    for rows in bands(height, width):
        grey[rows] = _blend_band(stored[rows], header, spare, ground)
    return grey


def bands(height: int, width: int, *, multiple: int = 1) -> Iterator[slice]:
    """Cuts the rows of a picture into slices of about a megapixel, each of a ``multiple`` of rows but the last."""
    rows = max(1, _BAND_PIXELS // width // multiple) * multiple
    return (slice(top, min(height, top + rows)) for top in range(0, height, rows))


def spare_bits(stored: Stored) -> int:
    """Bits that samples of more than eight have too many: scanners and cameras often use ten or twelve of sixteen."""
    if stored.dtype != np.uint16:
        return 0
    highest = max(int(stored[..., channel].max()) for channel in range(3)) if stored.ndim == 3 else int(stored.max())
    return max(0, highest.bit_length() - 8)


def eight_bits(samples: Stored, spare: int) -> NDArray[np.uint8]:
    """Samples without so many spare bits."""
    return (samples >> spare).astype(np.uint8) if spare else samples.astype(np.uint8, copy=False)


def opacity(stored: Stored) -> NDArray[np.uint8]:
    """The last plane (H, W) of (H, W, 4), 0 to 255."""
    return eight_bits(stored[:, :, 3], 8 if stored.dtype == np.uint16 else 0)


def _blend_band(stored: Stored, header: Header, spare: int, ground: int) -> GreyImage:
    pixels = eight_bits(stored, spare)
    if header.inverted:
        pixels = ~pixels
    if pixels.ndim == 2:
        if header.grey_key is None:
            return pixels
        key = header.grey_key if header.depth >= 8 else header.grey_key * WHITE // ((1 << header.depth) - 1)
        return np.where(stored == key, np.uint8(ground), pixels)
    if pixels.shape[2] == 3:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2GRAY), np.uint8)
    return lay_over(grey, opacity(stored), ground)


def lay_over(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], ground: int) -> NDArray[np.uint8]:
    """Lays pixels of this opacity, 0 to 255, over a ground, `WHITE` or `BLACK`; the shapes broadcast."""
    ink = (WHITE - pixels if ground == WHITE else pixels).astype(np.uint16) * alpha
    laid = ((ink + WHITE // 2) // WHITE).astype(np.uint8)
    return WHITE - laid if ground == WHITE else laid
