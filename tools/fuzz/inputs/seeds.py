"""Valid files of every accepted format, each small enough to decode in well under a millisecond."""

import io
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
import segno
from numpy.typing import NDArray
from PIL import Image

from app.pipeline.qrcode.patterns import render
from tools.fuzz.inputs.containers import PNG_SIGNATURE

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""Colour types of PNG."""
# First row, first column, row step and column step of the seven passes of an interlaced PNG.
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))

_SYMBOL = segno.make("fuzz", version=1, error="m", micro=False, boost_error=False)
CODE = render(np.array([list(row) for row in _SYMBOL.matrix], np.bool_), pixels=2)
SIDE = len(CODE)
"""Every seed is SIDE x SIDE pixels."""
_COLOUR = np.dstack([CODE, np.roll(CODE, 9, 0), np.linspace(0, 255, CODE.size).reshape(CODE.shape).astype(np.uint8)])
_ALPHA = np.roll(np.linspace(0, 255, CODE.size).astype(np.uint8).reshape(CODE.shape), 7, 1)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    pixels: NDArray[np.generic],
    colour: int,
    *chunks: tuple[bytes, bytes],
    depth: int = 8,
    interlaced: bool = False,
    after: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """A PNG of (H, W) or (H, W, channels) samples; `chunks` precede the pixels and `after` follows them."""
    height, width = pixels.shape[:2]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b"".join(_rows(pixels[top::down, left::right], depth) for top, left, down, right in passes)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    parts = ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), *after, (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(chunk(*part) for part in parts)


def _rows(pixels: NDArray[np.generic], depth: int) -> bytes:
    """Scanlines, each preceded by the filter type `none`; empty for an empty pass."""
    if pixels.size == 0:
        return b""
    if depth < 8:
        bits = np.unpackbits(pixels.astype(np.uint8)[..., None], axis=-1)[..., -depth:].reshape(len(pixels), -1)
        lines = np.packbits(bits, axis=1)
    else:
        lines = np.ascontiguousarray(pixels.astype(">u2" if depth == 16 else np.uint8).reshape(len(pixels), -1))
    return b"".join(b"\0" + line.tobytes() for line in lines)


def _pngs() -> Iterator[tuple[str, bytes]]:
    index, black_white = CODE // 255, bytes(3) + b"\xff" * 3
    yield "grey.png", png(CODE, GREY)
    yield "grey-1.png", png(index, GREY, depth=1)
    yield "grey-4-key.png", png(index * 15, GREY, (b"tRNS", b"\0\x0f"), depth=4)
    yield "grey-16.png", png(CODE.astype(np.uint16) * 257, GREY, depth=16)
    yield "grey-16-key.png", png(CODE.astype(np.uint16) * 257, GREY, (b"tRNS", b"\xff\xff"), depth=16)
    yield "grey-interlaced.png", png(CODE, GREY, interlaced=True)
    yield "palette.png", png(index, PALETTE, (b"PLTE", black_white))
    yield "palette-2-key.png", png(index, PALETTE, (b"PLTE", black_white), (b"tRNS", b"\xff\x80"), depth=2)
    yield "rgb.png", png(_COLOUR, RGB, (b"tRNS", b"\0\xff" * 3))
    yield "rgb-16.png", png(_COLOUR.astype(np.uint16) * 257, RGB, depth=16)
    yield "grey-alpha.png", png(np.dstack([CODE, _ALPHA]), GREY_ALPHA)
    yield "rgba-interlaced.png", png(np.dstack([_COLOUR, _ALPHA]), RGBA, interlaced=True)
    yield "rgba-16.png", png(np.dstack([_COLOUR, _ALPHA]).astype(np.uint16) * 257, RGBA, depth=16)
    described = (
        (b"gAMA", struct.pack(">I", 45455)),
        (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
        (b"iCCP", b"profile\0\0" + zlib.compress(bytes(128))),
        (b"sBIT", b"\x08"),
        (b"bKGD", b"\0\x80"),
        (b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
        (b"tIME", b"\x07\xea\1\1\0\0\0"),
        (b"tEXt", b"Title\0words"),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"more words")),
        (b"iTXt", b"Author\0\1\0en\0\0" + zlib.compress(b"someone")),
        (b"eXIf", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"),
    )
    yield "described.png", png(CODE, GREY, *described)
    frame = struct.pack(">IIIIIHHBB", 0, SIDE, SIDE, 0, 0, 1, 10, 0, 0)
    second = struct.pack(">I", 2) + zlib.compress(_rows(255 - CODE, 8))
    yield (
        "animated.png",
        png(
            CODE,
            GREY,
            (b"acTL", struct.pack(">II", 2, 0)),
            (b"fcTL", frame),
            after=((b"fcTL", struct.pack(">I", 1) + frame[4:]), (b"fdAT", second)),
        ),
    )


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """A file of an image, in a format of Pillow's."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _jpegs() -> Iterator[tuple[str, bytes]]:
    grey, colour = Image.fromarray(CODE), Image.fromarray(_COLOUR)
    turned = Image.Exif()
    turned[0x0112] = 6
    yield "baseline.jpg", saved(colour, "JPEG", quality=80)
    yield "grey.jpg", saved(grey, "JPEG", quality=80)
    yield "progressive.jpg", saved(colour, "JPEG", progressive=True, quality=70)
    yield "unreduced.jpg", saved(colour, "JPEG", subsampling=0, optimize=True)
    yield "cmyk.jpg", saved(colour.convert("CMYK"), "JPEG")
    yield "exif.jpg", saved(colour, "JPEG", exif=turned, icc_profile=bytes(128), comment=b"words")
    restarted = cv2.imencode(".jpg", _COLOUR, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1]
    yield "restarts.jpg", restarted.tobytes()


