"""PDF: what a page shows is read, what it hides is not, and nothing in it runs or grows without bound."""

import zlib

import numpy as np
import pytest

from app.errors import EncryptedFile, ImageTooLarge, InvalidImage
from app.pipeline.engines.zxing import ZXing
from app.pipeline.files.documents.pdf import MOST_CLOSER, MOST_PIXELS, Pdf
from app.pipeline.imaging import GreyImage
from tests.support.codes import qr_picture
from tests.support.pdfs import PdfWriter, drawn_symbol, placed, scan_pdf
from tests.support.timing import least_seconds

MOST = 50_000_000
CODE = qr_picture("shown", scale=4)
HERE = placed("Code", 100, 100, 100)


def opened(data: bytes) -> Pdf:
    return Pdf(data, max_pixels=MOST)


def texts(image: GreyImage) -> list[str]:
    return [symbol.text for symbol in ZXing().read(image)]


def read(writer: PdfWriter) -> list[str]:
    """The codes of the first page, as rendered."""
    document = opened(writer.written())
    try:
        return texts(document.page(0).image)
    finally:
        document.close()


def with_picture(entries: bytes = b"", pixels: GreyImage = CODE) -> PdfWriter:
    writer = PdfWriter()
    writer.page(HERE, pictures={"Code": writer.picture(pixels, entries=entries)})
    return writer


def with_stencil() -> PdfWriter:
    writer = PdfWriter()
    writer.page(HERE, pictures={"Code": writer.stencil(CODE)})
    return writer


def with_soft_mask() -> PdfWriter:
    """All of the code is in the mask: the picture itself is black."""
    writer = PdfWriter()
    mask = writer.picture(255 - CODE)
    picture = writer.picture(np.zeros_like(CODE), entries=b"/SMask %d 0 R" % mask)
    writer.page(HERE, pictures={"Code": picture})
    return writer


def with_squares(module: float) -> PdfWriter:
    writer = PdfWriter()
    writer.page(drawn_symbol(qr_picture("shown", scale=1), 100, 100, module))
    return writer


def with_form(writer: PdfWriter) -> int:
    """A form, which draws the code, for annotations and fields."""
    head = b"/Type /XObject /Subtype /Form /BBox [0 0 100 100] /Resources << /XObject << /Code %d 0 R >> >>"
    return writer.stream(head % writer.picture(CODE), placed("Code", 0, 0, 100))


def with_stamp() -> PdfWriter:
    writer = PdfWriter()
    stamp = b"<< /Type /Annot /Subtype /Stamp /Rect [100 100 200 200] /F 4 /AP << /N %d 0 R >> >>" % with_form(writer)
    writer.page(b"", entries=b"/Annots [%d 0 R]" % writer.add(stamp))
    return writer


def with_field() -> PdfWriter:
    writer = PdfWriter()
    look = b"/Rect [100 100 200 200] /F 4 /AP << /N %d 0 R >>" % with_form(writer)
    field = writer.add(b"<< /Type /Annot /Subtype /Widget /FT /Btn /Ff 65536 /T (button) " + look + b" >>")
    writer.page(b"", entries=b"/Annots [%d 0 R]" % field)
    writer.catalogue = b"/AcroForm << /Fields [%d 0 R] >>" % field
    return writer


def with_small_unit() -> PdfWriter:
    """A page of 8 x 12 points, each of which is an inch (UserUnit)."""
    writer = PdfWriter()
    pictures = {"Code": writer.picture(CODE)}
    writer.page(placed("Code", 1, 1, 2), size=(8.27, 11.69), pictures=pictures, entries=b"/UserUnit 72")
    return writer


def with_rotation() -> PdfWriter:
    writer = PdfWriter()
    writer.page(HERE, pictures={"Code": writer.picture(CODE)}, entries=b"/Rotate 90")
    return writer


SHOWN = {
    "a picture": with_picture,
    "a picture that Decode inverts": lambda: with_picture(b"/Decode [1 0]", 255 - CODE),
    "a stencil": with_stencil,
    "a soft mask": with_soft_mask,
    "squares of 0.25 mm": lambda: with_squares(0.71),
    "a stamp": with_stamp,
    "a form field": with_field,
    "a page in units of an inch": with_small_unit,
    "a turned page": with_rotation,
}


