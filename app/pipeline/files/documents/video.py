"""Short videos: MP4, MOV and WebM, decoded by the libraries of FFmpeg in the package PyAV (the extra ``video``).

A video is a film of at most `MOST_KEPT` frames of its first ten seconds: the sharpest one of each stretch of time. All
frames are decoded for that, not the key frames alone, because a code may be in view for a third of a second. The
stretches are not of one length. They begin as single frames, and while there are too many, the two neighbours are
joined whose pictures differ least for their time; so a short view keeps a frame of its own.

FFmpeg sees one container and five codecs, not what it would guess from the bytes. It runs in the calling thread, opens
no other file and no address, and refuses frames of more pixels than were accepted, whatever the container said.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from time import monotonic
from typing import Any, Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from app.pipeline.files.documents.document import Area, Page
from app.pipeline.imaging import GreyImage

MOST_SECONDS: Final = 10.0
"""Length of a video that is looked at, from its first frame on."""
MOST_KEPT: Final = 24
"""Most frames that are kept to be read."""
MOST_FRAME_PIXELS: Final = 4096 * 2304
MOST_FRAME_BYTES: Final = 3 * MOST_FRAME_PIXELS
"""Most pixels and bytes of a decoded frame: 4K with 10 bits. A decoder of H.264 may hold more than 17 of them."""
_MOST_PIXELS_DECODED: Final = 1_250_000_000
"""Pixels of all frames together after which decoding ends: ten seconds of 1920 x 1080 at 60 frames a second."""
_MOST_FRAMES: Final = 2400
_MOST_WORK: Final = 6.0  # seconds after which decoding ends: the rest of the deadline is for reading
_CODECS: Final = {"h264": "h264", "hevc": "hevc", "vp8": "vp8", "vp9": "vp9", "av1": "libdav1d"}
"""The decoder of each codec that is read."""
_WORST_BITS: Final = 48  # of a pixel whose format the container does not tell
_OPTIONS: Final = {
    "codec_whitelist": ",".join(_CODECS.values()),
    "protocol_whitelist": "none",  # references to other files lead nowhere
    "max_streams": "32",
    "max_pixels": str(MOST_FRAME_PIXELS),  # also while the container is opened
    "probesize": "2000000",
    "analyzeduration": "2000000",
}
_ORIENTATIONS: Final = {0: 1, 90: 8, 180: 3, 270: 6}
"""EXIF's number for pictures that viewers turn by so many degrees anticlockwise."""
_THUMBNAIL: Final = (32, 18)
_LEAST_CHANGE: Final = 0.5  # grey levels between frames that count as equal
_SAME: Final = 0.1  # mean difference in grey levels up to which a frame says nothing new


@dataclass(frozen=True, slots=True, eq=False)
class _Stretch:
    """Neighbouring frames by their sharpest: its grey ``image`` (H, W), a ``thumbnail`` of it, when it is shown, its
    sharpness, and how many frames there are.

    The sharpness is that of the sharpest part: a code in focus has more edges than most that is around it.
    """

    image: GreyImage
    thumbnail: NDArray[np.float32]
    seconds: float
    sharpness: float
    frames: int = 1

    def joined(self, following: "_Stretch") -> "_Stretch":
        sharper = max(self, following, key=lambda one: one.sharpness)
        return replace(sharper, frames=self.frames + following.frames)


class Video:
    """The frames that are kept of a video, at most ``most`` of them, and ``max_pixels`` pixels in all of them together.

    Raises InvalidImage, ImageTooLarge, and UnsupportedImage for other codecs.
    """

    is_film = True

    def __init__(self, data: bytes, *, most: int, max_pixels: int) -> None:
        with _translated(), _open(data) as container:
            stream = _stream(container)
            context = stream.codec_context
            pixels = _limit(context, max_pixels)
            context.thread_count = 1  # the child's limit on memory knows no stacks of threads
            context.options = {"max_pixels": str(pixels)}
            self._frames, self.is_cut, rotation = _sample(container, stream, most=most, max_pixels=max_pixels)
        if not self._frames:
            raise InvalidImage("The video is damaged or incomplete.")
        self._orientation = _ORIENTATIONS.get(rotation % 360, 1)

    @property
    def count(self) -> int:
        return len(self._frames)

    def page(self, index: int) -> Page:
        frame = self._frames[index]
        return Page(index, frame.image, orientation=self._orientation, seconds=frame.seconds)

    def closer(self, index: int, area: Area, factor: float, *, smooth: bool) -> GreyImage | None:
        del index, area, factor, smooth
        return None

    def close(self) -> None:
        self._frames.clear()


