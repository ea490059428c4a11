"""PDF: pages as a reader shows them, rendered by PDFium.

Only what a page shows counts: nothing is extracted, so that what lies under something else, outside the crop box or on
a hidden layer stays unseen. Form fields and annotations are drawn. Scripts, actions and links never run: the build of
PDFium has no JavaScript, and nothing here triggers an action.
"""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from math import hypot
from threading import RLock
from typing import Any, Final

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from app.errors import EncryptedFile, ImageTooLarge, InvalidImage
from app.pipeline.files.documents.document import Area, Page
from app.pipeline.files.looks import project
from app.pipeline.imaging import Colours, GreyImage
from app.pipeline.projecting import COARSE_SIDE, ColourImage, find_shades

MAGIC: Final = re.compile(rb"[\s\S]{0,1019}?%PDF-")
"""The mark of a PDF, which readers accept anywhere in the first kilobyte."""

_POINTS: Final = 72.0  # an inch
_DPI: Final = 300.0
"""Resolution of pages without a scan: the modules of small printed codes, 0.25 mm, get 3 pixels."""
_LEAST_DPI: Final = 200.0
"""Scans of less than this are enlarged by a whole number, for what was drawn over them."""
_LEAST_SIDE: Final = 2000
MOST_PIXELS: Final = 36_000_000
"""Pixels of the longest side, at least, since a page may state its size in units of its own; and of a page, at most:
A4 at 600 dpi has 35 million."""
MOST_CLOSER: Final = 4_000_000
"""Most pixels of an area that is drawn finer."""
_SCAN: Final = 0.25
"""Share of the page from which a picture counts as a scan, whose pixels the rendering then follows."""
_MOST_OBJECTS: Final = 20_000
"""Objects of a page among which pictures are looked for, in the page and the forms on it."""
_DEEPEST: Final = 3
MOST_IMAGE_BYTES: Final = 150_000_000
"""Most bytes that one picture on a page may have once it is unpacked."""
_LONGEST_SIDE: Final = 32_767
_LOCK: Final = RLock()
"""PDFium may run in one thread at a time."""


