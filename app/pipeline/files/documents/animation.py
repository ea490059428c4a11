"""Animations: the frames of GIF, WebP, APNG and AVIF, each as a viewer shows it, less repetitions."""

from collections.abc import Iterator
from hashlib import blake2b
from io import BytesIO
from struct import error as StructError
from typing import Final
from zlib import error as ZlibError

import cv2
import numpy as np
from PIL import Image

from app.errors import InvalidImage
from app.pipeline.files.decoding import decode_image, flatten, read_header
from app.pipeline.files.documents.document import Area, Page
from app.pipeline.files.format import Header, Stored
from app.pipeline.files.png import PNG, keep_animation
from app.pipeline.imaging import GreyImage

_PILLOW_ERRORS: Final = (SyntaxError, OSError, ValueError, EOFError, LookupError, StructError, ZlibError)


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
    """At most ``most`` frames, grey (H, W). OpenCV decodes them, but of an APNG Pillow: damaged ones crash OpenCV."""
    decode = _decode_apng if PNG.magic.match(data) else _decode_by_opencv
    frames = []
    for frame in decode(data, most):
        if frame.shape[:2] != (header.height, header.width):
            raise InvalidImage("The frames of the animation do not suit its size.")
        frames.append(flatten(frame, header))
    return frames


def _decode_by_opencv(data: bytes, most: int) -> Iterator[Stored]:
    try:
        read, animation = cv2.imdecodeanimation(np.frombuffer(data, np.uint8)[np.newaxis], count=most)
    except cv2.error as exc:
        raise InvalidImage from exc
    if not read:
        raise InvalidImage
    return iter(animation.frames)  # type: ignore[arg-type]


def _decode_apng(data: bytes, most: int) -> Iterator[Stored]:
    try:
        with Image.open(BytesIO(keep_animation(data)), formats=("PNG",)) as picture:
            for number in range(min(most, getattr(picture, "n_frames", 1))):
                picture.seek(number)
                yield np.asarray(cv2.cvtColor(np.asarray(picture.convert("RGBA")), cv2.COLOR_RGBA2BGRA), np.uint8)
    except (*_PILLOW_ERRORS, Image.DecompressionBombError) as exc:
        raise InvalidImage from exc


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
