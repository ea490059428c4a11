"""Rows 51 to 54 of docs/bad-inputs.md: documents, tagged and boxed pictures, animations and films."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from app.pipeline.imaging import GreyImage
from tests.support import heics, tiffs
from tests.support.codes import qr_picture
from tests.support.live import pictures
from tests.support.live.servers import GOOD, Server, running
from tests.support.pdfs import PdfWriter, placed, scan_pdf
from tests.support.tiffs import TiffPage, tiff
from tests.support.videos import ENCODERS, encoded, video

pytestmark = pytest.mark.slow

CODE: Final = qr_picture("hello polarity", scale=4)
READ: Final = [b"hello polarity"]
FAST: Final = b"?effort=fast"
PDF: Final = scan_pdf([CODE], dpi=200)


def pdf_of(*sizes: tuple[float, float]) -> bytes:
    writer = PdfWriter()
    for size in sizes:
        writer.page(b"0 g 0 0 1 1 re f", size=size)
    return writer.written()


def test_row_51_encrypted(server: Server) -> None:
    keys = b"<< /Filter /Standard /V 1 /R 2 /P -44 /O <%s> /U <%s> >>" % (b"11" * 32, b"22" * 32)
    locked = PDF.replace(b"/Root 1 0 R", b"/Root 1 0 R /ID [<00> <00>] /Encrypt " + keys)
    assert server.upload(locked).problem(422)["type"].endswith("encrypted_file")


def test_row_51_broken_cross_references(server: Server) -> None:
    assert server.upload(PDF.replace(b"xref", b"fxer")).payloads() == READ
    server.upload(PDF[: len(PDF) // 3]).problem(422)


def test_row_51_ten_thousand_pages(server: Server) -> None:
    answer = server.upload(pdf_of(*[(100, 100)] * 10_000), query=FAST).json()
    assert answer["page_count"] == 10_000
    assert answer["truncated"]
    assert len(answer["pages"]) == 50 or not answer["complete"]


def test_row_51_a_page_of_200_inches(server: Server) -> None:
    (page,) = server.upload(pdf_of((14_400, 14_400)), query=FAST).json()["pages"]
    assert page["width"] * page["height"] <= 36_000_000


def test_row_51_a_picture_of_a_gigapixel(server: Server) -> None:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1024)) + packer.flush()
    writer = PdfWriter()
    head = b"/Type /XObject /Subtype /Image /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode "
    picture = writer.stream(head + b"/Width 32768 /Height 32768", packed, packed=False)
    writer.page(placed("Big", 0, 0, 500), pictures={"Big": picture})
    assert server.upload(writer.written()).problem(422)["type"].endswith("image_too_large")


def test_row_51_forms_without_end() -> None:
    """A form that draws itself twice, and so 2^28 times: the child is killed, and others go on."""
    writer = PdfWriter()
    number = len(writer.objects) + 1
    head = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /Self %d 0 R >> >>" % number
    writer.stream(head, b"/Self Do /Self Do")
    writer.page(b"/Self Do", pictures={"Self": number})
    with running(workers=1, work_seconds=1) as server:
        server.upload(writer.written()).problem(504)
        server.upload(GOOD).payloads()
        server.wait_until(lambda: server.restarts("timeout") == 1)


def changed(data: bytes, kind: bytes, offset: int, content: bytes) -> bytes:
    at = data.index(kind) + 4 + offset
    return data[:at] + content + data[at + len(content) :]


BOXES: Final = {
    "65,535 items": changed(heics.TURNED, b"iinf", 4, b"\xff\xff"),
    "a million properties": changed(heics.TURNED, b"ipma", 4, struct.pack(">I", 1_000_000)),
    "box longer than the file": changed(heics.TURNED, b"ipco", -8, struct.pack(">I", 1 << 30)),
    "100,000 boxes": heics.TURNED[:28] + struct.pack(">I4s", 8, b"free") * 100_000,
    "60,000 x 60,000": changed(heics.TURNED, b"ispe", 4, struct.pack(">II", 60_000, 60_000)),
    "size of another picture": changed(heics.TURNED, b"ispe", 4, struct.pack(">II", 900, 900)),
    "cut": heics.TURNED[:900],
}


@pytest.mark.parametrize("name", BOXES)
def test_row_52_hostile_boxes(server: Server, name: str) -> None:
    server.upload(BOXES[name]).problem(422)


@pytest.mark.parametrize("data", [heics.TURNED, heics.TRANSPARENT, heics.TEN_BITS], ids=["turned", "alpha", "deep"])
def test_row_52_pictures_lie_as_they_are_coded(server: Server, data: bytes) -> None:
    answer = server.upload(data)
    assert answer.payloads() == READ
    orientation = 5 if data == heics.TURNED else 1
    assert answer.json()["image"] == {"width": CODE.shape[1], "height": CODE.shape[0], "orientation": orientation}
    corners = np.array(answer.json()["codes"][0]["position"])
    np.testing.assert_allclose(corners, [[16, 16], [100, 16], [100, 100], [16, 100]], atol=2)
    assert answer.json()["pages"][0]["orientation"] == orientation


def test_row_53_ten_thousand_pages(server: Server) -> None:
    answer = server.upload(tiff(*[TiffPage(CODE[:9, :9])] * 10_000), query=FAST).json()
    assert answer["page_count"] == 10_000
    assert answer["truncated"]


def test_row_53_a_loop_of_directories(server: Server) -> None:
    answer = server.upload(tiff(TiffPage(CODE), TiffPage(255 - CODE), loop=True))
    assert answer.json()["page_count"] == 2
    assert answer.payloads() == READ * 2


STRIPS: Final = {
    "tile of gigabytes": {tiffs.TILE_WIDTH: 1 << 16, tiffs.TILE_HEIGHT: 1 << 16, tiffs.TILE: 8, tiffs.TILE_BYTES: 8},
    "negative size": {tiffs.STRIP_BYTES: 0xFFFF_FFFF},
    "strip beyond the end": {tiffs.STRIP: 1 << 28},
    "too large": {tiffs.WIDTH: 60_000, tiffs.HEIGHT: 60_000, tiffs.ROWS: 60_000},
}


@pytest.mark.parametrize("name", STRIPS)
def test_row_53_impossible_strips(server: Server, name: str) -> None:
    server.upload(tiff(TiffPage(CODE, tags=STRIPS[name]))).problem(422)


def test_row_53_data_that_expands(server: Server) -> None:
    bomb = tiff(TiffPage(np.zeros((7000, 7000), np.uint8), is_packed=True))
    assert len(bomb) < 49_000_000 / 900
    assert server.upload(bomb, query=FAST).payloads() == []
    larger = tiff(TiffPage(np.zeros((8000, 7000), np.uint8), is_packed=True))
    assert server.upload(larger).problem(422)["type"].endswith("image_too_large")


def test_row_53_planes_and_inks(server: Server) -> None:
    deep = np.dstack([CODE.astype(np.uint16) * 257] * 3)
    server.upload(tiff(TiffPage(deep, tiffs.RGB, tags={tiffs.PLANES: 2}))).problem(415)
    inks = np.dstack([255 - CODE] * 3 + [np.zeros_like(CODE)])
    assert server.upload(tiff(TiffPage(inks, 5))).payloads() == READ


def test_row_54_an_animation_of_ten_thousand_frames(server: Server) -> None:
    still = pictures.gif((2, 1), (2, 1), frames=10_000)
    assert server.upload(still).payloads() == []
    frames = [np.roll(CODE, number, axis=1) for number in range(60)]
    head = (pictures.ihdr(*CODE.shape[::-1]), (b"acTL", struct.pack(">II", 10_000, 0)))
    control = struct.pack(">IIIIHHBB", *CODE.shape[::-1], 0, 0, 1, 10, 0, 0)
    chunks = [(b"fcTL", struct.pack(">I", 0) + control), pictures.idat(frames[0])]
    for number, frame in enumerate(frames[1:]):
        chunks.append((b"fcTL", struct.pack(">I", 2 * number + 1) + control))
        chunks.append((b"fdAT", struct.pack(">I", 2 * number + 2) + pictures.idat(frame)[1]))
    answer = server.upload(pictures.png_of(*head, *chunks, pictures.IEND), query=FAST)
    assert answer.payloads() == READ
    assert answer.json()["truncated"]
    assert answer.json()["page_count"] == 50


def test_row_54_videos_are_named(server: Server) -> None:
    for data in (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2avc1mp41", b"\x1a\x45\xdf\xa3" + bytes(40)):
        detail = server.upload(data).problem(415)["detail"]
        assert "video. Send frames of it" in detail
        assert "QRESTORE_VIDEO=true" in detail


@pytest.fixture(scope="module")
def cinema(weights: Path) -> Iterator[Server]:
    """A service that reads videos. When all of them have been sent, none of its children has died of one."""
    with running(weights=weights, workers=1, video="true") as server:
        yield server
        for reason in ("crash", "timeout"):
            assert server.restarts(reason) == 0
        assert server.metric("qrestore_errors_total", category="internal") == 0
        assert "Traceback" not in server.log_text()


def filmed(count: int) -> list[GreyImage]:
    """Frames of a code that moves."""
    sheet = np.full((240, 320), 255, np.uint8)
    sheet[20 : 20 + len(CODE), 20 : 20 + len(CODE)] = CODE
    return [np.roll(sheet, number % 60, axis=1) for number in range(count)]


@pytest.mark.parametrize("kind", ENCODERS)
def test_row_54_videos_are_read(cinema: Server, kind: str) -> None:
    answer = cinema.upload(video(filmed(30), kind), query=FAST)
    assert answer.payloads() == READ
    page = answer.json()["codes"][0]["page"]
    assert answer.json()["pages"][page]["index"] == page
    assert 0 <= answer.json()["pages"][page]["seconds"] <= 1


def test_row_54_long_videos_are_cut(cinema: Server) -> None:
    answer = cinema.upload(video(filmed(3000), rate=120), query=FAST)
    assert answer.payloads() == READ
    assert answer.json()["truncated"]
    assert len(answer.json()["pages"]) <= 24
    hours = video(filmed(3), rate=1, times=[0, 3600, 7200])
    answer = cinema.upload(hours, query=FAST)
    assert answer.payloads() == READ
    assert answer.json()["truncated"]


def test_row_54_huge_and_broken_videos(cinema: Server) -> None:
    huge = np.full((4320, 7680), 128, np.uint8)
    assert cinema.upload(video([huge], preset="ultrafast")).problem(422)["type"].endswith("image_too_large")
    whole = video(filmed(30))
    for cut in (24, len(whole) // 2):
        cinema.upload(whole[:cut]).problem(422)
    cinema.upload(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2avc1mp41").problem(422)
    cinema.upload(b"\x1a\x45\xdf\xa3" + bytes(40)).problem(422)
    assert "coded in mpeg4" in cinema.upload(encoded(filmed(3), "mpeg4", "mp4", {})).problem(415)["detail"]


def test_row_54_a_video_without_a_key_frame(cinema: Server) -> None:
    webm = video(filmed(60), "VP9 in WebM", g="30")
    cluster = webm.index(b"\x1f\x43\xb6\x75")
    first = webm.index(b"\xa3", cluster)
    length = 200
    damaged = webm[: first + 8] + bytes(length) + webm[first + 8 + length :]
    answer = cinema.upload(damaged, query=FAST)
    assert answer.status == 200
