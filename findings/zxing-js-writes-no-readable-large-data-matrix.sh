#!/bin/sh
# @zxing/library writes Data Matrix symbols that nobody reads, itself included, as soon as these are 52 x 52 modules or
# larger: a text of 348 digits is fine, one of 349 is not.
#
# Guess: a port of a library that writes and reads reads what it has written.
#
# Seen with @zxing/library 0.23.0, DataMatrixWriter, square, texts of 1 to 1,500 characters in digits, capitals, small
# letters and a mixture. Of the 14 sizes from 10 x 10 to 48 x 48 all symbols are read by @zxing/library, zxing-cpp
# 3.1.1 and libdmtx (arbez-dmtx 0.0.3); of the 10 sizes from 52 x 52 to 144 x 144 not one is read by any of them.
# Nothing is raised. These have two blocks or more, whose correction is interleaved: a codeword is to be put beyond the
# end of a string, but StringBuilder.setCharAt puts it at the end, and later ones over it. (The line that made the
# string long enough stands there as a comment.) Proof: with a setCharAt that first fills up the string all three read
# every symbol up to 132 x 132, and of 144 x 144, of which there are two kinds, the two others do.
#
# Runs without qrestore: sh findings/zxing-js-writes-no-readable-large-data-matrix.sh (needs node and npm). Fails if
# that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check arbez-dmtx==0.0.3 numpy==2.4.6 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @zxing/library@0.23.0
cat > write.cjs <<'NODE'
// Writes a list of texts as square symbols and reads each again; prints the rows of modules and the text read, or null.
// "filled" repairs the string builder first.
const { readFileSync } = require("node:fs");
const { default: StringBuilder } = require("@zxing/library/cjs/core/util/StringBuilder.js");
const zxing = require("@zxing/library");

if (process.argv[2] === "filled") {
  const { setCharAt } = StringBuilder.prototype;
  StringBuilder.prototype.setCharAt = function (index, character) {
    this.value = this.value.padEnd(index, "\0");
    setCharAt.call(this, index, character);
  };
}
const SQUARE = new Map([[zxing.EncodeHintType.DATA_MATRIX_SHAPE, 1]]);
const PIXELS = 4;
const MARGIN = 16;

function read(rows) {
  const side = rows.length * PIXELS + 2 * MARGIN;
  const grey = new Uint8ClampedArray(side * side).fill(255);
  rows.forEach((row, y) => row.forEach((dark, x) => {
    for (let line = 0; dark && line < PIXELS; line += 1) {
      const start = (MARGIN + y * PIXELS + line) * side + MARGIN + x * PIXELS;
      grey.fill(0, start, start + PIXELS);
    }
  }));
  const picture = new zxing.BinaryBitmap(new zxing.HybridBinarizer(new zxing.RGBLuminanceSource(grey, side, side)));
  try {
    return new zxing.DataMatrixReader().decode(picture).getText();
  } catch {
    return null;
  }
}

const made = JSON.parse(readFileSync(0)).map((text) => {
  const code = new zxing.DataMatrixWriter().encode(text, zxing.BarcodeFormat.DATA_MATRIX, 0, 0, SQUARE);
  const rows = Array.from({ length: code.getHeight() }, (_, y) => (
    Array.from({ length: code.getWidth() }, (__, x) => Number(code.get(x, y)))));
  return [rows, read(rows)];
});
console.log(JSON.stringify(made));
NODE
venv/bin/python - <<'PYTHON'
import json
from collections import defaultdict
from subprocess import PIPE, run

import arbez_dmtx
import numpy as np
import zxingcpp

LENGTHS = (*range(1, 60, 2), *range(60, 240, 9), *range(240, 1500, 36), 348, 349)
KINDS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "aB;cD:eF-gH!iJ"
TEXTS = ["".join(kind[k * k % len(kind)] for k in range(length)) for kind in KINDS for length in LENGTHS]


def read(rows):
    """What zxing-cpp and libdmtx answer, or None."""
    picture = (255 * np.pad(np.kron(1 - np.array(rows), np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)
    found = zxingcpp.read_barcode(picture, formats=zxingcpp.BarcodeFormat.DataMatrix)
    codes = arbez_dmtx.decode(picture, max_count=1)
    return found and found.text, codes[0].data.decode() if codes else None


for repair in ("as it is", "filled"):
    made = run(["node", "write.cjs", repair], input=json.dumps(TEXTS).encode(), check=True, stdout=PIPE).stdout
    answers = defaultdict(list)
    for text, (rows, itself) in zip(TEXTS, json.loads(made)):
        answers[len(rows)].append([answer == text for answer in (itself, *read(rows))])
        assert len(text) not in (348, 349) or not text.isdigit() or (len(rows) < 52) == (len(text) == 348), "changed"
    print(f"{repair}: size, symbols, read by @zxing/library, zxing-cpp, libdmtx")
    for size, found in sorted(answers.items()):
        counts = [sum(column) for column in zip(*found)]
        print("", size, len(found), *counts)
        every = size < 52 or repair == "filled"
        own = every and size < 144
        assert counts == [own * len(found), every * len(found), every * len(found)], "changed"
    assert len(answers) == 24 and sum(size >= 52 for size in answers) == 10, "a size is missing"
PYTHON
