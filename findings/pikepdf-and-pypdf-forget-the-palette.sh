#!/bin/sh
# Of bilevel images with a palette in a PDF pikepdf and pypdf forget the palette (fax data) or the Decode array (Flate),
# so that a code comes out inverted; of one whose palette is black and white as greys pikepdf makes a black picture.
#
# Guess: a bilevel code that a viewer shows dark on light comes out of the page dark on light, too.
#
# Seen with pikepdf 10.18.0 and pypdf 7.1.1, one flawless code of one bit a pixel, written in 30 ways: Flate or Group
# 4 with BlackIs1 false or true; grey, or a palette of black and white or of white and black, as greys or as RGB;
# without Decode or with [1 0]. PDFium (pypdfium2 5.15.2) shows and extracts all of them so that the code is read as
# it is. pikepdf's PdfImage.as_pil_image gives 11 inverted and 2 black, pypdf's images 12 inverted. All have palettes:
# of Flate those with Decode [1 0], of Group 4 those whose palette and Decode together make a sample of 0 white. The
# black ones are Flate with the greys 00 FF: pixels of value 1 become index 255 of a palette of two colours. pikepdf
# warns that it leaves out Decode [1 0], in 8 of its 13 wrong cases. ZBar reads no inverted code.
#
# Runs without qrestore: sh findings/pikepdf-and-pypdf-forget-the-palette.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deqr==0.2.5 numpy==2.4.6 pikepdf==10.18.0 \
    pillow==13.0.0 pypdf==7.1.1 pypdfium2==5.15.2 segno==1.6.6 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import io
import itertools
import warnings
import zlib
from collections import Counter

import deqr
import numpy as np
import pikepdf
import pypdf
import pypdfium2
import segno
import zxingcpp
from pikepdf import Array, Dictionary, Name, Stream
from PIL import Image

dark = np.array([list(row) for row in segno.make_qr("One bit a pixel").matrix], bool)
LIGHT = np.pad(np.kron(~dark, np.ones((5, 5), bool)), 20, constant_values=True)
SIDE = len(LIGHT)
PALETTES = {"greys 00 FF": (Name.DeviceGray, b"\0\xff"), "greys FF 00": (Name.DeviceGray, b"\xff\0"),
            "RGB 00 FF": (Name.DeviceRGB, b"\0\0\0\xff\xff\xff"), "RGB FF 00": (Name.DeviceRGB, b"\xff\xff\xff\0\0\0")}
SPACES = {"grey": Name.DeviceGray}
SPACES |= {name: Array([Name.Indexed, base, 1, pikepdf.String(data)]) for name, (base, data) in PALETTES.items()}


def group_4(black):
    """The fax data of a bilevel picture; true are the pixels of black runs."""
    file = io.BytesIO()
    Image.fromarray(black).save(file, "TIFF", compression="group4", tiffinfo={278: SIDE})
    with Image.open(file) as image:
        return file.getvalue()[image.tag_v2[273][0] :][: image.tag_v2[279][0]]


def document(packing, space, decode, black_is_1):
    """A page that shows the code dark on light (ISO 32000-1:2008, 7.4.6, 8.6.6.3, 8.9.5.2)."""
    samples = LIGHT == (space.endswith("00") == bool(decode))
    if packing == "Flate":
        data, how = zlib.compress(np.packbits(samples, axis=1).tobytes()), {"Filter": Name.FlateDecode}
    else:
        parameters = Dictionary(K=-1, Columns=SIDE, Rows=SIDE, BlackIs1=black_is_1)
        data, how = group_4(samples == black_is_1), {"Filter": Name.CCITTFaxDecode, "DecodeParms": parameters}
    if decode:
        how["Decode"] = Array(decode)
    pdf, file = pikepdf.new(), io.BytesIO()
    pdf.add_blank_page(page_size=(SIDE, SIDE))
    pdf.pages[0].Resources = Dictionary(XObject=Dictionary(Code=Stream(
        pdf, data, Type=Name.XObject, Subtype=Name.Image, Width=SIDE, Height=SIDE, BitsPerComponent=1,
        ColorSpace=SPACES[space], **how)))
    pdf.pages[0].Contents = Stream(pdf, f"{SIDE} 0 0 {SIDE} 0 0 cm /Code Do".encode())
    pdf.save(file)
    return file.getvalue()


def by_pikepdf(pdf):
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return pikepdf.PdfImage(opened.pages[0].get_images()["/Code"]).as_pil_image()


WAYS = {"PDFium, page": lambda pdf: pypdfium2.PdfDocument(pdf)[0].render().to_pil(),
        "PDFium, image": lambda pdf: next(pypdfium2.PdfDocument(pdf)[0].get_objects()).get_bitmap().to_pil(),
        "pikepdf": by_pikepdf, "pypdf": lambda pdf: pypdf.PdfReader(io.BytesIO(pdf)).pages[0].images[0].image}


def state(picture):
    grey = np.array(picture.convert("L"))
    as_it_is, exchanged = (zxingcpp.read_barcode(each, try_invert=False) for each in (grey, 255 - grey))
    assert bool(as_it_is) == bool(deqr.QRdecDecoder().decode(grey.copy()))
    return "right" if as_it_is else "inverted" if exchanged else "lost" if grey.any() else "black"


counts, silent = {name: Counter() for name in WAYS}, 0
for (packing, black_is_1), space, decode in itertools.product(
        (("Flate", False), ("Group 4", False), ("Group 4", True)), SPACES, (None, [1, 0])):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        seen = {name: state(way(document(packing, space, decode, black_is_1))) for name, way in WAYS.items()}
    inverted = space != "grey" and bool(decode) != (packing == "Group 4" and space.endswith("00"))
    assert seen["pypdf"] == ("inverted" if inverted else "right"), "changed"
    assert seen["pikepdf"] == ("black" if (packing, space) == ("Flate", "greys 00 FF") else seen["pypdf"]), "changed"
    silent += seen["pikepdf"] != "right" and not warned
    for name in WAYS:
        counts[name][seen[name]] += 1
print("pikepdf", pikepdf.__version__, "pypdf", pypdf.__version__, "wrong without a warning by pikepdf:", silent)
print(*(f"{name} {dict(each)}" for name, each in counts.items()))
assert silent == 5 and counts["PDFium, page"] == counts["PDFium, image"] == {"right": 30}
assert counts["pikepdf"] == {"right": 17, "inverted": 11, "black": 2} and counts["pypdf"]["inverted"] == 12, "changed"
PYTHON
