"""AVIF and HEIC: same pixels in one frame whatever the boxes say, and nothing that a hostile box can demand."""

import struct

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from app.pipeline.files.decoding import decode_image, format_of, read_header
from app.pipeline.imaging import GreyImage
from tests.support import heics
from tests.support.codes import qr_picture

BIG = 1_000_000
PICTURE = qr_picture("hello polarity", scale=4)
TURN, MIRROR = b"\0\0\0\x09irot", b"\0\0\0\x09imir"


def avif(image: NDArray[np.generic], *, depth: int = 8) -> bytes:
    written, data = cv2.imencode(".avif", image, (cv2.IMWRITE_AVIF_QUALITY, 95, cv2.IMWRITE_AVIF_DEPTH, depth))
    assert written
    return data.tobytes()


def turned(quarters: int, axis: int | None) -> bytes:
    """The HEIC with other contents of its boxes that turn and mirror; without an axis it is not mirrored."""
    data = heics.TURNED
    at = data.index(TURN) + len(TURN)
    data = data[:at] + bytes([quarters]) + data[at + 1 :]
    at = data.index(MIRROR) + len(MIRROR)
    kind = TURN if axis is None else MIRROR
    return data[: at - len(kind)] + kind + bytes([axis or 0]) + data[at + 1 :]


def is_close(image: GreyImage) -> bool:
    return image.shape == PICTURE.shape and float(np.abs(image.astype(int) - PICTURE).mean()) < 2


COLOUR = np.dstack([PICTURE] * 3)
FILES = {
    "HEIC": heics.TURNED,
    "HEIC, transparent": heics.TRANSPARENT,
    "HEIC, 10 bits": heics.TEN_BITS,
    "AVIF": avif(COLOUR),
    "AVIF, transparent": avif(np.dstack([np.zeros_like(COLOUR), 255 - PICTURE])),
    "AVIF, 10 bits": avif(COLOUR.astype(np.uint16) * 4, depth=10),
    "AVIF, 12 bits": avif(COLOUR.astype(np.uint16) * 16, depth=12),
}


@pytest.mark.parametrize("name", FILES)
def test_pixels(name: str) -> None:
    header = read_header(FILES[name])
    assert (header.height, header.width) == PICTURE.shape
    assert header.transparent == name.endswith("transparent")
    assert is_close(decode_image(FILES[name], max_pixels=BIG))
    assert format_of(FILES[name]).name == name[:4]


def shown(picture: GreyImage, orientation: int) -> GreyImage:
    """What EXIF has a viewer show (TIFF/EP, tag Orientation)."""
    mirrored = picture[:, ::-1] if orientation in {2, 4, 5, 7} else picture
    quarters = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}[orientation]
    return np.rot90(mirrored, quarters)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_pixels_are_as_coded_and_the_header_says_how_viewers_turn_them(quarters: int, axis: int | None) -> None:
    data = turned(quarters, axis)
    assert is_close(decode_image(data, max_pixels=BIG))
    expected = np.rot90(PICTURE, quarters)  # irot: anticlockwise, before imir in the file
    if axis is not None:
        expected = expected[:, ::-1] if axis else expected[::-1]
    np.testing.assert_array_equal(shown(PICTURE, read_header(data).orientation), expected)


def test_avif_is_as_coded_too() -> None:
    """A turning box in front of the ones that the encoder wrote changes nothing but the orientation."""
    data = avif(COLOUR)
    properties, associations = data.index(b"ipco"), data.index(b"ipma")
    count = data[associations + 14]
    box = TURN + bytes([1])
    number = sum(1 for _ in range(1)) + _count_boxes(data, properties)
    longer = bytearray(data)
    longer[associations + 15 + count : associations + 15 + count] = bytes([0x80 | number])
    longer[associations + 14] += 1
    end = properties - 4 + struct.unpack_from(">I", data, properties - 4)[0]
    longer[end:end] = box
    _grow(longer, b"ipco", len(box))
    _grow(longer, b"ipma", 1)
    for kind in (b"iprp", b"meta"):
        _grow(longer, kind, len(box) + 1)
    _move_items(longer, len(box) + 1)
    assert read_header(bytes(longer)).orientation == 8
    assert is_close(decode_image(bytes(longer), max_pixels=BIG))


