"""Image files."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from app.pipeline.imaging import GreyImage

_GREY: Final = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
_AS_STORED: Final = cv2.IMREAD_UNCHANGED
_WHITE: Final = 255
_BAND_PIXELS: Final = 1 << 20
MOST_SCANS: Final = 100
"""Scans of a JPEG that are decoded. Progressive files have about ten; each costs a visit to every block."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of an image declare.

    `transparent`: pixels may be see-through. `grey_key`: the one sample value, at `depth` bits, that a grey PNG
    declares to be see-through.
    """

    width: int
    height: int
    transparent: bool = False
    grey_key: int | None = None
    depth: int = 8


_PNG_IHDR: Final = Struct(">8xI4sIIBB")
_PNG_CHUNK: Final = Struct(">I4s")
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY_TYPE: Final = 0
_ALPHA_BIT: Final = 4
_ANCILLARY_BIT: Final = 0x20


def _png(data: bytes) -> Header:
    """Refuses a chunk that claims more bytes than there are: the decoder would reserve and clear them first."""
    _, _, width, height, depth, colour = _PNG_IHDR.unpack_from(data)
    transparent = bool(colour & _ALPHA_BIT)
    grey_key = None
    at, kind = len(_PNG_SIGNATURE), b""
    while kind != b"IEND" and at < len(data):
        length, kind = _PNG_CHUNK.unpack_from(data, at)
        if at == len(_PNG_SIGNATURE) and (kind, length) != (b"IHDR", 13):
            raise InvalidImage
        if kind == b"tRNS":
            transparent = True
            if colour == _GREY_TYPE and length == 2:
                grey_key = int.from_bytes(data[at + 8 : at + 10], "big")
        at += 12 + length
    if at > len(data):
        raise InvalidImage
    return Header(width, height, transparent=transparent, grey_key=grey_key, depth=depth)


def _png_pixels(data: bytes) -> bytes:
    """A file that `_png` accepts, reduced to its critical chunks and transparency."""
    kept = [data[: len(_PNG_SIGNATURE)]]
    at, kind = len(_PNG_SIGNATURE), b""
    while kind != b"IEND" and at < len(data):
        length, kind = _PNG_CHUNK.unpack_from(data, at)
        end = at + 12 + length
        if not kind[0] & _ANCILLARY_BIT or kind == b"tRNS":
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_IDLE: Final = frozenset({0xFE, *range(0xE1, 0xF0)}) - {0xEE}
"""Comments and applications' data, but for JFIF's and Adobe's, which say what the colours are."""
_JPEG_END, _JPEG_SCAN = 0xD9, 0xDA
_JPEG_ENDS: Final = b"\xff\xd9"
_JPEG_SCANS: Final = re.compile(rb"\xff\xda")
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xff]")
_JPEG_SEGMENT: Final = Struct(">H")
_JPEG_SIZE: Final = Struct(">HH")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of every segment up to the first scan, which ends where its pixels begin."""
    at, marker = 2, 0
    while marker != _JPEG_SCAN:
        found = _JPEG_MARKER.search(data, at)
        if found is None:
            raise InvalidImage
        at = found.end()
        marker = data[at - 1]
        if marker == _JPEG_END:
            raise InvalidImage
        if marker not in _JPEG_BARE:
            at += max(2, _JPEG_SEGMENT.unpack_from(data, at)[0])
            yield marker, found.start(), at


def _jpeg(data: bytes) -> Header:
    for marker, start, _ in _jpeg_segments(data):
        if marker in _JPEG_FRAMES:
            height, width = _JPEG_SIZE.unpack_from(data, start + 5)
            return Header(width, height)
    raise InvalidImage


def _jpeg_pixels(data: bytes) -> bytes:
    """A file that `_jpeg` accepts without comments and applications' data, ended after so many scans."""
    kept, at = [data[:2]], 2
    for marker, start, end in _jpeg_segments(data):
        if marker not in _JPEG_IDLE:
            kept.append(data[start:end])
        at = end
    scans = 1
    for scan in _JPEG_SCANS.finditer(data, at):
        scans += 1
        if scans > MOST_SCANS:
            return b"".join((*kept, data[at : scan.start()], _JPEG_ENDS))
    return b"".join((*kept, data[at:]))


_GIF_SCREEN: Final = Struct("<6xHH")
_BMP_CORE: Final = Struct("<HH")
_BMP_INFO: Final = Struct("<ii")
_BMP_CORE_BYTES: Final = 12
_BMP_HEADER_BYTES: Final = frozenset({_BMP_CORE_BYTES, 40, 52, 56, 64, 108, 124})
_U32: Final = Struct("<I")


def _gif(data: bytes) -> Header:
    width, height = _GIF_SCREEN.unpack_from(data)
    return Header(width, height, transparent=True)


def _bmp(data: bytes) -> Header:
    header_bytes = _U32.unpack_from(data, 14)[0]
    if header_bytes not in _BMP_HEADER_BYTES:  # a text may begin with BM as well
        raise UnsupportedImage
    width, height = (_BMP_CORE if header_bytes == _BMP_CORE_BYTES else _BMP_INFO).unpack_from(data, 18)
    return Header(width, abs(height))


