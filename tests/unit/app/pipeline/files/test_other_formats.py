"""JPEG 2000, PNM and JPEGs of several pictures; what other files are called when they are refused."""

import contextlib
import io
import re
import struct
from functools import partial

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from app.pipeline.files.decoding import decode_image, read_header
from app.pipeline.files.sniffing import refusal_of
from tests.support.codes import qr_picture
from tests.support.live import pictures
from tests.support.timing import least_seconds

BIG = 1_000_000
PICTURE = np.ascontiguousarray(qr_picture("formats", scale=4)[:, :100])
COLOUR = np.dstack([PICTURE] * 3)
HEIGHT, WIDTH = PICTURE.shape


def jp2(samples: NDArray[np.generic]) -> bytes:
    written, data = cv2.imencode(".jp2", samples, (cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000))
    assert written
    return data.tobytes()


def by_pillow(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def pnm(kind: bytes, highest: int, samples: NDArray[np.generic], comment: bytes = b"") -> bytes:
    """A PNM of these samples: as text for P1 to P3, else binary."""
    head = (
        kind + b"\n" + comment + b"%d %d\n" % (WIDTH, HEIGHT) + (b"" if kind in {b"P1", b"P4"} else b"%d\n" % highest)
    )
    if kind in {b"P1", b"P2", b"P3"}:
        return head + b"\n".join(b" ".join(b"%d" % value for value in row.ravel()) for row in samples)
    if kind == b"P4":
        return head + np.packbits(samples, axis=1).tobytes()
    return head + samples.astype(">u2" if highest > 255 else "u1").tobytes()


BITS = (PICTURE < 128).astype(np.uint8)
EXACT = {
    "JPEG 2000": jp2(PICTURE),
    "JPEG 2000, colour": jp2(COLOUR),
    "JPEG 2000, 16 bits": jp2(PICTURE.astype(np.uint16) * 257),
    "JPEG 2000, 12 bits in 16": jp2(PICTURE.astype(np.uint16) * 16),
    "JPEG 2000, bare codestream of tiles": by_pillow(
        Image.fromarray(COLOUR), "JPEG2000", no_jp2=True, tile_size=(64, 64)
    ),
    "JPEG 2000, transparent": by_pillow(Image.fromarray(np.dstack([np.zeros_like(COLOUR), 255 - PICTURE])), "JPEG2000"),
    "P1": pnm(b"P1", 1, BITS, b"# a comment\n"),
    "P2": pnm(b"P2", 255, PICTURE),
    "P2, 3 levels": pnm(b"P2", 3, PICTURE // 85),
    "P3": pnm(b"P3", 255, COLOUR),
    "P4": pnm(b"P4", 1, BITS),
    "P5": pnm(b"P5", 255, PICTURE, b"# 1 2 3\n"),
    "P5, 3 levels": pnm(b"P5", 3, PICTURE // 85),
    "P5, 16 bits": pnm(b"P5", 65_535, PICTURE.astype(np.uint16) * 257),
    "P5, 12 bits in 16": pnm(b"P5", 4095, PICTURE.astype(np.uint16) * 16),
    "P6": pnm(b"P6", 255, COLOUR),
}


@pytest.mark.parametrize("name", EXACT)
def test_same_grey_whatever_the_format(name: str) -> None:
    header = read_header(EXACT[name])
    assert (header.width, header.height) == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(decode_image(EXACT[name], max_pixels=BIG), PICTURE)


@pytest.mark.parametrize("name", EXACT)
def test_cut_short(name: str) -> None:
    data = EXACT[name]
    for length in (len(data) // 2, 12, 3):
        with pytest.raises((InvalidImage, UnsupportedImage)):
            decode_image(data[:length], max_pixels=BIG)


@pytest.mark.parametrize("name", EXACT)
def test_random_damage_never_raises_anything_else(name: str) -> None:
    generator = np.random.default_rng(11)
    for _ in range(20):
        broken = bytearray(EXACT[name])
        for _ in range(3):
            broken[generator.integers(min(len(broken), 120))] = generator.integers(256)
        with contextlib.suppress(InvalidImage, UnsupportedImage):
            decode_image(bytes(broken), max_pixels=BIG)


def with_size(data: bytes, **changed: int) -> bytes:
    """A JPEG 2000 file with other numbers in its marker SIZ."""
    at = data.index(b"\xff\x4f\xff\x51")
    places = {"right": 8, "bottom": 12, "across": 24, "down": 28, "count": 40}
    whole = bytearray(data)
    for name, value in changed.items():
        struct.pack_into(">H" if name == "count" else ">I", whole, at + places[name], value)
    return bytes(whole)


@pytest.mark.parametrize(
    "changed",
    [
        {"right": 999, "bottom": 999, "across": 1, "down": 1},
        {"across": 0},
        {"count": 9_000},
        {"count": 0},
        {"right": 0},
    ],
)
def test_impossible_jpeg_2000(changed: dict[str, int]) -> None:
    with pytest.raises(InvalidImage):
        decode_image(with_size(EXACT["JPEG 2000"], **changed), max_pixels=BIG)


def test_jpeg_2000_has_a_limit_of_its_own() -> None:
    data = with_size(EXACT["JPEG 2000"], right=6000, bottom=6000, across=6000, down=6000)
    with pytest.raises(ImageTooLarge, match="at most 25000000"):
        decode_image(data, max_pixels=50_000_000)


def test_grey_and_alpha_in_jpeg_2000_is_refused_with_advice() -> None:
    with pytest.raises(UnsupportedImage, match="Save it as grey"):
        decode_image(by_pillow(Image.fromarray(PICTURE).convert("LA"), "JPEG2000"), max_pixels=BIG)


@pytest.mark.parametrize("size", [b"999999999 999999999", b"100000 100000"])
def test_claimed_size_of_a_pnm(size: bytes) -> None:
    with pytest.raises(InvalidImage):
        decode_image(b"P5 " + size + b" 255\n" + bytes(100), max_pixels=BIG)
    with pytest.raises(ImageTooLarge):
        decode_image(b"P2 " + size + b" 255\n" + b"0 " * 100, max_pixels=BIG)


def fault(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        read_header(data)


def test_comments_without_end_cost_nothing() -> None:
    for filler in (b"# \n", b" ", b"#", b"\n#\n"):
        assert least_seconds(partial(fault, b"P5\n" + filler * 2_000_000)) < 1.5


def test_of_a_jpeg_of_several_pictures_the_first_counts() -> None:
    """MPO files of stereo cameras and JPEGs with a gain map begin with the picture itself."""
    several = by_pillow(
        Image.fromarray(COLOUR), "MPO", save_all=True, append_images=[Image.fromarray(255 - COLOUR)], quality=95
    )
    assert np.abs(decode_image(several, max_pixels=BIG).astype(int) - PICTURE).mean() < 2
    gain_map = by_pillow(Image.fromarray(255 - PICTURE[::4, ::4]), "JPEG")
    single = by_pillow(Image.fromarray(PICTURE), "JPEG", quality=95)
    assert np.abs(decode_image(single + gain_map, max_pixels=BIG).astype(int) - PICTURE).mean() < 2


KINDS = {
    b"\0\0\0\x18ftypisom\0\0\2\0isomiso2avc1mp41": "an MP4 video",
    b"\0\0\0\x14ftypqt  \0\0\2\0qt  ": "a QuickTime video",
    b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f": "a WebM or Matroska video",
    b"RIFF\0\0\0\0AVI LIST": "an AVI video",
    b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg width="9">': "an SVG drawing",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>": "an SVG drawing",
    b"<!DOCTYPE html><html></html>": "an HTML page",
    b"<?xml version='1.0'?><note/>": "an XML document",
    b"\x76\x2f\x31\x01" + bytes(20): "an OpenEXR picture",
    b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n": "a Radiance HDR picture",
    b"\x59\xa6\x6a\x95" + bytes(28): "a Sun raster picture",
    b"8BPS\0\1" + bytes(20): "a Photoshop document",
    b"\0\0\1\0\1\0\x20\x20" + bytes(20): "a Windows icon",
    b"\xff\x0a" + bytes(20): "a JPEG XL picture",
    b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a": "a JPEG XL picture",
    b"%!PS-Adobe-3.0\n": "a PostScript document",
    b"PK\3\4\x14\0\6\0\x08\0" + bytes(20) + b"[Content_Types].xml": "an office document",
    b"PK\3\4" + bytes(26) + b"photos/1.jpg": "a ZIP archive",
    b"\x1f\x8b\x08\0": "a packed file",
    b"data:image/png;base64,iVBORw0KGgo": "a data URL",
    b"just a text\n": "a text",
    b'{"codes": []}': "a text",
    b"\0" * 100: "of a kind that the service does not know",
    "text".encode("utf-16"): "of a kind that the service does not know",
}


@pytest.mark.parametrize("data", KINDS, ids=lambda data: repr(data[:40]))
def test_other_files_are_named(data: bytes) -> None:
    with pytest.raises(UnsupportedImage, match=re.escape(f"The file is {KINDS[data]}.")) as refusal:
        decode_image(data, max_pixels=BIG)
    assert "The service reads PNG, JPEG" in refusal.value.detail


@pytest.mark.parametrize("filler", [b"<", b" ", b"<!--", b"<svg", b"<?xml ", b"A", b"<!DOCTYPE svg", b"P1 "])
def test_naming_takes_no_time(filler: bytes) -> None:
    assert least_seconds(lambda: refusal_of(filler * 200_000)) < 0.2


def test_a_picture_in_which_the_mark_of_a_pdf_stands_is_a_picture() -> None:
    segment = pictures.segment(0xFE, b"%PDF-1.7")
    jpeg = by_pillow(Image.fromarray(PICTURE), "JPEG")
    assert decode_image(jpeg[:2] + segment + jpeg[2:], max_pixels=BIG).shape == PICTURE.shape
