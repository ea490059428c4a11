"""TIFF: every kind of sample that is read gives the same grey, every page counts, and what would lie is refused."""

import io
import struct

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from app.pipeline.files.decoding import decode_image, decode_page, page_offsets, read_header
from tests.support import tiffs
from tests.support.codes import qr_picture
from tests.support.tiffs import TiffPage, tiff

BIG = 1_000_000
PICTURE = np.ascontiguousarray(qr_picture("tiff", scale=4)[:, :100])
"""Not square, and black in the upper left, so that a turned or inverted one differs."""
BLACK = PICTURE < 128
DEEP = PICTURE.astype(np.uint16) * 257
TWELVE = PICTURE.astype(np.uint16) * 16
COLOUR = np.dstack([PICTURE] * 3)


def by_pillow(mode: str, compression: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(PICTURE).convert(mode, dither=Image.Dither.NONE).save(out, "TIFF", compression=compression)
    return out.getvalue()


EXACT = {
    **{
        f"{mode}, {compression}": by_pillow(mode, compression)
        for mode in ("1", "L", "RGB", "RGBA", "CMYK", "P", "LA")
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
    },
    "fax, group 3": by_pillow("1", "group3"),
    "fax, group 4": by_pillow("1", "group4"),
    "fax, run lengths": by_pillow("1", "tiff_ccitt"),
    "white is zero": tiff(TiffPage(255 - PICTURE, tiffs.WHITE_IS_ZERO)),
    "white is zero, 1 bit": tiff(TiffPage(BLACK, tiffs.WHITE_IS_ZERO, bits=1)),
    "black is zero, 1 bit": tiff(TiffPage(~BLACK, bits=1)),
    "16 bits": tiff(TiffPage(DEEP)),
    "16 bits, white is zero": tiff(TiffPage(65_535 - DEEP, tiffs.WHITE_IS_ZERO)),
    "16 bits, colour": tiff(TiffPage(np.dstack([DEEP] * 3), tiffs.RGB)),
    "16 bits, tiles": tiff(TiffPage(DEEP, tile=64, is_packed=True)),
    "12 bits in 16": tiff(TiffPage(TWELVE)),
    "12 bits in 16, white is zero": tiff(TiffPage(4095 - TWELVE, tiffs.WHITE_IS_ZERO)),
    "tiles": tiff(TiffPage(PICTURE, tile=64)),
    "colour in tiles": tiff(TiffPage(COLOUR, tiffs.RGB, tile=48, is_packed=True)),
    "big endian": tiff(TiffPage(PICTURE), order=">"),
    "16 bits, big endian": tiff(TiffPage(DEEP), order=">"),
    "BigTIFF": tiff(TiffPage(PICTURE, is_packed=True), big=True),
    "BigTIFF, big endian": tiff(TiffPage(DEEP), order=">", big=True),
    "transparent": tiff(TiffPage(np.dstack([np.zeros_like(COLOUR), 255 - PICTURE]), tiffs.RGB, tags={338: 2})),
}


@pytest.mark.parametrize("name", EXACT)
def test_same_grey_whatever_the_samples(name: str) -> None:
    header = read_header(EXACT[name])
    assert (header.width, header.height) == PICTURE.shape[::-1]
    np.testing.assert_array_equal(decode_image(EXACT[name], max_pixels=BIG), PICTURE)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_inside(mode: str) -> None:
    image = decode_image(by_pillow(mode, "jpeg"), max_pixels=BIG)
    assert np.abs(image.astype(int) - PICTURE).mean() < 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_as_stored_and_the_header_says_how_viewers_turn_them(orientation: int) -> None:
    data = tiff(TiffPage(PICTURE, tags={tiffs.ORIENTATION: orientation}))
    if orientation > 4:  # the decoder would turn it
        turned = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
        assert turned is not None
        assert turned.shape == PICTURE.shape[::-1]
    assert read_header(data).orientation == orientation
    np.testing.assert_array_equal(decode_image(data, max_pixels=BIG), PICTURE)


def test_resolution() -> None:
    def dpi(**tags: int) -> float | None:
        units = {tiffs.UNIT: tags["unit"]} if "unit" in tags else {}
        return read_header(tiff(TiffPage(PICTURE, tags={tiffs.X_RESOLUTION: (600, 2), **units}))).dpi

    assert dpi() == dpi(unit=2) == 300
    assert dpi(unit=3) == pytest.approx(762)
    assert dpi(unit=1) is None
    assert read_header(tiff(TiffPage(PICTURE))).dpi is None
    assert read_header(tiff(TiffPage(PICTURE, tags={tiffs.X_RESOLUTION: (300, 0)}))).dpi is None


def shades(*levels: int) -> list[NDArray[np.uint8]]:
    return [np.full((8, 8 + level), level, np.uint8) for level in levels]


def greys(data: bytes) -> list[int]:
    """The grey of each page, all of one level."""
    return [int(decode_page(data, offset, max_pixels=BIG)[1].min()) for offset in page_offsets(data)]


def test_every_page_in_its_order() -> None:
    data = tiff(*map(TiffPage, shades(10, 20, 30)))
    assert greys(data) == [10, 20, 30]
    assert [decode_page(data, offset, max_pixels=BIG)[0].width for offset in page_offsets(data)] == [18, 28, 38]
    assert decode_image(data, max_pixels=BIG).min() == 10


def test_thumbnails_and_masks_are_no_pages() -> None:
    page, thumbnail, mask = shades(10, 20, 30)
    small = [TiffPage(thumbnail, tags={tiffs.SUBFILE: 1}), TiffPage(mask, tags={tiffs.SUBFILE: 4})]
    assert greys(tiff(*small, TiffPage(page))) == [10]
    assert greys(tiff(*small)) == [20, 30]


def test_a_loop_of_directories_ends() -> None:
    assert greys(tiff(*map(TiffPage, shades(10, 20)), loop=True)) == [10, 20]


def test_more_directories_than_are_looked_at() -> None:
    entries = struct.pack("<HHHII", 1, 256, 3, 1, 1)
    count, size = 20_000, len(entries) + 4
    chain = b"".join(entries + struct.pack("<I", 8 + (number + 1) * size) for number in range(count))
    assert len(page_offsets(b"II*\0\x08\0\0\0" + chain)) == 10_000


def test_more_entries_than_are_looked_at() -> None:
    """Directories of 65,535 entries may lie over one another."""
    data = b"II*\0\x08\0\0\0" + b"\xff\xff" * 500_000
    with pytest.raises(InvalidImage):
        page_offsets(data)


@pytest.mark.parametrize(("tag", "name"), [(34712, "JPEG 2000"), (50002, "JPEG XL"), (50000, "Zstandard"), (9, "9")])
def test_compressions_that_come_back_black_or_not_at_all(tag: int, name: str) -> None:
    with pytest.raises(UnsupportedImage, match=f"compressed by .*{name}.* Save it with LZW"):
        read_header(tiff(TiffPage(PICTURE, tags={tiffs.COMPRESSION: tag})))


REFUSED = {
    "tiles of 48 pixels without compression": TiffPage(PICTURE, tile=48),
    "floating point": TiffPage(PICTURE.astype(np.float32), tags={tiffs.SAMPLE_FORMAT: 3}),
    "signed": TiffPage(PICTURE.astype(np.int16), tags={tiffs.SAMPLE_FORMAT: 2}),
    "32 bits": TiffPage(PICTURE.astype(np.uint32)),
    "CIE L*a*b*": TiffPage(COLOUR, 8),
    "colour filter": TiffPage(PICTURE, 32803),
    "unequal samples": TiffPage(COLOUR, tiffs.RGB, tags={tiffs.BITS: (5, 6, 5)}),
    "planes of 16 bits": TiffPage(np.dstack([DEEP] * 3), tiffs.RGB, tags={tiffs.PLANES: 2}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unusual_samples_are_refused_with_advice(name: str) -> None:
    with pytest.raises(UnsupportedImage, match="Save it"):
        decode_image(tiff(REFUSED[name]), max_pixels=BIG)


DAMAGED = {
    "strip beyond the end": {tiffs.STRIP_BYTES: 1 << 30},
    "negative size of a strip": {tiffs.STRIP_BYTES: 0xFFFF_FFFF},
    "strip elsewhere": {tiffs.STRIP: 1 << 28},
    "too few strips": {tiffs.ROWS: 1},
    "tile of gigabytes": {tiffs.TILE_WIDTH: 1 << 16, tiffs.TILE_HEIGHT: 1 << 16, tiffs.TILE: 8, tiffs.TILE_BYTES: 8},
    "no width": {tiffs.WIDTH: 0},
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage(name: str) -> None:
    with pytest.raises(InvalidImage):
        decode_image(tiff(TiffPage(PICTURE, tags=DAMAGED[name])), max_pixels=BIG)


def test_the_limit_holds_for_every_page() -> None:
    pages = [TiffPage(PICTURE), TiffPage(PICTURE, tags={tiffs.WIDTH: 60_000, tiffs.HEIGHT: 60_000, tiffs.ROWS: 60_000})]
    data = tiff(*pages)
    first, second = page_offsets(data)
    assert decode_page(data, first, max_pixels=BIG)[1].shape == PICTURE.shape
    with pytest.raises(ImageTooLarge):
        decode_page(data, second, max_pixels=BIG)


def test_any_cut_or_damaged_byte_is_a_request_error() -> None:
    generator = np.random.default_rng(5)
    for data in (EXACT["1, tiff_lzw"], EXACT["fax, group 4"], EXACT["16 bits, tiles"], EXACT["BigTIFF"]):
        for _ in range(60):
            broken = bytearray(data)
            for _ in range(3):
                broken[generator.integers(len(broken))] = generator.integers(256)
            end = int(generator.integers(1, len(broken) + 1))
            for part in (bytes(broken), bytes(broken[:end])):
                try:
                    for offset in page_offsets(part)[:3]:
                        decode_page(part, offset, max_pixels=BIG)
                except (InvalidImage, UnsupportedImage):
                    pass