def _webps() -> Iterator[tuple[str, bytes]]:
    colour, clear = Image.fromarray(_COLOUR), Image.fromarray(np.dstack([_COLOUR, _ALPHA]))
    yield "lossy.webp", saved(colour, "WEBP", quality=60)
    yield "lossless.webp", saved(colour, "WEBP", lossless=True)
    yield "lossless-alpha.webp", saved(clear, "WEBP", lossless=True, exact=True)
    yield "extended-alpha.webp", saved(clear, "WEBP", quality=60, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")
    yield "animated.webp", saved(colour, "WEBP", save_all=True, append_images=[clear], duration=40)


def _gifs() -> Iterator[tuple[str, bytes]]:
    grey, colour = Image.fromarray(CODE), Image.fromarray(_COLOUR)
    yield "still.gif", saved(grey, "GIF", interlace=0)
    yield "interlaced.gif", saved(colour, "GIF", interlace=1, comment=b"words")
    yield "transparent.gif", saved(grey, "GIF", transparency=0)
    frames = [Image.fromarray(np.roll(_COLOUR, 5 * i, 1)) for i in range(1, 4)]
    yield "animated.gif", saved(colour, "GIF", save_all=True, append_images=frames, duration=40, loop=0, disposal=2)


def bmp(width: int, height: int, bits: int, rows: bytes, palette: bytes = b"", compression: int = 0) -> bytes:
    """A BMP with a header of 40 bytes; the caller pads each row to a multiple of four bytes."""
    begin = 14 + 40 + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(rows), 2835, 2835, 0, 0)
    return struct.pack("<2sIHHI", b"BM", begin + len(rows), 0, 0, begin) + info + palette + rows


def _bmps() -> Iterator[tuple[str, bytes]]:
    grey, colour = Image.fromarray(CODE), Image.fromarray(_COLOUR)
    yield "bits-8.bmp", saved(grey, "BMP")
    yield "bits-1.bmp", saved(grey.convert("1"), "BMP")
    yield "bits-24.bmp", saved(colour, "BMP")
    yield "bits-32.bmp", saved(Image.fromarray(np.dstack([_COLOUR, _ALPHA])), "BMP")
    yield "bits-16-downwards.bmp", bmp(SIDE, -SIDE, 16, np.resize(_ALPHA, (SIDE, 2 * SIDE)).tobytes())
    two = b"\0\0\0\0\xff\xff\xff\0"
    nibbles = np.packbits(np.kron(CODE // 255, np.array([0, 0, 0, 1], np.uint8)), axis=1)
    yield "bits-4.bmp", bmp(SIDE, SIDE, 4, np.pad(nibbles, ((0, 0), (0, -len(nibbles[0]) % 4))).tobytes(), two)
    runs = b"".join(b"".join(bytes([1, value]) for value in row) + b"\0\0" for row in CODE[::-1] // 255) + b"\0\1"
    yield "runs-8.bmp", bmp(SIDE, SIDE, 8, runs, two, compression=1)
    yield "runs-4.bmp", bmp(SIDE, SIDE, 4, (bytes([SIDE, 0x01]) + b"\0\0") * SIDE + b"\0\1", two, compression=2)
    masks = struct.pack("<III", 0x7C00, 0x3E0, 0x1F)
    yield "bitfields-16.bmp", bmp(SIDE, SIDE, 16, np.resize(_ALPHA, (SIDE, 2 * SIDE)).tobytes(), masks, compression=3)
    core = struct.pack("<2sIHHIIHHHH", b"BM", 26 + 4 * SIDE * SIDE, 0, 0, 26, 12, SIDE, SIDE, 1, 24)
    yield "core.bmp", core + np.pad(_COLOUR.reshape(SIDE, -1), ((0, 0), (0, -3 * SIDE % 4))).tobytes()


def seeds() -> dict[str, bytes]:
    """File name -> content; every one decodes."""
    return {name: data for made in (_pngs, _jpegs, _webps, _gifs, _bmps) for name, data in made()}
