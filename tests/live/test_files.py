"""Rows 14 to 31 of docs/bad-inputs.md: files that are no pictures, broken pictures and decompression bombs."""

import base64
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.workers.usage import processor_seconds
from tests.support.codes import qr_picture
from tests.support.live import pictures
from tests.support.live.servers import GOOD, Server

pytestmark = pytest.mark.slow

TEXT: Final = "pick me"
CODE: Final[GreyImage] = qr_picture(TEXT, scale=8)
OTHER: Final[GreyImage] = qr_picture("not me!", scale=8)
READ: Final = [TEXT.encode()]


def encoded(suffix: str, image: NDArray[np.generic], *options: int) -> bytes:
    written, data = cv2.imencode(suffix, image, options)
    assert written
    return data.tobytes()


def in_colour(image: GreyImage) -> NDArray[np.uint8]:
    return np.dstack([image] * 3)


JPEG: Final = encoded(".jpg", CODE)
WEBP: Final = encoded(".webp", in_colour(CODE), cv2.IMWRITE_WEBP_QUALITY, 101)
# Written by `cjpeg -arithmetic -grayscale`, since no encoder of the project can.
ARITHMETIC: Final = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBk"
    "eFxlZ2P/yQALCADoAOgBAREA/8wABgAQEAX/2gAIAQEAAD8A0nNFpuwpBaOggDYjwMsj7lBh/wCyrsclHot/wAItPfk7g/3sBs/o2IrKx2NdME+K"
    "b/z+e4M8f62+Ou2da6KVROoZT1MNtUuE75q1VuKyQUfWR+KSLRtkVrfxgrDrxiLa0DdBg1Kc/9k="
)


def highest_memory(server: Server) -> int:
    """The sum of the peak resident bytes of all processes of the service."""
    total = 0
    for pid in (server.pid, *server.children()):
        with suppress(FileNotFoundError, ProcessLookupError):
            total += int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    return total


def used(server: Server) -> float:
    """Seconds of processor time that the living children have used."""
    return sum(map(processor_seconds, server.children()))


def test_row_14_empty_file(server: Server) -> None:
    assert server.upload(b"").problem(422)["detail"] == "The file is empty."


@pytest.mark.parametrize(
    "data",
    [
        b"just a text\n",
        b"%!PS-Adobe-3.0\n",
        b"BMW is no bitmap, though it begins like one",
        b"\0" * 100,
        b"MZ",
    ],
)
def test_row_15_other_things_named_png(server: Server, data: bytes) -> None:
    server.upload(data).problem(415)


@pytest.mark.parametrize("data", [pictures.PNG_SIGNATURE, b"\xff\xd8\xff", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"BM"])
def test_row_16_signature_alone(server: Server, data: bytes) -> None:
    server.upload(data).problem(422)