_WEBP_LOSSY: Final = Struct("<26xHH")
_VP8X_FLAGS_AT: Final = 20
_VP8X_ALPHA, _VP8X_ANIMATED = 0x10, 0x02
_VP8L_ALPHA: Final = 1 << 28
_14_BITS: Final = (1 << 14) - 1


def _webp(data: bytes) -> Header:
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        return Header(width, height, transparent=bool(data[_VP8X_FLAGS_AT] & (_VP8X_ALPHA | _VP8X_ANIMATED)))
    if kind == b"VP8L":
        bits = _U32.unpack_from(data, 21)[0]
        return Header((bits & _14_BITS) + 1, (bits >> 14 & _14_BITS) + 1, transparent=bool(bits & _VP8L_ALPHA))
    if kind == b"VP8 ":
        width, height = _WEBP_LOSSY.unpack_from(data)
        return Header(width & _14_BITS, height & _14_BITS)
    raise InvalidImage


def _webp_pixels(data: bytes) -> bytes:
    """The same file; of an animation, said to have transparency: its first frame may not fill the canvas."""
    flags = data[_VP8X_FLAGS_AT]
    if data[12:16] != b"VP8X" or not flags & _VP8X_ANIMATED:
        return data
    return data[:_VP8X_FLAGS_AT] + bytes([flags | _VP8X_ALPHA]) + data[_VP8X_FLAGS_AT + 1 :]


_Parser = Callable[[bytes], Header]
_Reducer = Callable[[bytes], bytes]


def _as_it_is(data: bytes) -> bytes:
    return data


_FORMATS: Final[tuple[tuple[bytes, _Parser, _Reducer], ...]] = (
    (b"\xff\xd8\xff", _jpeg, _jpeg_pixels),
    (_PNG_SIGNATURE, _png, _png_pixels),
    (b"RIFF", _webp, _webp_pixels),
    (b"GIF87a", _gif, _as_it_is),
    (b"GIF89a", _gif, _as_it_is),
    (b"BM", _bmp, _as_it_is),
)


def read_header(data: bytes) -> Header:
    """Declared size and transparency, without decoding a pixel.

    Raises UnsupportedImage unless the magic bytes are on the allow-list, InvalidImage when the file is empty or the
    header is cut short or declares no area.
    """
    parse, _ = _format_of(data)
    with _cut_short():
        header = parse(data)
    if header.width < 1 or header.height < 1:
        raise InvalidImage
    return header


def decode_image(data: bytes, *, max_pixels: int) -> GreyImage:
    """Grey pixels (H, W) of an encoded image.

    Raises UnsupportedImage, ImageTooLarge (before any pixel is decoded) or InvalidImage.
    """
    header = read_header(data)
    if header.width * header.height > max_pixels:
        raise ImageTooLarge(
            f"The image is {header.width} x {header.height} pixels; at most {max_pixels} pixels are accepted."
        )
    _, reduce = _format_of(data)
    with _cut_short():
        needed = reduce(data)
    stored = _decode(needed, _AS_STORED if header.transparent else _GREY)
    if stored.shape[0] * stored.shape[1] > max_pixels:
        raise ImageTooLarge
    return _on_white(stored, header)


def _format_of(data: bytes) -> tuple[_Parser, _Reducer]:
    if not data:
        raise InvalidImage("The file is empty.")
    for magic, parse, reduce in _FORMATS:
        if data.startswith(magic) and (parse is not _webp or data[8:12] == b"WEBP"):
            return parse, reduce
    raise UnsupportedImage


@contextmanager
def _cut_short() -> Iterator[None]:
    """Translates what reading past the end of a file raises."""
    try:
        yield
    except (StructError, IndexError) as exc:
        raise InvalidImage from exc


def encode_png(image: GreyImage) -> bytes:
    """Grey PNG file of an (H, W) image."""
    written, data = cv2.imencode(".png", image)
    if not written:
        raise ValueError(f"an image of shape {image.shape} cannot be written as PNG")
    return data.tobytes()


def _decode(data: bytes, flags: int) -> NDArray[np.uint8 | np.uint16]:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as exc:
        raise InvalidImage from exc
    if image is None:
        raise InvalidImage
    return image  # type: ignore[return-value]


def _on_white(stored: NDArray[np.uint8 | np.uint16], header: Header) -> GreyImage:
    """(H, W), (H, W, 3) or (H, W, 4) pixels as stored -> grey over a white background.

    In bands: what lies between sixteen bits a channel and grey would be several times the size of either.
    """
    if stored.ndim == 2 and stored.dtype == np.uint8 and header.grey_key is None:
        return np.asarray(stored, np.uint8)
    height, width = stored.shape[:2]
    grey = np.empty((height, width), np.uint8)
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        grey[top : top + rows] = _band_on_white(stored[top : top + rows], header)
    return grey


def _band_on_white(stored: NDArray[np.uint8 | np.uint16], header: Header) -> GreyImage:
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
