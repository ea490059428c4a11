#!/bin/sh
# deqr answers digits as a number: leading zeros are gone, and more than 4,300 digits raise an error.
#
# Guess: of a code that holds 007 a reader answers 007, as text or bytes; deqr's documentation of the data says bytes.
#
# Seen with deqr 0.2.5, whose two decoders are quirc and ZBar's: in numeric mode the data of an entry is an int, so
# "007" is 7 and "0000" is 0; the article number 04012345123456 comes back with a digit less. What stood there cannot
# be told from the answer. Of a mixed code QRdecDecoder makes a number of each part of digits (0012 is 12), while
# QuircDecoder answers the whole as text. In byte mode the same digits are whole. QRdecDecoder of 4,301 digits, which
# version 31-L and larger hold, raises ValueError: Python makes no number of so long a text. zxing-cpp 3.1.1 reads
# every one of the same pictures as written.
#
# Runs without qrestore: sh findings/deqr-turns-digits-into-numbers.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    deqr==0.2.5 numpy==2.4.6 segno==1.6.6 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import deqr
import numpy as np
import segno
import zxingcpp
from segno import consts

MIXED = [("LOT ", consts.MODE_ALPHANUMERIC), ("0012", consts.MODE_NUMERIC), ("b/", consts.MODE_BYTE),
         ("007", consts.MODE_NUMERIC)]
DECODERS = deqr.QuircDecoder, deqr.QRdecDecoder


def picture(content, **options):
    code = segno.make_qr(content, **options)
    dark = np.array([list(row) for row in code.matrix], bool)
    return (255 * np.pad(np.kron(~dark, np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)


def entries(decoder, made):
    codes = decoder().decode(made)
    assert len(codes) == 1
    return [entry.data for entry in codes[0].data_entries]


for decoder in DECODERS:
    for digits in ("007", "0000", "04012345123456"):
        made = picture(digits, mode="numeric")
        assert zxingcpp.read_barcode(made).text == digits
        seen = entries(decoder, made)
        print(decoder.__name__, digits, "->", seen)
        assert [type(data) for data in seen] == [int] and seen == [int(digits)], "changed"
        assert entries(decoder, picture(digits, mode="byte")) in ([digits], [digits.encode()]), "changed"
    made = picture(MIXED)
    assert zxingcpp.read_barcode(made).text == "".join(text for text, _ in MIXED)
    seen = entries(decoder, made)
    print(decoder.__name__, *(text for text, _ in MIXED), "->", seen)
    wanted = ["LOT 0012b/007"] if decoder is deqr.QuircDecoder else ["LOT ", 12, "b/", 7]
    assert seen == wanted, "changed"

for count in (4300, 4301):
    made = picture("1" * count, mode="numeric", version=31, error="L")
    assert zxingcpp.read_barcode(made).text == "1" * count
    try:
        seen = f"{len(str(entries(deqr.QRdecDecoder, made)[0]))} digits"
    except ValueError as exc:
        seen = f"ValueError: {exc}"
    print("QRdecDecoder,", count, "digits ->", seen)
    assert seen.startswith("ValueError" if count > 4300 else "4300 digits"), "changed"
PYTHON
