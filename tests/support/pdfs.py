"""Small PDF files, composed object by object: no writer would produce most of them."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.pipeline.imaging import GreyImage


@dataclass
class PdfWriter:
    """Collects objects and writes them as a PDF. Object 1 is the catalogue, object 2 the tree of pages."""

    objects: dict[int, bytes] = field(default_factory=lambda: {1: b"", 2: b""})
    pages: list[int] = field(default_factory=list)
    catalogue: bytes = b""

    def add(self, body: bytes) -> int:
        """Adds an object; returns its number."""
        number = len(self.objects) + 1
        self.objects[number] = body
        return number

    def stream(self, entries: bytes, data: bytes, *, packed: bool = True) -> int:
        """Adds a stream with these entries in its dictionary, compressed if ``packed``."""
        data = zlib.compress(data) if packed else data
        coding = b" /Filter /FlateDecode" if packed else b""
        head = b"<< " + entries + coding + b" /Length %d >>" % len(data)
        return self.add(head + b"\nstream\n" + data + b"\nendstream")

    def picture(self, pixels: GreyImage, *, entries: bytes = b"") -> int:
        """Adds a grey picture; further entries such as /Decode or /SMask may be given."""
        height, width = pixels.shape
        kind = b"/Type /XObject /Subtype /Image /ColorSpace /DeviceGray /BitsPerComponent 8"
        return self.stream(kind + b" /Width %d /Height %d " % (width, height) + entries, pixels.tobytes())

    def stencil(self, pixels: GreyImage, *, entries: bytes = b"") -> int:
        """Adds a one-bit stencil that paints where a picture is dark."""
        height, width = pixels.shape
        kind = b"/Type /XObject /Subtype /Image /ImageMask true /BitsPerComponent 1"
        packed = np.packbits(pixels > 127, axis=1).tobytes()
        return self.stream(kind + b" /Width %d /Height %d " % (width, height) + entries, packed)

    def page(
        self,
        content: bytes,
        *,
        size: tuple[float, float] = (595, 842),
        pictures: Mapping[str, int] | None = None,
        entries: bytes = b"",
    ) -> int:
        """Adds a page of this size in points that draws ``content`` with these pictures; returns its number."""
        drawn = self.stream(b"", content)
        named = b" ".join(b"/%s %d 0 R" % (name.encode(), number) for name, number in (pictures or {}).items())
        box = b"/Type /Page /Parent 2 0 R /MediaBox [0 0 %g %g] " % size
        uses = b"/Contents %d 0 R /Resources << /XObject << %s >> >> " % (drawn, named)
        self.pages.append(self.add(b"<< " + box + uses + entries + b" >>"))
        return self.pages[-1]

    def written(self) -> bytes:
        """The file."""
        kids = b" ".join(b"%d 0 R" % number for number in self.pages)
        self.objects[1] = b"<< /Type /Catalog /Pages 2 0 R " + self.catalogue + b" >>"
        self.objects[2] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(self.pages))
        out, places = bytearray(b"%PDF-1.7\n"), []
        for number, body in sorted(self.objects.items()):
            places.append(len(out))
            out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
        table = b"".join(b"%010d 00000 n \n" % place for place in places)
        trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(places) + 1, len(out))
        return bytes(out) + b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1) + table + trailer


def placed(name: str, left: float, bottom: float, width: float, height: float | None = None) -> bytes:
    """The operators that draw a picture in a box, in points from the page's lower left corner."""
    return b"q %g 0 0 %g %g %g cm /%s Do Q\n" % (
        width,
        width if height is None else height,
        left,
        bottom,
        name.encode(),
    )


def scan_pdf(pages: Sequence[GreyImage], *, dpi: float) -> bytes:
    """A PDF of scanned pages: one picture covers each."""
    pdf = PdfWriter()
    for pixels in pages:
        height, width = (72 * side / dpi for side in pixels.shape)
        pdf.page(placed("Scan", 0, 0, width, height), size=(width, height), pictures={"Scan": pdf.picture(pixels)})
    return pdf.written()


def drawn_symbol(picture: GreyImage, left: float, bottom: float, module: float) -> bytes:
    """Operators that draw a picture of one pixel a module as one filled square a dark module, in points."""
    rows = len(picture)
    squares = (
        b"%g %g %g %g re\n" % (left + x * module, bottom + (rows - 1 - y) * module, module, module)
        for y, x in np.argwhere(picture < 128).tolist()
    )
    return b"0 g\n" + b"".join(squares) + b"f\n"
