"""Formats, transparency, depth, limits and damage: which files become grey pixels, and which are refused."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.errors import ImageTooLarge, InvalidImage, QrestoreError, UnsupportedImage
from app.pipeline import PIXEL_CEILING
from app.pipeline.files.decoding import decode_image, read_header
from app.pipeline.files.jpeg import MOST_SCANS
from app.pipeline.files.png import encode_png
from tests.support.codes import qr_picture
from tests.support.live import pictures
from tests.support.timing import least_seconds

HEIGHT, WIDTH = 40, 60
SQUARE = np.full((HEIGHT, WIDTH), 255, np.uint8)
SQUARE[10:30, 10:30] = 0
BIG = 1_000_000


def encode(suffix: str, image: NDArray[np.generic], *options: int) -> bytes:
    written, data = cv2.imencode(suffix, image, options)
    assert written
    return data.tobytes()


def png(
    colour: int, depth: int, rows: bytes, *chunks: tuple[bytes, bytes], size: tuple[int, int] = (WIDTH, HEIGHT)
) -> bytes:
    """A PNG of raw, unfiltered rows (each begins with a zero byte)."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + body


def rows(pixels: NDArray[np.generic]) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in pixels)


def gif(*, transparent: bool) -> bytes:
    """A 2 x 1 GIF: colour 0 is black, colour 1 is black or, on request, transparent."""
    control = b"\x21\xf9\x04" + bytes([int(transparent), 0, 0, 1]) + b"\0"
    palette = b"\0\0\0" + b"\0\0\0" + b"\xff\xff\xff" * 2
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 2, 1, 0) + b"\x02\x02\x44\x0a\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 2, 1, 0x81, 0, 0) + palette + control + frame + b"\x3b"


BLACK_SQUARE_ON_NOTHING = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
BLACK_SQUARE_ON_NOTHING[..., 3] = 255 - SQUARE