def damaged(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


PNG: Final = pictures.png(CODE)
DAMAGED: Final = {
    "checksum of the header": damaged(PNG, 32),
    "checksum of the pixels": damaged(PNG, len(PNG) - 13),
    "one bit of the pixels": damaged(PNG, len(PNG) // 2),
    "cut within the pixels": PNG[: len(PNG) // 2],
    "no end": PNG[:-12],
    "too few pixels": pictures.png_of(pictures.ihdr(*CODE.shape), pictures.idat(CODE[:-4]), pictures.IEND),
    "no pixels": pictures.png_of(pictures.ihdr(*CODE.shape), pictures.IEND),
    "chunk that claims gigabytes": PNG[:33] + struct.pack(">I", 0x7FFF_FFF0) + PNG[37:],
    "jpeg, cut": JPEG[: len(JPEG) // 2],
    "jpeg, no end": JPEG[:-2],
    "webp, cut": WEBP[: len(WEBP) // 2],
    "gif, cut": encoded(".gif", in_colour(CODE))[:-400],
    "bmp, cut": encoded(".bmp", CODE)[:-400],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_row_17_damaged_files_are_refused(server: Server, name: str) -> None:
    """A file that is visibly damaged or cut short is refused, however much of it would decode."""
    assert server.upload(DAMAGED[name]).problem(422)["type"].endswith("invalid_image")


def test_row_17_damage_within_a_jpeg_goes_unnoticed(server: Server) -> None:
    """Compressed JPEG data has no checksum: the half that decodes is a picture like any other."""
    assert server.upload(JPEG[: len(JPEG) // 2] + b"\xff\xd9", query=b"?effort=fast").payloads() == []


def refused_cheaply(server: Server, data: bytes) -> None:
    server.upload(GOOD).payloads()
    before, spent = highest_memory(server), []
    for _ in range(5):
        began = time.perf_counter()
        answer = server.upload(data)
        spent.append(time.perf_counter() - began)
        assert answer.problem(422)["type"].endswith("image_too_large")
    assert min(spent) < 0.05
    assert highest_memory(server) - before < 32 << 20


def test_row_18_header_that_claims_ten_gigapixels(server: Server) -> None:
    empty = zlib.compress(b"")
    claim = pictures.png_of(pictures.ihdr(100_000, 100_000), (b"IDAT", empty), pictures.IEND)
    refused_cheaply(server, claim)


def test_row_19_valid_picture_of_400_megapixels(server: Server) -> None:
    refused_cheaply(server, pictures.uniform_png(20_000, 20_000, depth=1))


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (2, 200_000), (65_536, 3)])
def test_row_20_a_line_of_pixels(server: Server, size: tuple[int, int]) -> None:
    answer = server.upload(pictures.png(np.full(size, 128, np.uint8)))
    assert answer.payloads() == []
    assert answer.json()["image"] == {"width": size[1], "height": size[0], "orientation": 1}


@pytest.mark.parametrize("shade", [0, 255])
def test_row_21_one_pixel(server: Server, shade: int) -> None:
    assert server.upload(pictures.png(np.full((1, 1), shade, np.uint8))).payloads() == []


def test_row_22_jpeg_of_four_gigapixels(server: Server) -> None:
    refused_cheaply(server, pictures.huge_jpeg())


@pytest.mark.parametrize("scans", [1, 5_000, 200_000])
def test_row_23_thousands_of_scans(server: Server, scans: int) -> None:
    """A hundred scans are decoded, ten times what encoders write; the picture is read as it is then."""
    bomb = pictures.many_scans_jpeg(CODE, scans)
    before = used(server)
    assert server.upload(bomb).payloads() == READ
    assert used(server) - before < 2


def test_row_23_thousands_of_scans_of_a_large_picture(server: Server) -> None:
    """Each scan costs a millisecond here and a few hundred bytes."""
    bomb = pictures.many_scans_jpeg(np.full((4096, 4096), 255, np.uint8), 3_000)
    before = used(server)
    assert server.upload(bomb, query=b"?effort=fast").payloads() == []
    assert used(server) - before < 8


def test_row_24_cmyk_and_arithmetic_coding(server: Server) -> None:
    assert server.upload(pictures.cmyk_jpeg(CODE)).payloads() == READ
    assert server.upload(ARITHMETIC).payloads() == READ


def test_row_25_exif_orientations(server: Server) -> None:
    """Positions are those of the stored picture, whatever its orientation tag says, unless asked for as shown."""
    wide = np.pad(CODE, ((0, 0), (0, 100)), constant_values=255)
    jpeg = encoded(".jpg", wide)
    plain = server.upload(jpeg).json()
    height, width = wide.shape
    assert plain["image"] == {"width": width, "height": height, "orientation": 1}
    for orientation in range(1, 9):
        tagged = jpeg[:2] + pictures.exif(orientation) + jpeg[2:]
        answer = server.upload(tagged)
        assert answer.payloads() == READ
        assert answer.json()["image"] == plain["image"] | {"orientation": orientation}
        assert answer.json()["codes"][0]["position"] == plain["codes"][0]["position"]
        as_shown = server.upload(tagged, query=b"?frame=upright").json()["image"]
        assert [as_shown["width"], as_shown["height"]] == ([width, height] if orientation < 5 else [height, width])


def test_a_photograph_on_its_side_is_restored_as_viewers_show_it(server: Server) -> None:
    wide = np.full((CODE.shape[0], CODE.shape[1] + 90), 255, np.uint8)
    wide[:, : CODE.shape[1]] = CODE
    jpeg = encoded(".jpg", wide)
    tagged = jpeg[:2] + pictures.exif(6) + jpeg[2:]
    upright = np.ascontiguousarray(np.rot90(wide, -1))
    truth = server.upload(encoded(".png", upright)).json()["codes"][0]["position"]
    stored, answer = (
        server.restore(tagged, b"Accept: application/json", query=b"?view=original&frame=" + frame).json()
        for frame in (b"stored", b"upright")
    )
    height, width = upright.shape
    assert answer["image"] == {"width": width, "height": height, "orientation": 6}
    assert answer["restored"] == {"width": width, "height": height}
    assert np.abs(np.subtract(answer["codes"][0]["position"], truth)).max() < 1.5
    as_stored, as_shown = (
        cv2.imdecode(np.frombuffer(base64.b64decode(one["png_base64"]), np.uint8), cv2.IMREAD_GRAYSCALE)
        for one in (stored, answer)
    )
    assert as_stored is not None
    assert np.array_equal(as_shown, np.rot90(as_stored, -1))


def animation(suffix: str) -> bytes:
    frames = cv2.Animation()
    frames.frames = [cv2.cvtColor(frame, cv2.COLOR_GRAY2BGRA) for frame in (CODE, OTHER)]
    frames.durations = np.array([100, 100], np.int32)
    written, data = cv2.imencodeanimation(suffix, frames)
    assert written
    return data.tobytes()


@pytest.mark.parametrize(
    "data",
    [animation(".gif"), animation(".webp"), animation(".png"), pictures.apng(CODE, OTHER)],
    ids=["gif", "webp", "png", "png, by hand"],
)
def test_row_26_every_frame_of_an_animation(server: Server, data: bytes) -> None:
    answer = server.upload(data)
    assert answer.payloads() == [*READ, b"not me!"]
    assert [code["page"] for code in answer.json()["codes"]] == [0, 1]


HUGE: Final = {
    "webp, canvas": pictures.riff(pictures.vp8x(16_384, 16_384), (b"VP8L", b"\x2f" + b"\xff" * 100)),
    "webp, largest canvas": b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6,
    "webp, animated": pictures.riff(
        pictures.vp8x(16_384, 16_384, pictures.WEBP_ANIMATED),
        pictures.WEBP_ANIMATION,
        pictures.webp_frame(0, 0, CODE.shape[1], CODE.shape[0], WEBP),
    ),
    "gif": pictures.gif((65_535, 65_535), (2, 1)),
    "bmp": pictures.bmp(8)[:18] + struct.pack("<ii", 1 << 30, -(1 << 30)) + pictures.bmp(8)[26:],
}


@pytest.mark.parametrize("name", HUGE)
def test_row_26_huge_canvas(server: Server, name: str) -> None:
    refused_cheaply(server, HUGE[name])


@pytest.mark.parametrize(
    "data",
    [
        pictures.riff(
            pictures.vp8x(20, 20, pictures.WEBP_ANIMATED),
            pictures.WEBP_ANIMATION,
            pictures.webp_frame(0, 0, CODE.shape[1], CODE.shape[0], WEBP),
        ),
        pictures.riff(pictures.vp8x(20, 20), (b"VP8L", WEBP[20:])),
        pictures.gif((2, 1), (60_000, 60_000)),
    ],
    ids=["webp, animated", "webp", "gif"],
)
def test_row_26_frame_larger_than_its_canvas(server: Server, data: bytes) -> None:
    server.upload(data).problem(422)


def test_row_26_frames_without_end(server: Server) -> None:
    frame = pictures.webp_frame(0, 0, CODE.shape[1], CODE.shape[0], WEBP)
    head = pictures.vp8x(CODE.shape[1], CODE.shape[0], pictures.WEBP_ANIMATED)
    before = used(server)
    assert server.upload(pictures.riff(head, pictures.WEBP_ANIMATION, *[frame] * 10_000)).payloads() == READ
    server.upload(pictures.gif((2, 1), (2, 1), frames=100_000)).payloads()
    assert used(server) - before < 5


@pytest.mark.parametrize("suffix", [".hdr", ".ras", ".pam", ".pfm"])
def test_row_27_formats_that_are_not_accepted(server: Server, suffix: str) -> None:
    """All of them hold a readable code and are named and declared a PNG: only the content counts."""
    image: NDArray[np.generic] = CODE.astype(np.float32) / 255 if suffix in (".hdr", ".pfm") else CODE
    colour = suffix in (".hdr", ".ras")
    answer = server.upload(encoded(suffix, np.dstack([image] * 3) if colour else image))
    assert answer.problem(415)["detail"].startswith("The file is a ")


@pytest.mark.parametrize("suffix", [".tiff", ".jp2", ".pgm", ".avif"])
def test_row_27_formats_that_were_not_accepted_once(server: Server, suffix: str) -> None:
    colour = suffix == ".avif"
    assert server.upload(encoded(suffix, np.dstack([CODE] * 3) if colour else CODE)).payloads() == READ


@pytest.mark.parametrize(
    "data", [b"v/1\x01\x02\0\0\0" + bytes(500), b"8BPS\0\1" + bytes(100), b"\0\0\1\0\1\0" + bytes(99)]
)
def test_row_27_signatures_of_others(server: Server, data: bytes) -> None:
    server.upload(data).problem(415)


ENTITY: Final = b"""<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>"""
LAUGHS: Final = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">%s]><svg>&j;</svg>' % b"".join(
    b'<!ENTITY %c "%s">' % (name, b"&%c;" % (name - 1) * 10) for name in b"bcdefghij"
)


@pytest.mark.parametrize("data", [ENTITY, LAUGHS, b"\xef\xbb\xbf" + ENTITY], ids=["entity", "laughs", "with a mark"])
def test_row_28_svg(server: Server, data: bytes) -> None:
    answer = server.upload(data)
    answer.problem(415)
    assert b"root:" not in answer.body


INK: Final = 255 - CODE
DEEP: Final = CODE.astype(np.uint16) * np.uint16(257)
VARIANTS: Final = {
    "8 bits": PNG,
    "16 bits": pictures.png(DEEP, depth=16),
    "16 bits, colour": pictures.png(np.dstack([DEEP] * 3), depth=16, colour=pictures.COLOUR),
    "palette": pictures.png(CODE // 255, colour=pictures.PALETTE, before=[(b"PLTE", b"\0\0\0\xff\xff\xff")]),
    "palette of one bit": pictures.png(
        np.packbits(CODE // 255, axis=1),
        depth=1,
        colour=pictures.PALETTE,
        before=[(b"PLTE", b"\0\0\0\xff\xff\xff")],
        width=CODE.shape[1],
    ),
    "palette, transparent paper": pictures.png(
        CODE // 255, colour=pictures.PALETTE, before=[(b"PLTE", bytes(6)), (b"tRNS", b"\xff\0")]
    ),
    "grey and alpha": pictures.png(np.dstack([np.zeros_like(CODE), INK]), colour=pictures.GREY_ALPHA),
    "grey and alpha, 16 bits": pictures.png(
        np.dstack([np.zeros_like(DEEP), INK.astype(np.uint16) * np.uint16(257)]), depth=16, colour=pictures.GREY_ALPHA
    ),
    "colour and alpha": pictures.png(np.dstack([*[np.zeros_like(CODE)] * 3, INK]), colour=pictures.COLOUR_ALPHA),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_row_29_kinds_of_png(server: Server, name: str) -> None:
    assert server.upload(VARIANTS[name]).payloads() == READ


@pytest.mark.parametrize("bits", [0, 2, 15, 40, 48, 64, 255])
def test_row_30_bmp_of_odd_depth(server: Server, bits: int) -> None:
    server.upload(pictures.bmp(bits)).problem(422)


def test_row_31_archive_behind_a_picture(server: Server) -> None:
    archive = b"PK\x03\x04\x14\0\0\0\0\0" + bytes(20) + b"x" * 100_000
    assert server.upload(PNG + archive).payloads() == READ
    assert server.upload(JPEG + archive).payloads() == READ


def test_texts_that_unpack_to_gigabytes(server: Server) -> None:
    """No row of the table: each of these texts costs the decoder as much as eight megapixels."""
    text = b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(8_000_000))
    before = used(server)
    assert server.upload(pictures.png(CODE, before=[text] * 300)).payloads() == READ
    assert used(server) - before < 3
