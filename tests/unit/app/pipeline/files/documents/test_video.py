"""Videos: the sharpest frames of the first ten seconds, within bounds, whatever the file claims."""

import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from app.pipeline.files.documents import video as decoder
from app.pipeline.files.documents.opening import count_pixels, first_page, is_video, open_file
from app.pipeline.files.documents.video import MOST_KEPT, Video
from app.pipeline.imaging import GreyImage
from tests.support.codes import qr_picture
from tests.support.videos import ENCODERS, encoded, grown, sound, video

BIG = 50_000_000
CODE = qr_picture("film", scale=3)


def frame(number: int, *, side: int = 96) -> GreyImage:
    """A picture unlike those of other numbers: a bar that moves by two pixels a frame, right around a field of dots."""
    picture = np.full((side, 128), 200, np.uint8)
    picture[8:40, 8:40] = np.kron(np.random.default_rng(1).integers(0, 2, (8, 8)) * 200, np.ones((4, 4))).astype(
        np.uint8
    )
    picture[48:, 2 * number % 128 : 2 * number % 128 + 12] = 20
    return picture


def opened(data: bytes, *, most: int = 50, max_pixels: int = BIG) -> Video:
    return Video(data, most=most, max_pixels=max_pixels)


def seconds(film: Video) -> list[float]:
    """When the kept frames are shown."""
    return [film.page(index).seconds or 0.0 for index in range(film.count)]


@pytest.mark.parametrize("kind", ENCODERS)
def test_every_codec(kind: str) -> None:
    frames = [frame(number) for number in range(12)]
    film = opened(video(frames, kind))
    assert film.is_film
    assert not film.is_cut
    assert film.count == 12
    assert seconds(film) == pytest.approx([number / 30 for number in range(12)], abs=0.002)
    for number in range(12):
        page = film.page(number)
        assert page.index == number
        assert page.orientation == 1
        assert np.abs(page.image.astype(int) - frames[number]).mean() < 4


def test_ten_bits_and_full_colour() -> None:
    for pixels in ("yuv420p10le", "yuv444p"):
        (image,) = (opened(video([frame(3)], pixels=pixels)).page(0).image,)
        assert np.abs(image.astype(int) - frame(3)).mean() < 4


@pytest.mark.parametrize(("turned", "orientation"), [(90, 8), (180, 3), (270, 6)])
def test_frames_are_as_stored_and_say_how_viewers_turn_them(turned: int, orientation: int) -> None:
    page = opened(video([frame(1)], turned=turned)).page(0)
    assert page.image.shape == (96, 128)
    assert page.orientation == orientation


def test_a_short_view_keeps_a_frame() -> None:
    """Of ten seconds, a code is in view for a third of one, between key frames, and less sharp than what is around."""
    frames = [frame(number) for number in range(300)]
    for number in range(141, 151):
        frames[number][4 : 4 + 87, 20 : 20 + 87] = cv2.GaussianBlur(CODE[:87, :87], (0, 0), 3)
    film = opened(video(frames, g="300"))
    assert film.count == MOST_KEPT
    assert any(141 <= round(30 * at) < 151 for at in seconds(film))


def test_frames_are_spread_over_the_time() -> None:
    at = seconds(opened(video([frame(number) for number in range(300)])))
    assert max(np.diff([0, *at, 10])) < 1.5


def test_the_sharpest_of_neighbours_is_kept() -> None:
    frames = [cv2.GaussianBlur(frame(number), (0, 0), 1 if number % 10 == 4 else 4) for number in range(100)]
    film = opened(video(frames, crf="10"), most=10)
    sharp = [round(30 * at) % 10 == 4 for at in seconds(film)]
    assert film.count == 10
    assert sum(sharp) >= 6
    shown = first_page(video(frames, crf="10"), max_pixels=BIG, video=True).seconds
    assert shown is not None
    assert round(30 * shown) % 10 == 4


def test_frames_without_news_count_once() -> None:
    film = opened(video([frame(1)] * 30 + [frame(20)] * 30))
    assert film.count <= 4
    assert not film.is_cut


def test_bounds() -> None:
    data = video([frame(number) for number in range(40)])
    assert opened(data, most=5).count == 5
    assert opened(data, max_pixels=3 * 96 * 128).count == 3
    with pytest.raises(ImageTooLarge, match="128 x 96"):
        opened(data, max_pixels=96 * 128 - 1)
    assert count_pixels(data, max_pixels=BIG, video=True) == 96 * 128


def test_ten_seconds() -> None:
    film = opened(video([frame(number) for number in range(130)], rate=10))
    assert film.is_cut
    assert max(seconds(film)) <= 10
    assert not opened(video([frame(number) for number in range(99)], rate=10)).is_cut


def test_hours_between_two_frames() -> None:
    film = opened(video([frame(1), frame(9)], rate=10, times=[0, 10 * 3600 * 5]))
    assert 1 <= film.count <= 2


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = video([frame(number) for number in range(40)])
    monkeypatch.setattr(decoder, "_MOST_PIXELS_DECODED", 10 * 96 * 128)
    film = opened(data)
    assert (film.count, film.is_cut) == (10, True)
    monkeypatch.setattr(decoder, "_MOST_WORK", 0.0)
    with pytest.raises(InvalidImage):
        opened(data)