def _count_boxes(data: bytes, kind_at: int) -> int:
    at, end, count = kind_at + 4, kind_at - 4 + struct.unpack_from(">I", data, kind_at - 4)[0], 0
    while at < end:
        at, count = at + struct.unpack_from(">I", data, at)[0], count + 1
    return count


def _grow(data: bytearray, kind: bytes, by: int) -> None:
    at = data.index(kind) - 4
    struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + by)


def _move_items(data: bytearray, by: int) -> None:
    """Adds to the one offset in `iloc`, which counts from the beginning of the file."""
    at = data.index(b"iloc") + 4 + 4 + 2 + 2 + 2 + 2 + 2
    struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + by)


def replaced(data: bytes, kind: bytes, offset: int, content: bytes) -> bytes:
    at = data.index(kind) + 4 + offset
    return data[:at] + content + data[at + len(content) :]


HOSTILE = {
    "65,535 items": replaced(heics.TURNED, b"iinf", 4, b"\xff\xff"),
    "a million associations": replaced(heics.TURNED, b"ipma", 4, struct.pack(">I", 1_000_000)),
    "box longer than the file": replaced(heics.TURNED, b"ipco", -8, struct.pack(">I", 1 << 30)),
    "box shorter than its head": replaced(heics.TURNED, b"ipco", -8, struct.pack(">I", 3)),
    "no size": replaced(heics.TURNED, b"ispe", -4, b"free"),
    "cut": heics.TURNED[:900],
    "cut in the boxes": heics.TURNED[:200],
    "AVIF, cut": FILES["AVIF"][:-200],
    "larger than it is": replaced(heics.TURNED, b"ispe", 4, struct.pack(">II", 900, 900)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_damage(name: str) -> None:
    with pytest.raises(InvalidImage):
        decode_image(HOSTILE[name], max_pixels=BIG)


def test_endless_boxes() -> None:
    head = heics.TURNED[:28]
    with pytest.raises(InvalidImage):
        read_header(head + struct.pack(">I4s", 8, b"free") * 100_000)


def test_size_is_checked_before_a_pixel_is_decoded() -> None:
    huge = replaced(heics.TURNED, b"ispe", 4, struct.pack(">II", 60_000, 60_000))
    with pytest.raises(ImageTooLarge, match="60000 x 60000"):
        decode_image(huge, max_pixels=BIG)


@pytest.mark.parametrize(
    ("name", "most"),
    [("AVIF", 30_000_000), ("AVIF, transparent", 22_500_000), ("AVIF, 10 bits", 15_000_000)],
)
def test_decoded_colours_of_avif_are_bounded(name: str, most: int) -> None:
    huge = replaced(FILES[name], b"ispe", 4, struct.pack(">II", 50_000, 2_000))
    with pytest.raises(ImageTooLarge, match=f"at most {most} pixels"):
        decode_image(huge, max_pixels=99_999_999)


def test_brands_decide() -> None:
    def kind(brands: bytes) -> str:
        return format_of(struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands).name

    assert kind(b"mif1\0\0\0\0mif1avifmiaf") == "AVIF"
    assert kind(b"mif1\0\0\0\0mif1heic") == "HEIC"
    assert kind(b"avis\0\0\0\0avifmsf1") == "AVIF"
    assert kind(b"heix\0\0\0\0mif1") == "HEIC"
    with pytest.raises(UnsupportedImage, match="an MP4 video"):
        kind(b"isom\0\0\0\0isomiso2avc1mp41")
