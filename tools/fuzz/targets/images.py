"""The image reader, on the bytes of a file."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import cv2
import numpy as np

from app.errors import RequestError
from app.pipeline.files.decoding import decode_image, read_header
from app.pipeline.files.documents.opening import open_file
from app.pipeline.imaging import GreyImage

MAX_PIXELS = 1 << 16
MOST_PAGES = 3
_M_PERTURB = -6  # malloc.h
_LIBC = ctypes.CDLL(None)

cv2.setNumThreads(1)


class Wrong(AssertionError):
    """A result breaks a promise."""


def images(data: bytes) -> str:
    """Decodes twice over differently filled memory: a RequestError, or the same grey pixels both times.

    Pixels that depend on earlier memory contents would show one client what another one had sent.
    """
    first = _image(data, perturbation=0x5A)
    if isinstance(first, str):
        return first
    second = _image(data, perturbation=0xC3)
    if isinstance(second, str) or not np.array_equal(first, second):
        raise Wrong("the pixels depend on earlier memory contents")
    return "decoded"


def _image(data: bytes, *, perturbation: int) -> GreyImage | str:
    with _filled_memory(perturbation):
        try:
            header = read_header(data)
        except RequestError as exc:
            header, refusal = None, exc
        try:
            image = decode_image(data, max_pixels=MAX_PIXELS)
        except RequestError as exc:
            return f"refused {exc.category}"
    if header is None:
        raise Wrong(f"decoded although its header is refused: {refusal!r}")
    _check(image)
    if image.shape != (header.height, header.width):
        raise Wrong(f"pixels of shape {image.shape}, but the header says {header.width} x {header.height}")
    return image


def documents(data: bytes) -> str:
    """Opens a file, decodes its first pages and draws a part finer: grey pixels within bounds, or a RequestError."""
    try:
        with closing(open_file(data, max_pixels=MAX_PIXELS, most_frames=MOST_PAGES)) as document:
            for index in range(min(document.count, MOST_PAGES)):
                _check(document.page(index).image)
                closer = document.closer(index, (0, 0, 8, 8), 4.0, smooth=False)
                if closer is not None:
                    _check(closer)
    except RequestError as exc:
        return f"refused {exc.category}"
    return f"decoded {type(document).__name__}"


def videos(data: bytes) -> str:
    """Opens a video, and if it has frames once more over memory that is filled: a RequestError, or the same frames
    both times. What is refused is not opened over filled memory, which would count what is reserved as used."""
    first = _film(data, perturbation=0)
    if isinstance(first, str):
        return first
    second = _film(data, perturbation=0xC3)
    if isinstance(second, str) or len(second) != len(first) or not all(map(np.array_equal, first, second)):
        raise Wrong("the frames depend on earlier memory contents")
    return f"decoded {len(first)}"


def _film(data: bytes, *, perturbation: int) -> list[GreyImage] | str:
    with _filled_memory(perturbation):
        try:
            with closing(open_file(data, max_pixels=MAX_PIXELS, most_frames=MOST_PAGES, video=True)) as film:
                images = [film.page(index).image for index in range(film.count)]
        except RequestError as exc:
            return f"refused {exc.category}"
    for image in images:
        _check(image)
    return images


def _check(image: GreyImage) -> None:
    if image.dtype != np.uint8 or image.ndim != 2 or not 0 < image.size <= MAX_PIXELS:
        raise Wrong(f"{image.dtype} pixels of shape {image.shape}")


@contextmanager
def _filled_memory(value: int) -> Iterator[None]:
    """Makes glibc fill the memory that it allocates with a byte; does nothing elsewhere."""
    _perturb(value)
    try:
        yield
    finally:
        _perturb(0)


def _perturb(value: int) -> None:
    if sys.platform == "linux" and hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_M_PERTURB, value)