@pytest.mark.parametrize("bits", [8, 10])
def test_frames_of_8k_are_refused_before_they_are_decoded(bits: int) -> None:
    huge = np.full((4320, 7680), 128, np.uint8)
    data = video([huge], pixels="yuv420p" if bits == 8 else "yuv420p10le", preset="ultrafast")
    with pytest.raises(ImageTooLarge, match="7680 x 4320"):
        opened(data)


def test_a_container_that_understates_the_size() -> None:
    """What the codec says counts: frames of more pixels than were accepted are not decoded."""
    data = bytearray(video([np.full((1080, 1920), 90, np.uint8)], preset="ultrafast"))
    entry = data.index(b"avc1", data.index(b"stsd")) + 28  # width and height in the sample's description
    assert data[entry : entry + 4] == b"\x07\x80\x04\x38"
    data[entry : entry + 4] = b"\x00\x40\x00\x40"
    assert opened(bytes(data)).page(0).image.shape == (1080, 1920)
    with pytest.raises(ImageTooLarge):
        opened(bytes(data), max_pixels=1_000_000)


def test_frames_that_grow_are_not_decoded() -> None:
    small, large = [frame(number) for number in range(3)], [np.full((1080, 1920), 90, np.uint8)] * 3
    data = grown([small, large])
    assert opened(data).is_cut  # decoded, but no part of a film of other frames
    film = opened(data, max_pixels=1_000_000)
    assert (film.count, film.is_cut) == (3, False)


def test_a_video_that_begins_without_a_key_frame() -> None:
    whole = video([frame(number) for number in range(40)], "VP9 in WebM", g="20")
    first = whole.index(b"\xa3", whole.index(b"\x1f\x43\xb6\x75"))  # the first block of the first cluster
    damaged = whole[: first + 8] + bytes(200) + whole[first + 208 :]
    assert 0 < opened(damaged).count <= MOST_KEPT


@pytest.mark.parametrize("kind", ENCODERS)
def test_damaged_files(kind: str) -> None:
    data = video([frame(number) for number in range(12)], kind)
    rng = np.random.default_rng(3)
    for cut in (12, 40, len(data) // 3, len(data) - 9):
        _opens_or_is_refused(data[:cut])
    for _ in range(40):
        broken = np.frombuffer(data, np.uint8).copy()
        at = rng.integers(32, len(broken), 20)
        broken[at] = rng.integers(0, 256, 20)
        _opens_or_is_refused(broken.tobytes())


def _opens_or_is_refused(data: bytes) -> None:
    try:
        film = open_file(data, max_pixels=BIG, most_frames=8, video=True)
    except (InvalidImage, UnsupportedImage):
        return
    assert 1 <= film.count <= 8


def test_codecs_and_files_that_are_not_read() -> None:
    with pytest.raises(UnsupportedImage, match=r"coded in mpeg4, which is not supported\. Save it with H\.264"):
        opened(encoded([frame(1)], "mpeg4", "mp4", {}))
    with pytest.raises(InvalidImage, match="no video in it"):
        opened(sound())


def test_videos_are_read_only_where_it_is_asked_for() -> None:
    for kind in ENCODERS:
        data = video([frame(number) for number in range(4)], kind)
        assert is_video(data)
        with pytest.raises(UnsupportedImage, match=r"video.*QRESTORE_VIDEO=true"):
            open_file(data, max_pixels=BIG, most_frames=8)
    for other in (
        b"\0\0\0\x18ftypheic",
        b"\0\0\0\x18ftypavif",
        b"\0\0\0\x18ftypcrx ",
        b"\x89PNG\r\n\x1a\n",
        b"%PDF-1.7",
    ):
        assert not is_video(other)
    with pytest.raises(UnsupportedImage, match=r"an AVI video\. Send frames of it"):
        open_file(b"RIFF\0\0\0\0AVI LIST", max_pixels=BIG, most_frames=8, video=True)


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system does not say")
@pytest.mark.parametrize("kind", ENCODERS)
def test_encoding_leaves_the_priority_of_the_tests_as_it_is(kind: str) -> None:
    before = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    video([frame(number) for number in range(3)], kind)
    assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == before


def test_decoding_starts_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's bounds on memory leave no room for the stacks and the frames of a thread on every processor."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("other systems do not say")
    data = {kind: video([frame(number) for number in range(30)], kind) for kind in ENCODERS}

    def tasks() -> int:
        return int(status.read_text().partition("Threads:")[2].split()[0])

    before, most, threads = tasks(), 0, threading.active_count()
    decode = decoder._stretch

    def counted(image: GreyImage, at: float) -> decoder._Stretch:
        nonlocal most
        most = max(most, tasks())
        return decode(image, at)

    monkeypatch.setattr(decoder, "_stretch", counted)
    for kind in ENCODERS:
        opened(data[kind])
    assert 0 < most <= before
    assert threading.active_count() == threads
