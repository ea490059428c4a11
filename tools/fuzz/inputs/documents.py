"""Valid files that are not split into pieces: pictures in tagged and boxed formats, and files of several pages."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.support import heics
from tests.support.pdfs import PdfWriter, drawn_symbol, placed, scan_pdf
from tests.support.tiffs import WHITE_IS_ZERO, TiffPage, tiff
from tools.fuzz.inputs.seeds import CODE, saved


def _by_opencv(suffix: str, samples: NDArray[np.generic]) -> bytes:
    return cv2.imencode(suffix, samples)[1].tobytes()


def pictures_without_pieces() -> dict[str, bytes]:
    """File name -> content; every one decodes."""
    grey, colour = Image.fromarray(CODE), Image.fromarray(np.dstack([CODE] * 3))
    deep = CODE.astype(np.uint16) * 257
    height, width = CODE.shape
    return {
        "lzw.tiff": saved(grey, "TIFF", compression="tiff_lzw"),
        "fax-3.tiff": saved(grey.convert("1"), "TIFF", compression="group3"),
        "fax-4.tiff": saved(grey.convert("1"), "TIFF", compression="group4"),
        "jpeg.tiff": saved(colour, "TIFF", compression="jpeg"),
        "palette.tiff": saved(colour.convert("P"), "TIFF", compression="packbits"),
        "cmyk.tiff": saved(colour.convert("CMYK"), "TIFF"),
        "tiles-16.tiff": tiff(TiffPage(deep, WHITE_IS_ZERO, tile=32, is_packed=True)),
        "big.tiff": tiff(TiffPage(CODE), order=">", big=True),
        "turned.heic": heics.TURNED,
        "transparent.heic": heics.TRANSPARENT,
        "deep.heic": heics.TEN_BITS,
        "colour.avif": saved(colour, "AVIF"),
        "alpha.avif": saved(colour.convert("RGBA"), "AVIF"),
        "grey.jp2": _by_opencv(".jp2", CODE),
        "deep.jp2": _by_opencv(".jp2", deep),
        "tiles.j2k": saved(colour, "JPEG2000", no_jp2=True, tile_size=(32, 32)),
        "text.pgm": b"P2 %d %d 255\n" % (width, height) + b" ".join(b"%d" % value for value in CODE.ravel()),
        "bits.pbm": b"P4\n# words\n%d %d\n" % (width, height) + np.packbits(CODE < 128, axis=1).tobytes(),
        "deep.ppm": b"P6 %d %d 4095\n" % (width, height) + np.dstack([CODE] * 3).astype(">u2").tobytes(),
    }


def paged_files() -> dict[str, bytes]:
    """File name -> content; every page decodes."""
    grey, other = Image.fromarray(CODE), Image.fromarray(255 - CODE)
    forms = PdfWriter()
    picture = forms.picture(CODE)
    head = b"/Type /XObject /Subtype /Form /BBox [0 0 100 100] /Resources << /XObject << /Code %d 0 R >> >>"
    look = forms.stream(head % picture, placed("Code", 0, 0, 100))
    stamp = forms.add(b"<< /Type /Annot /Subtype /Stamp /Rect [50 50 150 150] /F 4 /AP << /N %d 0 R >> >>" % look)
    drawing = placed("Code", 10, 10, 50) + drawn_symbol(CODE[::2, ::2], 100, 100, 2)
    forms.page(drawing, size=(200, 200), pictures={"Code": picture}, entries=b"/Annots [%d 0 R] /Rotate 90" % stamp)
    return {
        "pages.tiff": saved(grey, "TIFF", save_all=True, append_images=[other, grey], compression="tiff_lzw"),
        "loop.tiff": tiff(TiffPage(CODE), TiffPage(255 - CODE), loop=True),
        "scans.pdf": scan_pdf([CODE, 255 - CODE], dpi=300),
        "forms.pdf": forms.written(),
        "animated.avif": saved(grey.convert("RGB"), "AVIF", save_all=True, append_images=[other.convert("RGB")]),
    }
