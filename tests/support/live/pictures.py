"""Files that are hard on image readers, composed byte by byte: no encoder would write most of them."""

import struct
import zlib
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
_CHANNELS: Final = {GREY: 1, COLOUR: 3, PALETTE: 1, GREY_ALPHA: 2, COLOUR_ALPHA: 4}

Chunk = tuple[bytes, bytes]


def png_of(*chunks: Chunk) -> bytes:
    """A PNG of these chunks, with correct lengths and checksums."""
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def ihdr(width: int, height: int, *, depth: int = 8, colour: int = GREY) -> Chunk:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


def idat(pixels: NDArray[np.generic]) -> Chunk:
    """Unfiltered rows of samples."""
    stored = pixels.astype(pixels.dtype.newbyteorder(">"))
    return b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in stored), 6)


IEND: Final = (b"IEND", b"")


def png(
    pixels: NDArray[np.generic], *, depth: int = 8, colour: int = GREY, before: Iterable[Chunk] = (), width: int = 0
) -> bytes:
    """A PNG of (H, W) or (H, W, channels) samples; the chunks `before` precede the pixels.

    `width` is the width of the picture if several samples are packed into a byte.
    """
    header = ihdr(width or pixels.shape[1], pixels.shape[0], depth=depth, colour=colour)
    return png_of(header, *before, idat(pixels), IEND)


def uniform_png(width: int, height: int, *, depth: int = 8, colour: int = GREY) -> bytes:
    """A PNG of zeros: a few hundred kilobytes hold hundreds of millions of pixels."""
    row = bytes(1 + width * _CHANNELS[colour] * depth // 8)
    packer = zlib.compressobj(6)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png_of(ihdr(width, height, depth=depth, colour=colour), (b"IDAT", body), IEND)


def apng(first: GreyImage, second: GreyImage) -> bytes:
    """An animation of two frames of one size."""
    height, width = first.shape

    def control(sequence: int) -> Chunk:
        return b"fcTL", struct.pack(">IIIIIHHBB", sequence, width, height, 0, 0, 1, 10, 0, 0)

    later = b"fdAT", struct.pack(">I", 2) + idat(second)[1]
    head = (ihdr(width, height), (b"acTL", struct.pack(">II", 2, 0)), control(0))
    return png_of(*head, idat(first), control(1), later, IEND)


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def exif(orientation: int) -> bytes:
    """An APP1 segment with this orientation, 1 to 8."""
    tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">HH", orientation, 0) + bytes(4)
    return segment(0xE1, b"Exif\0\0" + tiff)