def size(data: bytes, *, max_pixels: int) -> tuple[int, int]:
    """Width and height in pixels as the container tells them. Raises as `Video` does."""
    with _translated(), _open(data) as container:
        context = _stream(container).codec_context
        _limit(context, max_pixels)
        return int(context.width), int(context.height)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, MemoryError, OverflowError, ValueError) as exc:
        raise InvalidImage("The video is damaged or incomplete.") from exc


def _open(data: bytes) -> Any:
    container = "matroska" if data.startswith(b"\x1a\x45\xdf\xa3") else "mov"
    return av.open(BytesIO(data), format=container, options=_OPTIONS, metadata_errors="ignore")


def _stream(container: Any) -> Any:
    """The first video in a container that can be read; a cover picture is none. Raises InvalidImage and
    UnsupportedImage."""
    names = [stream.codec_context.codec.canonical_name for stream in container.streams.video if stream.codec_context]
    for stream, name in zip(filter(lambda one: one.codec_context, container.streams.video), names, strict=True):
        if name in _CODECS:
            return stream
    if names:
        raise UnsupportedImage(
            f"The video is coded in {names[0]}, which is not supported. Save it with H.264, HEVC, VP8, VP9 or AV1."
        )
    raise InvalidImage("The file has no video in it that could be read.")


def _limit(context: Any, max_pixels: int) -> int:
    """Most pixels that a frame may have. Raises InvalidImage, and ImageTooLarge if the container says that there are
    more."""
    bits = context.format.padded_bits_per_pixel if context.format else _WORST_BITS
    most = min(max_pixels, MOST_FRAME_PIXELS, 8 * MOST_FRAME_BYTES // max(1, bits))
    if context.width < 1 or context.height < 1:
        raise InvalidImage("The video does not tell its size.")
    if context.width * context.height > most:
        raise ImageTooLarge(
            f"The video is {context.width} x {context.height} pixels; at most {most} pixels are accepted."
        )
    return most


def _sample(container: Any, stream: Any, *, most: int, max_pixels: int) -> tuple[list[_Stretch], bool, int]:
    """The frames to keep, whether there are others after the part that is looked at, and by how many degrees
    anticlockwise viewers turn them."""
    kept: list[_Stretch] = []
    rotation, first, shown, decoded, began = 0, 0.0, 0, 0, monotonic()
    frames = _decode(container, stream)
    for frame in frames:
        if monotonic() - began > _MOST_WORK:
            return kept, True, rotation
        if frame is None:
            continue
        image = np.ascontiguousarray(frame.reformat(format="gray", threads=1).to_ndarray(), np.uint8)
        seconds = float(shown if frame.time is None else frame.time)
        if not kept:
            first, rotation = seconds, int(frame.rotation)
        elif image.shape != kept[0].image.shape:
            return kept, True, rotation
        shown, decoded = shown + 1, decoded + image.size
        kept.append(_stretch(image, max(0.0, seconds - first)))
        _thin(kept, max(1, min(most, MOST_KEPT, max_pixels // image.size)))
        is_enough = shown >= _MOST_FRAMES or decoded + image.size > _MOST_PIXELS_DECODED
        if is_enough or seconds - first >= MOST_SECONDS:
            return kept, next(frames, None) is not None, rotation
    return kept, False, rotation


def _decode(container: Any, stream: Any) -> Iterator[Any]:
    """The frames of a stream in the order in which they are shown, None in place of those that are damaged."""
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as exc:
            if isinstance(exc, MemoryError):
                raise
            frames = [None]
        yield from frames or (None,)


def _stretch(image: GreyImage, seconds: float) -> _Stretch:
    thumbnail = cv2.resize(image, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
    edges = cv2.convertScaleAbs(cv2.Laplacian(image, cv2.CV_16S))
    sharpness = float(cv2.resize(edges, _THUMBNAIL, interpolation=cv2.INTER_AREA).max())
    return _Stretch(image, np.asarray(thumbnail, np.float32), seconds, sharpness)


def _thin(kept: list[_Stretch], room: int) -> None:
    """Joins the last frame to the one before it if it says nothing new, or the two neighbours that lose least where
    there are more than there is ``room`` for."""
    at = None
    if len(kept) > 1 and cv2.norm(kept[-2].image, kept[-1].image, cv2.NORM_L1) <= _SAME * kept[-1].image.size:
        at = len(kept) - 2
    elif len(kept) > room:
        losses = [_loss(one, following) for one, following in pairwise(kept)]
        at = int(np.argmin(losses))
    if at is not None:
        kept[at : at + 2] = [kept[at].joined(kept[at + 1])]


def _loss(one: _Stretch, following: _Stretch) -> float:
    """What is lost if these neighbours are joined: how much their pictures differ, by the frames in both."""
    change = float(np.sqrt(np.square(one.thumbnail - following.thumbnail).mean()))
    return (_LEAST_CHANGE + change) * (one.frames + following.frames)
