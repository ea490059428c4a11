#!/bin/sh
# OpenCV's structured append puts a character too many into a symbol of version 10 or larger whenever the text just
# does not fit: nothing is raised, and no reader reads the symbol. Its plain codes of the same versions are in order.
#
# Guess: encodeStructuredAppend takes for each part the smallest version that holds it, as encode does for a text.
#
# Seen with opencv-python-headless 5.0.0.93 (4.14.0.94 does the same), bytes, levels L and H: from version 10 on the
# last length that fits a version (269 at 10-L, 117 at 10-H) is read, and so is the second after it, for which OpenCV
# takes the next version. The one between (270, 118) is put into the version that it does not fit. That is so at each
# of versions 10 to 14 and 27, and at none of 7 to 9. A message of 236 bytes at level H in two parts loses both,
# messages of 235 and 237 bytes lose one part each. Letters and digits fare alike, for fewer lengths. The choice of a
# version counts the field that states the length as in version 1 (8 bits for bytes, where versions from 10 on have 16;
# 9 for letters, 10 for digits). Texts that fit by this count, but not by the standard's (ISO/IEC 18004:2015, table 3),
# are not read. encode, for single codes, counts rightly. Read by zxing-cpp 3.1.1 and ZBar's decoder (deqr 0.2.5),
# which agree on every symbol.
#
# Runs without qrestore: sh findings/opencv-overfills-its-structured-append.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    deqr==0.2.5 numpy==2.4.6 opencv-python-headless==5.0.0.93 segno==1.6.6 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import deqr
import numpy as np
import zxingcpp
from segno import consts

LEVELS = {"L": (consts.ERROR_LEVEL_L, cv2.QRCodeEncoder_CORRECT_LEVEL_L),
          "H": (consts.ERROR_LEVEL_H, cv2.QRCodeEncoder_CORRECT_LEVEL_H)}
LETTERS = {"bytes": "abcdefghij", "letters": "ABCDEFGHIJ", "digits": "0123456789"}
WIDTHS = {"bytes": (8, 16, 16), "letters": (9, 11, 13), "digits": (10, 12, 14)}  # versions 1 to 9, 10 to 26, 27 to 40
HEADER = 20


def content(kind, length):
    return {"bytes": 8 * length, "letters": (11 * length + 1) // 2, "digits": (10 * length + 2) // 3}[kind]


def last_length(kind, version, level, header, width=None):
    """How many characters a symbol holds, by the standard or with a field of `width` bits that states the length."""
    bits = 8 * sum(info.num_blocks * info.num_data for info in consts.ECC[version][LEVELS[level][0]])
    bits -= header + 4 + (width or WIDTHS[kind][(version > 9) + (version > 26)])
    length = bits // 3
    while content(kind, length) > bits:
        length -= 1
    return length


def encoder(level, parts):
    parameters = cv2.QRCodeEncoder_Params()
    parameters.correction_level = LEVELS[level][1]
    parameters.structure_number = parts
    return cv2.QRCodeEncoder.create(parameters)


def read(symbol):
    """The text of a symbol, None if it is not read; ZBar's decoder and zxing-cpp must agree."""
    made = np.kron(np.pad(symbol, 2, constant_values=255), np.ones((4, 4), np.uint8))  # OpenCV draws two modules more
    found = zxingcpp.read_barcode(made, formats=zxingcpp.BarcodeFormat.QRCode)
    assert bool(found) == bool(deqr.QRdecDecoder().decode(made, convert_data=False))
    return found and found.text


def lengths_read(kind, version, level):
    """The lengths about the last that fits a version, and for each the version drawn and whether it is read."""
    last = last_length(kind, version, level, HEADER)
    believed = last_length(kind, version, level, HEADER, WIDTHS[kind][0])
    seen = []
    for length in range(last, believed + 2):
        text = (LETTERS[kind] * 900)[3 : 3 + length]
        (symbol,) = encoder(level, 1).encodeStructuredAppend(text)
        drawn, answer = (len(symbol) - 21) // 4, read(symbol)
        assert drawn == version + (length > believed), "changed"
        assert answer == (None if last < length <= believed else text), "changed"
        seen.append(answer is not None)
    return last, seen


print("OpenCV", cv2.__version__)
spoilt = {"small": 0, "large": 0}
for version in [*range(7, 15), 27]:
    for level in LEVELS:
        last, seen = lengths_read("bytes", version, level)
        spoilt["large" if version > 9 else "small"] += not all(seen)
        if version in (9, 10, 27):
            print(f"{version}-{level}: of {last} to {last + len(seen) - 1} bytes read", seen)
print("versions and levels with a length that is not read:", spoilt)
assert spoilt == {"small": 0, "large": 12}, "changed"
for kind in ("letters", "digits"):
    for version in (10, 12, 27, 30):
        print(f"{version}-H {kind}:", *lengths_read(kind, version, "H"))
for length in (234, 235, 236, 237, 238):
    text = ("abcdefghij" * 24)[:length]
    parts = [read(symbol) for symbol in encoder("H", 2).encodeStructuredAppend(text)]
    print(length, "bytes in two parts, read:", [part is not None for part in parts])
    assert parts.count(None) == {235: 1, 236: 2, 237: 1}.get(length, 0), "changed"
    assert read(encoder("H", 1).encode(text)) == text
print("encode reads at its own edges:", end=" ")
for version in (10, 12, 27):
    for length in range(last_length("bytes", version, "H", 0), last_length("bytes", version, "H", 0, 8) + 2):
        text = ("abcdefghij" * 90)[:length]
        assert read(encoder("H", 1).encode(text)) == text
        print(length, end=" ")
print()
PYTHON