EXACT = {
    "png": encode(".png", SQUARE),
    "png, colour": encode(".png", cv2.cvtColor(SQUARE, cv2.COLOR_GRAY2BGR)),
    "png, 16 bits": encode(".png", SQUARE.astype(np.uint16) * 257),
    "png, opaque alpha": encode(".png", cv2.cvtColor(SQUARE, cv2.COLOR_GRAY2BGRA)),
    "png, transparent": encode(".png", BLACK_SQUARE_ON_NOTHING),
    "png, transparent, 16 bits": encode(".png", BLACK_SQUARE_ON_NOTHING.astype(np.uint16) * 257),
    "png, grey and alpha": png(4, 8, rows(np.stack([np.zeros_like(SQUARE), 255 - SQUARE], axis=-1))),
    "png, palette": png(3, 8, rows(SQUARE // 255), (b"PLTE", b"\0\0\0\xff\xff\xff")),
    "png, transparent palette": png(3, 8, rows(SQUARE // 255), (b"PLTE", bytes(6)), (b"tRNS", b"\xff\0")),
    "png, transparent grey": png(0, 8, rows(SQUARE // 255 * 7), (b"tRNS", b"\0\7")),
    "png, transparent grey, 16 bits": png(
        0, 16, rows((SQUARE // 255 * np.uint16(300)).astype(">u2")), (b"tRNS", struct.pack(">H", 300))
    ),
    "png, transparent grey, 4 bits": png(
        0, 4, rows((SQUARE[:, ::2] // 255 * 7) << 4 | SQUARE[:, 1::2] // 255 * 7), (b"tRNS", b"\0\7")
    ),
    "png, transparent colour": png(2, 8, rows(np.dstack([SQUARE // 255 * 9] * 3)), (b"tRNS", b"\0\x09" * 3)),
    "png, one bit": png(0, 1, rows(np.packbits(SQUARE // 255, axis=1))),
    "png and something after it": encode(".png", SQUARE) + b"PK\3\4" + bytes(100),
    "bmp": encode(".bmp", SQUARE),
    "bmp, colour": encode(".bmp", cv2.cvtColor(SQUARE, cv2.COLOR_GRAY2BGR)),
    "webp, transparent": encode(".webp", BLACK_SQUARE_ON_NOTHING, cv2.IMWRITE_WEBP_QUALITY, 101),
}
CLOSE = {
    "jpeg": encode(".jpg", SQUARE),
    "jpeg, colour": encode(".jpg", cv2.cvtColor(SQUARE, cv2.COLOR_GRAY2BGR)),
    "jpeg, progressive": encode(".jpg", SQUARE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "webp": encode(".webp", cv2.cvtColor(SQUARE, cv2.COLOR_GRAY2BGR), cv2.IMWRITE_WEBP_QUALITY, 90),
    "gif": encode(".gif", cv2.cvtColor(SQUARE, cv2.COLOR_GRAY2BGR)),
}


@pytest.mark.parametrize("name", EXACT)
def test_same_grey_whatever_the_encoding(name: str) -> None:
    image = decode_image(EXACT[name], max_pixels=BIG)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, SQUARE)


@pytest.mark.parametrize("name", CLOSE)
def test_lossy_encodings_come_close(name: str) -> None:
    image = decode_image(CLOSE[name], max_pixels=BIG)
    assert image.shape == SQUARE.shape
    assert np.abs(image.astype(int) - SQUARE).mean() < 3


def test_half_transparent_pixels_are_blended_with_white() -> None:
    pixel = np.array([[[0, 0, 0, 128]]], np.uint8)
    assert decode_image(encode(".png", pixel), max_pixels=BIG).tolist() == [[127]]


def test_gif_transparency() -> None:
    assert decode_image(gif(transparent=False), max_pixels=BIG).tolist() == [[0, 0]]
    assert decode_image(gif(transparent=True), max_pixels=BIG).tolist() == [[0, 255]]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_first_frame_of_an_animation(suffix: str) -> None:
    animation = cv2.Animation()
    animation.frames = [cv2.cvtColor(frame, cv2.COLOR_GRAY2BGRA) for frame in (SQUARE, 255 - SQUARE)]
    animation.durations = np.array([100, 100], np.int32)
    written, data = cv2.imencodeanimation(suffix, animation)
    assert written
    image = decode_image(data.tobytes(), max_pixels=BIG)
    assert np.abs(image.astype(int) - SQUARE).mean() < 3


EXIF = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
"""EXIF data that states orientation 6."""


def turned(suffix: str) -> bytes:
    """A file whose EXIF data has viewers turn it."""
    if suffix == ".png":
        return png(0, 8, rows(SQUARE), (b"eXIf", EXIF))
    if suffix == ".jpg":
        jpeg = encode(".jpg", SQUARE)
        return jpeg[:2] + pictures.segment(0xE1, b"Exif\0\0" + EXIF) + jpeg[2:]
    plain = encode(".webp", SQUARE, cv2.IMWRITE_WEBP_QUALITY, 101)
    size = struct.pack("<I", WIDTH - 1)[:3] + struct.pack("<I", HEIGHT - 1)[:3]
    chunks = b"VP8X" + struct.pack("<II", 10, 8) + size + plain[12:] + b"EXIF" + struct.pack("<I", len(EXIF)) + EXIF
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_orientation_is_told_but_not_applied(suffix: str) -> None:
    data = turned(suffix)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE).shape == (WIDTH, HEIGHT)
    assert decode_image(data, max_pixels=BIG).shape == (HEIGHT, WIDTH)
    assert read_header(data).orientation == 6
    assert read_header(data.replace(b"\0\x06\0\0", b"\0\x09\0\0")).orientation == 1
    assert read_header(data.replace(b"MM\0\x2a\0\0\0\x08", b"MM\0\x2a\0\0\0\xff")).orientation == 1


def test_resolution_is_told() -> None:
    jpeg = encode(".jpg", SQUARE)
    at = jpeg.index(b"JFIF\0") + 7

    def dpi(unit: int, density: int) -> float | None:
        return read_header(jpeg[:at] + struct.pack(">BH", unit, density) + jpeg[at + 3 :]).dpi

    assert (dpi(1, 300), dpi(2, 100), dpi(0, 1), dpi(1, 0)) == (300, 254, None, None)
    metres = png(0, 8, rows(SQUARE), (b"pHYs", struct.pack(">IIB", 11_811, 11_811, 1)))
    assert read_header(metres).dpi == pytest.approx(300, abs=0.01)
    assert read_header(EXACT["png"]).dpi is None


@pytest.mark.parametrize("name", [*EXACT, *CLOSE])
def test_the_header_has_the_size(name: str) -> None:
    header = read_header({**EXACT, **CLOSE}[name])
    assert (header.width, header.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("name", [*EXACT, *CLOSE])
def test_pixel_limit(name: str) -> None:
    data = {**EXACT, **CLOSE}[name]
    decode_image(data, max_pixels=WIDTH * HEIGHT)
    with pytest.raises(ImageTooLarge, match="60 x 40"):
        decode_image(data, max_pixels=WIDTH * HEIGHT - 1)


HUGE = {
    "png": png(0, 8, b"", size=(100_000, 100_000)),
    "jpeg": b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0",
    "gif": b"GIF89a\xff\xff\xff\xff",
    "bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, 1 << 30, -(1 << 30)) + bytes(20),
    "webp": b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6,
}


def fault(data: bytes, kind: type[QrestoreError], *, max_pixels: int = BIG) -> None:
    with pytest.raises(kind):
        decode_image(data, max_pixels=max_pixels)


@pytest.mark.parametrize("name", HUGE)
def test_claimed_size_is_refused_without_decoding(name: str) -> None:
    tracemalloc.start()
    assert least_seconds(partial(fault, HUGE[name], ImageTooLarge, max_pixels=PIXEL_CEILING)) < 0.05
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"v/1\1" + bytes(100),
        b"#?RADIANCE\n",
        b"\x59\xa6\x6a\x95",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"BM: what the letters stand for, at some length",
        b"\x00",
        "plain text".encode("utf-16"),
    ],
    ids=lambda data: repr(data[:8]),
)
def test_other_formats(data: bytes) -> None:
    with pytest.raises(UnsupportedImage):
        decode_image(data, max_pixels=BIG)


def cut(fraction: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(len(data) * fraction)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff" + b"\xff" * 50,
        b"\xff\xd8\xff\xd9",
        b"GIF89a",
        b"BM",
        b"RIFF\0\0\0\0WEBP",
        b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0/",
        b"RIFF\0\0\0\0WEBPJUNK",
        png(0, 8, b"", size=(0, 5)),
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dJUNK" + bytes(30),
        cut(0.5)(EXACT["bmp"])[:100],
        cut(0.3)(CLOSE["webp"]),
        cut(0.9)(CLOSE["webp"]),
        EXACT["png"][:40],
        EXACT["png"][:-12],
        EXACT["png"].replace(b"IDAT", b"IDAt"),
        pictures.png_of(pictures.ihdr(WIDTH, HEIGHT), pictures.idat(SQUARE[:-1]), pictures.IEND),
        pictures.png_of(pictures.ihdr(WIDTH, HEIGHT), (b"NEED", b""), pictures.idat(SQUARE), pictures.IEND),
        CLOSE["jpeg"][:-2],
        cut(0.6)(CLOSE["jpeg"]),
        cut(0.6)(CLOSE["jpeg, progressive"]),
        cut(0.6)(CLOSE["gif"]),
    ],
    ids=lambda data: f"{data[:14]!r} of {len(data)}",
)
def test_damage(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        decode_image(data, max_pixels=BIG)


def test_random_damage_never_raises_anything_else() -> None:
    generator = np.random.default_rng(7)
    for data in (*EXACT.values(), *CLOSE.values()):
        for _ in range(20):
            broken = bytearray(data)
            for at in generator.integers(0, len(broken), 3):
                broken[at] = generator.integers(256)
            try:
                assert decode_image(bytes(broken), max_pixels=BIG).dtype == np.uint8
            except (InvalidImage, UnsupportedImage):
                continue


def test_png_survives_a_round_trip() -> None:
    image = qr_picture("round trip")
    np.testing.assert_array_equal(decode_image(encode_png(image), max_pixels=BIG), image)


def test_smallest_images() -> None:
    assert decode_image(encode(".png", np.zeros((1, 1), np.uint8)), max_pixels=BIG).shape == (1, 1)
    assert decode_image(encode(".png", np.zeros((1, 60_000), np.uint8)), max_pixels=BIG).shape == (1, 60_000)


@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"eXIf", b"iCCP"])
def test_a_png_chunk_that_claims_too_much_is_refused(kind: bytes) -> None:
    """The decoder would allocate and clear what a chunk claims: gigabytes and seconds for a hundred bytes."""
    data = bytearray(EXACT["png"])
    at = data.index(b"IDAT")
    data[at - 4 : at + 4] = struct.pack(">I", 0x7FFF_FFF0) + kind
    assert least_seconds(partial(fault, bytes(data), InvalidImage)) < 0.05


METADATA = [
    (b"gAMA", struct.pack(">I", 100_000)),
    (b"cHRM", struct.pack(">8I", *[1000] * 8)),
    (b"iCCP", b"p\0\0" + zlib.compress(b"no profile")),
    (b"tEXt", b"Comment\0no checksum of this is looked at"),
]


def test_png_metadata_is_removed() -> None:
    dressed = pictures.png(SQUARE, before=METADATA)
    assert decode_image(dressed.replace(b"Comment", b"COMMENT"), max_pixels=BIG).tolist() == SQUARE.tolist()


def seconds_of(data: bytes) -> float:
    return least_seconds(lambda: decode_image(data, max_pixels=BIG))


def test_compressed_png_texts_are_not_unpacked() -> None:
    """Each of these costs the decoder as much as a picture of eight megapixels."""
    text = b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(8_000_000))
    assert seconds_of(pictures.png(SQUARE, before=[text] * 40)) < 0.1


def test_jpeg_metadata_is_removed() -> None:
    jpeg = CLOSE["jpeg"]
    idle = pictures.segment(0xFE, b"comment") + pictures.exif(6) + pictures.segment(0xED, bytes(60_000))
    dressed = jpeg[:2] + idle * 20 + jpeg[2:]
    np.testing.assert_array_equal(decode_image(dressed, max_pixels=BIG), decode_image(jpeg, max_pixels=BIG))


def test_scans_of_a_jpeg_are_bounded() -> None:
    grey = np.repeat(np.repeat(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4, 8, axis=0), 8, axis=1)
    picture = np.tile(grey, (8, 8))
    few, many = (pictures.many_scans_jpeg(picture, scans) for scans in (MOST_SCANS, 300 * MOST_SCANS))
    np.testing.assert_array_equal(decode_image(few, max_pixels=BIG), picture)
    np.testing.assert_array_equal(decode_image(many, max_pixels=BIG), picture)
    assert seconds_of(many) < 10 * seconds_of(few)


def test_marker_hunt_is_linear() -> None:
    for filler in (b"\xff", b"\xff\0", b"\0"):
        assert least_seconds(partial(fault, b"\xff\xd8\xff\xfe\0\2" + filler * 5_000_000, InvalidImage)) < 1


def test_canvas_around_an_animation_is_white() -> None:
    still = encode(".webp", np.zeros((HEIGHT, WIDTH, 3), np.uint8), cv2.IMWRITE_WEBP_QUALITY, 101)
    frame = pictures.webp_frame(20, 10, WIDTH, HEIGHT, still)
    animated = pictures.riff(pictures.vp8x(100, 80, pictures.WEBP_ANIMATED), pictures.WEBP_ANIMATION, frame)
    image = decode_image(animated, max_pixels=BIG)
    expected = np.full((80, 100), 255, np.uint8)
    expected[10 : 10 + HEIGHT, 20 : 20 + WIDTH] = 0
    np.testing.assert_array_equal(image, expected)


def test_animated_png_gives_the_picture_that_all_viewers_show() -> None:
    np.testing.assert_array_equal(decode_image(pictures.apng(SQUARE, 255 - SQUARE), max_pixels=BIG), SQUARE)


def test_deep_pictures_are_made_grey_in_little_memory() -> None:
    side = 2000
    deep = pictures.uniform_png(side, side, depth=16, colour=pictures.COLOUR_ALPHA)
    tracemalloc.start()
    assert decode_image(deep, max_pixels=side * side).min() == 255
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 13 * side * side  # eight bytes a pixel are the decoder's
