"""Image bytes in, 8-bit grey pixels out, with the format and the pixel count checked on the header alone.

Pixels come as they are stored: EXIF orientation is not applied, so positions refer to the frame in the file.
Transparent pixels are laid on white. Of an animation the first frame is taken. 16-bit and palette images give the
grey of their 8-bit version.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import ImageTooLarge, InvalidImage, UnsupportedImage

GreyImage = NDArray[np.uint8]
"""(H, W), 0 black to 255 white."""

_GREY: Final = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
_AS_STORED: Final = cv2.IMREAD_UNCHANGED
_WHITE: Final = 255


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


_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_SEGMENT: Final = Struct(">H")
_JPEG_SIZE: Final = Struct(">HH")


def _jpeg(data: bytes) -> Header:
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            raise InvalidImage
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == 0 or marker in _JPEG_BARE:
            continue
        if marker in _JPEG_FRAMES:
            height, width = _JPEG_SIZE.unpack_from(data, at + 3)
            return Header(width, height)
        if marker in (0xD9, 0xDA):
            raise InvalidImage
        at += max(2, _JPEG_SEGMENT.unpack_from(data, at)[0])


_GIF_SCREEN: Final = Struct("<6xHH")
_BMP_CORE: Final = Struct("<HH")
_BMP_INFO: Final = Struct("<ii")
_U32: Final = Struct("<I")


def _gif(data: bytes) -> Header:
    width, height = _GIF_SCREEN.unpack_from(data)
    return Header(width, height, transparent=True)


def _bmp(data: bytes) -> Header:
    core = _U32.unpack_from(data, 14)[0] == 12
    width, height = (_BMP_CORE if core else _BMP_INFO).unpack_from(data, 18)
    return Header(width, abs(height))


_WEBP_LOSSY: Final = Struct("<26xHH")
_VP8X_ALPHA: Final = 0x10
_VP8L_ALPHA: Final = 1 << 28
_14_BITS: Final = (1 << 14) - 1


def _webp(data: bytes) -> Header:
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        return Header(width, height, transparent=bool(data[20] & _VP8X_ALPHA))
    if kind == b"VP8L":
        bits = _U32.unpack_from(data, 21)[0]
        return Header((bits & _14_BITS) + 1, (bits >> 14 & _14_BITS) + 1, transparent=bool(bits & _VP8L_ALPHA))
    if kind == b"VP8 ":
        width, height = _WEBP_LOSSY.unpack_from(data)
        return Header(width & _14_BITS, height & _14_BITS)
    raise InvalidImage


_FORMATS: Final[tuple[tuple[bytes, Callable[[bytes], Header]], ...]] = (
    (b"\xff\xd8\xff", _jpeg),
    (_PNG_SIGNATURE, _png),
    (b"RIFF", _webp),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
    (b"BM", _bmp),
)


def read_header(data: bytes) -> Header:
    """Declared size and transparency, without decoding a pixel.

    Raises UnsupportedImage unless the magic bytes are on the allow-list, InvalidImage when the file is empty or the
    header is cut short or declares no area.
    """
    if not data:
        raise InvalidImage("The file is empty.")
    parser = next((parser for magic, parser in _FORMATS if data.startswith(magic)), None)
    if parser is None or (parser is _webp and data[8:12] != b"WEBP"):
        raise UnsupportedImage
    try:
        header = parser(data)
    except (StructError, IndexError) as exc:
        raise InvalidImage from exc
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
    stored = _decode(data, _AS_STORED if header.transparent else _GREY)
    if stored.shape[0] * stored.shape[1] > max_pixels:
        raise ImageTooLarge
    return _on_white(stored, header)


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
    """(H, W), (H, W, 3) or (H, W, 4) pixels as stored -> grey over a white background."""
    if header.grey_key is not None and stored.ndim == 2:
        key = header.grey_key if header.depth >= 8 else header.grey_key * _WHITE // ((1 << header.depth) - 1)
        see_through = stored == key
        grey = _eight_bits(stored)
        grey[see_through] = _WHITE
        return grey
    pixels = _eight_bits(stored)
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 3:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2GRAY), np.uint8)
    alpha = pixels[:, :, 3]
    if int(alpha.min()) == _WHITE:
        return grey
    ink = (_WHITE - grey).astype(np.uint16) * alpha
    return (_WHITE - (ink + _WHITE // 2) // _WHITE).astype(np.uint8)


def _eight_bits(image: NDArray[np.uint8 | np.uint16]) -> NDArray[np.uint8]:
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image.astype(np.uint8, copy=False)