@pytest.mark.parametrize("what", SHOWN)
def test_what_a_page_shows(what: str) -> None:
    assert read(SHOWN[what]()) == ["shown"]


def under_a_box() -> PdfWriter:
    """The usual redaction: a white box over the code, which is still in the file."""
    writer = PdfWriter()
    writer.page(HERE + b"1 g 90 90 120 120 re f\n", pictures={"Code": writer.picture(CODE)})
    return writer


def under_a_box_on_a_scan() -> PdfWriter:
    """The same on a picture that covers the page."""
    sheet = np.full((842 * 2, 595 * 2), 255, np.uint8)
    sheet[800 : 800 + len(CODE), 400 : 400 + len(CODE)] = CODE
    writer = PdfWriter()
    box = b"1 g 190 %d 80 80 re f\n" % (842 - 400 - len(CODE) // 2 - 10)
    writer.page(placed("Code", 0, 0, 595, 842) + box, pictures={"Code": writer.picture(sheet)})
    assert read_scan(sheet) == ["shown"]
    return writer


def read_scan(sheet: GreyImage) -> list[str]:
    return texts(opened(scan_pdf([sheet], dpi=144)).page(0).image)


def outside_the_crop_box() -> PdfWriter:
    writer = PdfWriter()
    crop = b"/CropBox [0 0 400 600]"
    writer.page(placed("Code", 450, 700, 100), pictures={"Code": writer.picture(CODE)}, entries=crop)
    return writer


def on_a_hidden_layer() -> PdfWriter:
    writer = PdfWriter()
    layer = writer.add(b"<< /Type /OCG /Name (hidden) >>")
    writer.catalogue = b"/OCProperties << /OCGs [%d 0 R] /D << /OFF [%d 0 R] >> >>" % (layer, layer)
    page = writer.page(b"/OC /Layer BDC\n" + HERE + b"EMC\n", pictures={"Code": writer.picture(CODE)})
    named = b"/Resources << /Properties << /Layer %d 0 R >> " % layer
    writer.objects[page] = writer.objects[page].replace(b"/Resources << ", named)
    return writer


def attached() -> PdfWriter:
    writer = PdfWriter()
    writer.picture(CODE)
    writer.page(b"")
    return writer


@pytest.mark.parametrize(
    "hidden", [under_a_box, under_a_box_on_a_scan, outside_the_crop_box, on_a_hidden_layer, attached]
)
def test_what_a_page_hides(hidden: type[PdfWriter]) -> None:
    document = opened(hidden().written())
    page = document.page(0)
    assert texts(page.image) == []
    height, width = page.image.shape
    for top in range(0, height - 500, 400):
        for left in range(0, width - 500, 400):
            closer = document.closer(0, (left, top, left + 500, top + 500), 2, smooth=False)
            assert closer is not None
            assert texts(closer) == []


def test_scripts_and_actions_do_not_run() -> None:
    """A script that would fill the field, run when the file is opened, when the page is, and by the field itself."""
    writer = with_field()
    script = b"<< /S /JavaScript /JS (this.getField\\('button'\\).display = display.hidden; app.alert\\(1\\);) >>"
    writer.catalogue += b" /OpenAction " + script
    for number in writer.pages:
        writer.objects[number] = writer.objects[number].replace(
            b"/Type /Page ", b"/Type /Page /AA << /O %s >> " % script
        )
    assert read(writer) == ["shown"]


def test_a_scan_is_rendered_pixel_by_pixel() -> None:
    """A page that one picture covers has the picture's own pixels, whatever its resolution."""
    generator = np.random.default_rng(2)
    for dpi, shape in ((300, (3301, 2477)), (204, (1143, 1728)), (600, (4000, 3000))):
        sheet = generator.integers(0, 256, shape).astype(np.uint8)
        page = opened(scan_pdf([sheet], dpi=dpi)).page(0)
        assert page.dpi == pytest.approx(dpi, rel=1e-3)
        np.testing.assert_array_equal(page.image, sheet)


def test_a_coarse_scan_is_enlarged_by_a_whole_number() -> None:
    page = opened(scan_pdf([np.full((1100, 850), 255, np.uint8)], dpi=100)).page(0)
    assert page.image.shape == (2200, 1700)


def test_a_small_code_is_drawn_finer() -> None:
    """A code of 0.08 mm a module has one pixel a module at 300 dpi; drawn five times as fine it is read."""
    document = opened(with_squares(0.227).written())
    page = document.page(0)
    assert texts(page.image) == []
    dark = np.argwhere(page.image < 200)
    (top, left), (bottom, right) = dark.min(axis=0).tolist(), dark.max(axis=0).tolist()
    closer = document.closer(0, (left - 8, top - 8, right + 8, bottom + 8), 5, smooth=True)
    assert closer is not None
    assert texts(closer) == ["shown"]


def test_pages_of_any_size() -> None:
    for size in ((14_400, 14_400), (14_400, 10), (3, 3), (0.5, 14_400)):
        writer = PdfWriter()
        writer.page(b"0 g 0 0 1 1 re f", size=size)
        document = opened(writer.written())
        assert document.page(0).image.size <= MOST_PIXELS
        assert document.page(0).image.shape == document.size(0)[::-1]
        closer = document.closer(0, (0, 0, *document.size(0)), 8, smooth=True)
        assert closer is None or closer.size <= MOST_CLOSER
    assert Pdf(with_picture().written(), max_pixels=10_000).page(0).image.size <= 10_000


def test_ten_thousand_pages() -> None:
    writer = PdfWriter()
    for _ in range(10_000):
        writer.page(b"")
    data = writer.written()

    def read() -> None:
        document = opened(data)
        assert document.count == 10_000
        document.page(9_999)

    assert least_seconds(read) < 1


def test_a_picture_of_a_gigapixel_is_refused_before_it_is_unpacked() -> None:
    writer = PdfWriter()
    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(1 << 20)) for _ in range(1024)) + rows.flush()
    head = b"/Type /XObject /Subtype /Image /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode "
    picture = writer.stream(head + b"/Width 32768 /Height 32768", packed, packed=False)
    writer.page(HERE, pictures={"Code": picture})

    def read() -> None:
        with pytest.raises(ImageTooLarge, match="32768 x 32768"):
            opened(data).page(0)

    data = writer.written()
    assert least_seconds(read) < 1


