"""Opens a file of any accepted format as a document of one or several pictures."""

import importlib
import re
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Final

from app.pipeline.files.decoding import FORMATS, decode_image, decode_page, page_bytes, page_offsets, read_header
from app.pipeline.files.documents import pdf
from app.pipeline.files.documents.animation import Animation
from app.pipeline.files.documents.document import Area, Document, Page
from app.pipeline.files.looks import other_looks
from app.pipeline.imaging import Colours, GreyImage

VIDEO_MODULE: Final = "app.pipeline.files.documents.video"
"""Needs a package that not every installation has, so it is imported by name, and only for videos."""
_VIDEO: Final = re.compile(rb".{4}(?:ftyp|moov|mdat|wide|skip|free)|\x1a\x45\xdf\xa3", re.DOTALL)
_NO_VIDEO: Final = re.compile(rb".{4}ftyp(?:jxl|JXL|crx)", re.DOTALL)


def open_file(data: bytes, *, max_pixels: int, most_frames: int, video: bool = False) -> Document:
    """Opens a file; every picture of it may have ``max_pixels`` pixels, the frames of a film all together. Videos are
    opened only with ``video``.

    Raises UnsupportedImage, InvalidImage, ImageTooLarge or EncryptedFile.
    """
    if is_pdf(data):
        return pdf.Pdf(data, max_pixels=max_pixels)
    if video and is_video(data):
        return _open_video(data, max_pixels=max_pixels, most_frames=most_frames)
    if len(page_offsets(data)) > 1 or read_header(data).frames == 1:
        return Pictures(data, max_pixels=max_pixels)
    return Animation(data, most=most_frames, max_pixels=max_pixels)


def is_pdf(data: bytes) -> bool:
    """Whether the file is a PDF and not a picture in which its mark stands."""
    return not any(kind.magic.match(data) for kind in FORMATS) and pdf.MAGIC.match(data) is not None


def is_video(data: bytes) -> bool:
    """Whether the file is an MP4, MOV or WebM, and no picture in boxes of the same kind."""
    if any(kind.magic.match(data) for kind in FORMATS) or _NO_VIDEO.match(data):
        return False
    return _VIDEO.match(data) is not None


def _open_video(data: bytes, *, max_pixels: int, most_frames: int) -> Document:
    film: Document = importlib.import_module(VIDEO_MODULE).Video(data, most=most_frames, max_pixels=max_pixels)
    return film


def first_page(data: bytes, *, max_pixels: int, video: bool = False) -> Page:
    """The first page of a file, or the first frame; of a video its sharpest. Raises as `open_file` does."""
    if video and is_video(data):
        with closing(_open_video(data, max_pixels=max_pixels, most_frames=1)) as film:
            return film.page(0)
    if not is_pdf(data):
        image = decode_image(data, max_pixels=max_pixels)
        return Page(0, image, orientation=read_header(data).orientation, looks=partial(other_looks, data))
    with closing(pdf.Pdf(data, max_pixels=max_pixels)) as document:
        return document.page(0)


def count_pixels(data: bytes, *, max_pixels: int, video: bool = False) -> int:
    """Pixels of the first page of a file, without decoding them. Raises as `open_file` does."""
    if video and is_video(data):
        width, height = importlib.import_module(VIDEO_MODULE).size(data, max_pixels=max_pixels)
        return int(width * height)
    if not is_pdf(data):
        header = read_header(data)
        return header.width * header.height
    with closing(pdf.Pdf(data, max_pixels=max_pixels)) as document:
        width, height = document.size(0)
        return width * height


class Pictures:
    """The pages of a file that holds pictures; most hold one."""

    is_film = is_cut = False

    def __init__(self, data: bytes, *, max_pixels: int) -> None:
        self._data, self._max_pixels = data, max_pixels
        self._offsets = page_offsets(data)

    @property
    def count(self) -> int:
        return len(self._offsets)

    def page(self, index: int) -> Page:
        offset = self._offsets[index]
        header, image = decode_page(self._data, offset, max_pixels=self._max_pixels)
        looks = partial(_looks_at, self._data, offset)
        return Page(index, image, dpi=header.dpi, orientation=header.orientation, looks=looks)

    def closer(self, index: int, area: Area, factor: float, *, smooth: bool) -> GreyImage | None:
        del index, area, factor, smooth
        return None

    def close(self) -> None:
        self._data = b""


def _looks_at(data: bytes, offset: int, *, colours: Colours, part: tuple[slice, slice]) -> Iterator[GreyImage]:
    yield from other_looks(page_bytes(data, offset), colours=colours, part=part)