class Pdf:
    """An open PDF. Raises EncryptedFile or InvalidImage where it cannot be opened."""

    is_film = is_cut = False

    def __init__(self, data: bytes, *, max_pixels: int) -> None:
        self._data, self._max_pixels = data, max_pixels
        self._most = min(max_pixels, MOST_PIXELS)
        self._pages: dict[int, tuple[Any, float, tuple[int, int]]] = {}
        with _translated():
            self._pdf = pypdfium2.PdfDocument(data)
            self._pdf.init_forms()  # before a page is loaded: else fields are not drawn
            self.count = len(self._pdf)
        if not self.count:
            raise InvalidImage("The PDF has no pages.")

    def size(self, index: int) -> tuple[int, int]:
        """Width and height in pixels at which a page is rendered. Raises as `page` does."""
        with _translated():
            return self._open(index)[2]

    def page(self, index: int) -> Page:
        with _translated():
            page, scale, size = self._open(index)
            image = self._draw(page, size, (0, 0, *size), smooth=True)
        looks = partial(_looks_at, self._data, self._max_pixels, index)
        return Page(index, image, dpi=scale * _POINTS, looks=looks)

    def colours(self, index: int, *, longest: int | None = None) -> ColourImage:
        """Renders a page as `page` does, or no longer than so many pixels, in blue, green and red (H, W, 3)."""
        with _translated():
            page, _, (width, height) = self._open(index)
            factor = 1.0 if longest is None else min(1.0, longest / max(width, height))
            size = max(1, round(factor * width)), max(1, round(factor * height))
            return self._draw(page, size, (0, 0, *size), smooth=True, form=pdfium.FPDFBitmap_BGR)

    def _open(self, index: int) -> tuple[Any, float, tuple[int, int]]:
        """A page, the pixels that a point has on it, and its size in pixels; the page before it is closed."""
        if index not in self._pages:
            for opened, _, _ in self._pages.values():
                opened.close()
            self._pages.clear()
            page = self._pdf[index]
            width, height = page.get_size()
            if not (width > 0 and height > 0):
                raise InvalidImage("The page has no area.")
            scale = self._scale(page, width, height)
            self._pages[index] = page, scale, (max(1, round(width * scale)), max(1, round(height * scale)))
        return self._pages[index]

    def closer(self, index: int, area: Area, factor: float, *, smooth: bool) -> GreyImage | None:
        with _translated():
            page, _, (width, height) = self._open(index)
        left, top, right, bottom = (round(factor * side) for side in area)
        if (right - left) * (bottom - top) > MOST_CLOSER:
            return None
        with _translated():
            size = round(factor * width), round(factor * height)
            return self._draw(page, size, (left, top, right, bottom), smooth=smooth)

    def close(self) -> None:
        with _LOCK:
            self._pdf.close()

    def _scale(self, page: Any, width: float, height: float) -> float:
        """Pixels a point at which a page of this size is rendered. Raises ImageTooLarge for a picture on it."""
        native = max((dpi for dpi, share in _pictures(page, width, height) if share >= _SCAN), default=0.0)
        dpi = _DPI
        if native:
            dpi = native * max(1, -(-_LEAST_DPI // native))
        scale = dpi / _POINTS
        if not native:
            scale = max(scale, _LEAST_SIDE / max(width, height))
        return float(min(scale, (self._most / (width * height)) ** 0.5, _LONGEST_SIDE / max(width, height)))

    def _draw(
        self,
        page: Any,
        size: tuple[int, int],
        area: Area,
        *,
        smooth: bool,
        form: int = pdfium.FPDFBitmap_Gray,
    ) -> NDArray[np.uint8]:
        """Renders the area of a page that has ``size`` pixels as a whole."""
        left, top, right, bottom = area
        bitmap = pypdfium2.PdfBitmap.new_native(right - left, bottom - top, form)
        try:
            bitmap.fill_rect((255, 255, 255, 255), 0, 0, right - left, bottom - top)
            flags = pdfium.FPDF_ANNOT | (0 if smooth else pdfium.FPDF_RENDER_NO_SMOOTHIMAGE)
            place = (-left, -top, *size, 0, flags)
            pdfium.FPDF_RenderPageBitmap(bitmap, page, *place)
            if self._pdf.formenv:
                pdfium.FPDF_FFLDraw(self._pdf.formenv, bitmap, page, *place)
            pixels = bitmap.to_numpy()
            is_grey = form == pdfium.FPDFBitmap_Gray and pixels.ndim == 3
            return np.array(pixels[:, :, 0] if is_grey else pixels, np.uint8)
        finally:
            bitmap.close()


def _looks_at(
    data: bytes, max_pixels: int, index: int, *, colours: Colours, part: tuple[slice, slice]
) -> Iterator[GreyImage]:
    """Opens the file once more: what asks may come after it was closed. A small rendering tells whether the colours
    are worth another one."""
    if colours is Colours.NONE:
        return
    with closing(Pdf(data, max_pixels=max_pixels)) as document:
        if not find_shades(document.colours(index, longest=COARSE_SIDE), colours):
            return
        picture = document.colours(index)[part]
    yield from project(picture, colours)


def _pictures(page: Any, width: float, height: float) -> Iterator[tuple[float, float]]:
    """Yields (dpi, share of the page) of the pictures on a page. Raises ImageTooLarge."""
    for number, image in enumerate(page.get_objects(max_depth=_DEEPEST)):
        if number >= _MOST_OBJECTS:
            return
        if image.type != pdfium.FPDF_PAGEOBJ_IMAGE:
            continue
        info = image.get_metadata()
        across, down = int(info.width), int(info.height)
        if across * down * max(1, int(info.bits_per_pixel)) // 8 > MOST_IMAGE_BYTES:
            raise ImageTooLarge(f"A picture in the PDF has {across} x {down} pixels, more than the service accepts.")
        a, b, c, d, _, _ = image.get_matrix().get()
        wide, high = hypot(a, b), hypot(c, d)
        if wide > 0 and high > 0:
            yield _POINTS * max(across / wide, down / high), min(1.0, wide * high / (width * height))


@contextmanager
def _translated() -> Iterator[None]:
    """Holds PDFium's lock; raises InvalidImage or EncryptedFile for its errors."""
    with _LOCK:
        try:
            yield
        except pypdfium2.PdfiumError as exc:
            if getattr(exc, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
                raise EncryptedFile from exc
            raise InvalidImage("The PDF is damaged or incomplete.") from exc