def test_objects_without_number() -> None:
    writer = PdfWriter()
    writer.page(b"0 0 1 1 re f\n" * 200_000 + HERE, pictures={"Code": writer.picture(CODE)})
    assert read(writer) == ["shown"]


def encrypted() -> bytes:
    """A PDF whose password nobody knows: its keys are of another one than the empty password."""
    writer = with_picture()
    keys = b"/Filter /Standard /V 1 /R 2 /P -44 /O <%s> /U <%s>" % (b"11" * 32, b"22" * 32)
    number = writer.add(b"<< " + keys + b" >>")
    entries = b"/Root 1 0 R /Encrypt %d 0 R /ID [<00> <00>]" % number
    return writer.written().replace(b"/Root 1 0 R", entries)


def test_encrypted() -> None:
    with pytest.raises(EncryptedFile, match="password"):
        opened(encrypted())


GOOD = with_picture().written()


def test_broken_cross_references_are_rebuilt() -> None:
    assert texts(opened(GOOD.replace(b"xref", b"fxer")).page(0).image) == ["shown"]


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", GOOD[: len(GOOD) // 3], GOOD[:40], b"%PDF-" + bytes(5000)])
def test_damage(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        opened(data).page(0)


def test_random_damage_never_raises_anything_else() -> None:
    generator = np.random.default_rng(4)
    for _ in range(60):
        broken = bytearray(GOOD)
        for _ in range(5):
            broken[generator.integers(len(broken))] = generator.integers(256)
        try:
            document = opened(bytes(broken))
            document.page(0)
            document.close()
        except InvalidImage:
            pass


def test_a_form_that_contains_itself() -> None:
    writer = PdfWriter()
    number = len(writer.objects) + 1
    head = b"/Type /XObject /Subtype /Form /BBox [0 0 100 100] /Resources << /XObject << /Self %d 0 R >> >>" % number
    writer.stream(head, b"/Self Do\n")
    writer.page(b"/Self Do\n" + HERE, pictures={"Self": number, "Code": writer.picture(CODE)})
    assert read(writer) == ["shown"]
