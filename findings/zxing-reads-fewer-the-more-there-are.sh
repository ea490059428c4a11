#!/bin/sh
# zxing-cpp reads fewer codes of a flawless sheet, the more codes the sheet has.
#
# Guess: each of N clean QR codes, 4 pixels a module, quiet zones of 4 modules and no damage, is read, up to
# zxing-cpp's limit of 255 results; `return_errors=True` only adds results for codes that cannot be read.
#
# Seen with zxing-cpp 3.1.1: all of 16, 36 and 64 codes are read; then 60 of 100, 43 of 144, 33 of 196, 11 of 256.
# With `return_errors=True` results for combinations of finder patterns that are no code come first and fill the 255
# places: 39 of 100, 11 of 144, none of 196. A caller cannot tell such a sheet from one with few codes. (Reading
# overlapping tiles of at most 64 codes gives all of them.)
#
# Runs without qrestore: sh findings/zxing-reads-fewer-the-more-there-are.sh. Fails if the counts change.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check zxing-cpp==3.1.1 segno==1.6.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import segno
import zxingcpp


def code(text):
    modules = np.array([list(row) for row in segno.make(text, version=2, error="m").matrix], np.uint8)
    return np.kron(np.pad(255 * (1 - modules), 4, constant_values=255), np.ones((4, 4))).astype(np.uint8)


def sheet(side):
    rows = ([code(f"item {row:02}-{column:02}") for column in range(side)] for row in range(side))
    return np.ascontiguousarray(np.vstack([np.hstack(row) for row in rows]))


def read(picture, errors):
    codes = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode, return_errors=errors)
    return sum(code.valid for code in codes)


print("zxing-cpp", version("zxing-cpp"))
seen = {}
for side in (4, 6, 8, 10, 12, 14, 16):
    picture = sheet(side)
    seen[side**2] = read(picture, errors=False), read(picture, errors=True)
    print(f"{side**2:4} codes on the sheet: {seen[side**2][0]:3} read, {seen[side**2][1]:3} with return_errors")
side = picture.shape[0] // 2
parts = [picture[top : top + side, left : left + side] for top in (0, side) for left in (0, side)]
quarters = sum(read(np.ascontiguousarray(part), errors=False) for part in parts)
print(f" 256 codes, a quarter of the sheet at a time: {quarters} read")
expected = {16: (16, 16), 36: (36, 36), 64: (64, 64), 100: (60, 39), 144: (43, 11), 196: (33, 0), 256: (11, 0)}
assert (seen, quarters) == (expected, 256), f"changed: {seen}, {quarters}"
PYTHON
