"""Animations: the frames of GIF, WebP, APNG and AVIF, each as a viewer shows it, less repetitions."""

from hashlib import blake2b

import cv2
import numpy as np

from app.errors import ImageTooLarge, InvalidImage
from app.pipeline.files.decoding import decode_image, flatten, read_header
from app.pipeline.files.documents.document import Area, Page
from app.pipeline.files.format import Header, Stored
from app.pipeline.imaging import GreyImage


class Animation:
    """The frames of an animation, at most ``most`` of them, and ``max_pixels`` pixels in all of them together.

    A picture that comes back counts once.
    """

    is_film = True

    def __init__(self, data: bytes, *, most: int, max_pixels: int) -> None:
        header = read_header(data)
        first = decode_image(data, max_pixels=max_pixels)
        room = max(1, min(most, max_pixels // first.size - 1))
        frames = _decode_frames(data, header, room + 1)  # one more tells whether there are more
        self._pages = _distinct(first, frames[:room])
        self._header = header
        self.is_cut = len(frames) > room

    @property
    def count(self) -> int:
        return len(self._pages)

    def page(self, index: int) -> Page:
        position, image = self._pages[index]
        return Page(position, image, dpi=self._header.dpi, orientation=self._header.orientation)

    def closer(self, index: int, area: Area, factor: float, *, smooth: bool) -> GreyImage | None:
        del index, area, factor, smooth
        return None

    def close(self) -> None:
        self._pages.clear()


def _decode_frames(data: bytes, header: Header, most: int) -> list[GreyImage]:
    """At most ``most`` frames, grey (H, W)."""
    try:
        read, animation = cv2.imdecodeanimation(np.frombuffer(data, np.uint8)[np.newaxis], count=most)
    except cv2.error as exc:
        raise InvalidImage from exc
    if not read:
        raise InvalidImage
    frames: list[Stored] = list(animation.frames)  # type: ignore[arg-type]
    if any(frame.shape[:2] != (header.height, header.width) for frame in frames):
        raise ImageTooLarge("The frames of the animation do not suit its size.")
    return [flatten(frame, header) for frame in frames]


def _distinct(first: GreyImage, frames: list[GreyImage]) -> list[tuple[int, GreyImage]]:
    """Each picture with its number, counted from 0, the still picture in front unless it is the first frame."""
    if not frames or not np.array_equal(first, frames[0]):
        frames = [first, *frames]
    seen: set[bytes] = set()
    kept = []
    for number, frame in enumerate(frames):
        mark = blake2b(frame.tobytes(), digest_size=16).digest()
        if mark not in seen:
            seen.add(mark)
            kept.append((number, frame))
    return kept