class _Bits:
    """Entropy-coded JPEG data: bits, most significant first, and a zero byte after each 0xFF."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def put(self, value: int, count: int) -> None:
        if count:
            self._bits.append(f"{value:0{count}b}")

    def done(self) -> bytes:
        bits = "".join(self._bits)
        bits += "1" * (-len(bits) % 8)
        return int(bits or "0", 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


_BLOCK: Final = 8
_LONGEST_RUN: Final = 0x7FFF


def _huffman(kind: int, symbols: bytes) -> bytes:
    """A Huffman table of up to 15 symbols, all with codes of four bits."""
    return segment(0xC4, bytes([kind]) + bytes([0, 0, 0, len(symbols)]) + bytes(12) + symbols)


class _Steps:
    """The DC coefficients of one component, each coded as the difference from the one before."""

    def __init__(self) -> None:
        self._last = 0

    def put(self, bits: _Bits, level: int) -> None:
        """Codes the level, -128 to 127, of a uniform block; coefficient and quantiser are both eight times larger."""
        step, self._last = level - self._last, level
        size = abs(step).bit_length()
        bits.put(size, 4)
        bits.put(step if step >= 0 else step + (1 << size) - 1, size)


_SIZES: Final = bytes(range(12))
_UNITS: Final = segment(0xDB, b"\0" + bytes([_BLOCK] * 64))


def _levels(picture: GreyImage) -> list[int]:
    return [int(level) - 128 for level in picture[::_BLOCK, ::_BLOCK].ravel()]


def _jpeg_frame(marker: int, picture: GreyImage, components: int) -> bytes:
    height, width = picture.shape
    named = b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    return segment(marker, struct.pack(">BHHB", 8, height, width, components) + named)


def many_scans_jpeg(picture: GreyImage, scans: int) -> bytes:
    """A progressive JPEG of uniform 8 x 8 blocks, followed by `scans` scans that visit every block and change none.

    A scan takes a few dozen bytes, but a decoder's work is scans x blocks.
    """
    first, steps, levels = _Bits(), _Steps(), _levels(picture)
    for level in levels:
        steps.put(first, level)
    empty, left = _Bits(), len(levels)
    while left:  # end-of-band runs: the next 2^n + k blocks have no more coefficients
        run = min(left, _LONGEST_RUN)
        exponent = run.bit_length() - 1
        empty.put(exponent, 4)
        empty.put(run - (1 << exponent), exponent)
        left -= run
    return b"".join(
        (
            b"\xff\xd8",
            _UNITS,
            _jpeg_frame(0xC2, picture, 1),
            _huffman(0x00, _SIZES),
            _huffman(0x10, bytes(run << 4 for run in range(15))),
            segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + first.done(),
            (segment(0xDA, b"\x01\x01\x00\x01\x3f\x00") + empty.done()) * scans,
            b"\xff\xd9",
        )
    )


def cmyk_jpeg(picture: GreyImage) -> bytes:
    """A CMYK JPEG of uniform 8 x 8 blocks as Adobe's programs write it: inverted, with black ink only."""
    bits, steps = _Bits(), [_Steps() for _ in range(4)]
    for level in _levels(picture):
        for component, component_steps in enumerate(steps):
            component_steps.put(bits, level if component == 3 else 127)
            bits.put(0, 4)  # end of block
    components = b"".join(bytes([number + 1, 0]) for number in range(4))
    return b"".join(
        (
            b"\xff\xd8",
            segment(0xEE, b"Adobe\0\x64\0\0\0\0\0"),
            _UNITS,
            _jpeg_frame(0xC0, picture, 4),
            _huffman(0x00, _SIZES),
            _huffman(0x10, b"\0"),
            segment(0xDA, b"\x04" + components + b"\x00\x3f\x00") + bits.done(),
            b"\xff\xd9",
        )
    )


def huge_jpeg() -> bytes:
    """A JPEG whose header claims 65,535 x 65,535 pixels."""
    return b"\xff\xd8" + segment(0xC0, struct.pack(">BHHB", 8, 0xFFFF, 0xFFFF, 1) + b"\x01\x11\0") + b"\xff\xd9"


def riff(*chunks: Chunk) -> bytes:
    """A WebP file of these chunks."""
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


WEBP_ANIMATED = 0x02


def vp8x(width: int, height: int, flags: int = 0) -> Chunk:
    """The WebP header that declares the canvas."""
    return b"VP8X", struct.pack("<I", flags) + _three(width - 1) + _three(height - 1)


def webp_frame(left: int, top: int, width: int, height: int, still: bytes) -> Chunk:
    """An animation frame from the picture of a still WebP file; `left` and `top` are even."""
    place = b"".join(map(_three, (left // 2, top // 2, width - 1, height - 1, 100)))
    return b"ANMF", place + b"\0" + still[12:]


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")


WEBP_ANIMATION: Final = (b"ANIM", b"\xff\xff\xff\xff\0\0")


def gif(screen: tuple[int, int], frame: tuple[int, int], *, frames: int = 1) -> bytes:
    """A GIF on a screen of size `screen`; its frames of 2 x 1 pixels claim the size `frame`."""
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x44\x0a\x00"
    palette = b"\0\0\0\xff\xff\xff"
    return b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + palette + image * frames + b"\x3b"


def bmp(bits: int, *, width: int = 64, height: int = 48, compression: int = 0) -> bytes:
    """A BMP of zeros with `bits` bits a pixel."""
    rows = bytes((width * bits + 31) // 32 * 4 * height)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + info + rows


def wallpaper_of_finders(side: int, *, module: int = 3) -> GreyImage:
    """Finder patterns side by side and nothing else: engines try to make codes of all combinations of them."""
    ring = np.full((9, 9), 255, np.uint8)
    for inset, value in ((1, 0), (2, 255), (3, 0)):
        ring[inset:-inset, inset:-inset] = value
    tile = np.kron(ring, np.ones((module, module), np.uint8))
    return np.tile(tile, (side // len(tile), side // len(tile)))
