"""Which files are documents of several pictures, and what their first picture is."""

import numpy as np
import pytest

from app.errors import InvalidImage, UnsupportedImage
from app.pipeline.files.documents.animation import Animation
from app.pipeline.files.documents.opening import Pictures, count_pixels, first_page, open_file
from app.pipeline.files.documents.pdf import Pdf
from app.pipeline.files.png import encode_png
from tests.support.live import pictures
from tests.support.pdfs import scan_pdf
from tests.support.tiffs import TiffPage, tiff

SHADES = [np.full((40, 60), level, np.uint8) for level in (10, 20, 30)]
FILES = {
    "png": (encode_png(SHADES[0]), Pictures, 1),
    "tiff": (tiff(*map(TiffPage, SHADES)), Pictures, 3),
    "apng": (pictures.apng(SHADES[0], SHADES[1]), Animation, 2),
    "pdf": (scan_pdf(SHADES, dpi=300), Pdf, 3),
    "pdf after junk": (b"junk\r\n" * 50 + scan_pdf(SHADES[:1], dpi=300), Pdf, 1),
    "picture with the mark of a PDF": (encode_png(SHADES[0]) + b"%PDF-1.7", Pictures, 1),
}


@pytest.mark.parametrize("name", FILES)
def test_kinds_of_documents(name: str) -> None:
    data, kind, count = FILES[name]
    document = open_file(data, max_pixels=1_000_000, most_frames=9)
    assert isinstance(document, kind)
    assert document.count == count
    assert document.page(0).image.min() == 10
    document.close()
    assert first_page(data, max_pixels=1_000_000).image.min() == 10
    assert count_pixels(data, max_pixels=1_000_000) == document_pixels(data)


def document_pixels(data: bytes) -> int:
    return first_page(data, max_pixels=1_000_000).image.size


def test_no_document() -> None:
    with pytest.raises(InvalidImage, match="empty"):
        open_file(b"", max_pixels=100, most_frames=9)
    for cut in (b"II*\0", b"MM\0*\0\0\0\x08", b"GIF89a", b"\0\0\0\x18ftypheic"):
        with pytest.raises(InvalidImage):
            open_file(cut, max_pixels=100, most_frames=9)
    with pytest.raises(UnsupportedImage, match="a ZIP archive"):
        open_file(b"PK\3\4" + bytes(50), max_pixels=100, most_frames=9)
