#!/bin/sh
# Of the largest Data Matrix, 144 x 144 modules, there are two kinds: what three generators draw libdmtx reads and
# @zxing/library does not; what two others draw @zxing/library reads and libdmtx does not.
#
# Guess: a symbology with a standard (ISO/IEC 16022) has one way to place the codewords of a size, and a text in it is
# read by every reader, whoever drew it.
#
# Seen with ppf.datamatrix 0.2, pyStrich 0.20, libdmtx (arbez-dmtx 0.0.3), zint (zint-bindings 1.2.2) and bwip-js
# 4.11.4, a text of 1,500 small letters in each. In 132 x 132, with 1,300 letters, all five are read by libdmtx,
# @zxing/library 0.23.0, zxing-cpp 3.1.1 and rxing 0.9 (rxing-wasm 0.5.7). In 144 x 144 libdmtx reads the first three
# alone, @zxing/library the last two alone; zxing-cpp and rxing read all. This size alone has blocks that differ in
# length, eight of 156 data codewords and two of 155, so that the data end on the eighth block: the correction that
# follows begins with the first block again, or goes on with the ninth, as @zxing/library's source has it. zint knows
# both; asked for the one that it calls ISO's and not "de facto", it draws what libdmtx reads and @zxing/library does
# not.
#
# Runs without qrestore: sh findings/data-matrix-144-is-drawn-in-two-ways.sh (needs node and npm). Fails if that
# changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check arbez-dmtx==0.0.3 numpy==2.4.6 pillow==13.0.0 \
    ppf.datamatrix==0.2 pystrich==0.20 zint-bindings==1.2.2 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @zxing/library@0.23.0 bwip-js@4.11.4 rxing-wasm@0.5.7
cat > draw.cjs <<'NODE'
// Draws a text as a Data Matrix of a size; prints the rows of modules.
const bwip = require("bwip-js/node");

const [text, version] = process.argv.slice(2);
const [{ pixs, pixx }] = bwip.raw({ bcid: "datamatrix", text, version });
const rows = Array.from({ length: pixs.length / pixx }, (_, row) => pixs.slice(row * pixx, (row + 1) * pixx));
console.log(JSON.stringify(rows));
NODE
cat > read.mjs <<'NODE'
// Reads square grey pictures of one size, one after the other; prints what @zxing/library and rxing answer, or null.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { decode_barcode as decode } from "rxing-wasm";

const zxing = createRequire(import.meta.url)("@zxing/library");
const side = Number(process.argv[2]);
const bytes = readFileSync("pictures");

function byZxing(grey) {
  const source = new zxing.RGBLuminanceSource(Uint8ClampedArray.from(grey), side, side);
  return new zxing.DataMatrixReader().decode(new zxing.BinaryBitmap(new zxing.HybridBinarizer(source))).getText();
}

function answer(reader, grey) {
  try {
    return reader(grey);
  } catch {
    return null;
  }
}

const answers = [];
for (let start = 0; start < bytes.length; start += side * side) {
  const grey = Uint8Array.from(bytes.subarray(start, start + side * side));
  answers.push([byZxing, (luma) => decode(luma, side, side, true).text()].map((reader) => answer(reader, grey)));
}
console.log(JSON.stringify(answers));
NODE
venv/bin/python - <<'PYTHON'
import io
import json
import subprocess

import arbez_dmtx
import numpy as np
import zint
import zxingcpp
from PIL import Image
from ppf.datamatrix import DataMatrix
from pystrich.datamatrix import DataMatrixData, DataMatrixEncoder

NUMBERS = {132: 23, 144: 24}  # zint's for the sizes
SQUARE, AS_PRINTED = zint.DataMatrixOptions.SQUARE, zint.DataMatrixOptions.ISO_144


def modules(picture, size):
    """The modules of a picture that shows them in black, each of the same whole number of pixels."""
    dark = np.asarray(picture) < 128
    rows, columns = np.where(dark.any(1))[0], np.where(dark.any(0))[0]
    dark = dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    step = len(dark) // size
    return dark[step // 2 :: step, step // 2 :: step]


def by_ppf(text, size):
    return DataMatrix(text, codecs=["ascii"]).matrix


def by_pystrich(text, size):
    code = DataMatrixEncoder(DataMatrixData(text, encoding="ascii"), force_byte_mode=True)
    return modules(Image.open(io.BytesIO(code.get_imagedata(cellsize=4))).convert("L"), size)


def by_libdmtx(text, size):
    made = arbez_dmtx.encode(text.encode(), scheme="Ascii", size=f"{size}x{size}")
    return modules(np.frombuffer(made.pixels, np.uint8).reshape(made.height, made.width, -1)[..., 0], size)


def by_zint(text, size, option=SQUARE):
    code = zint.Symbol()
    code.symbology, code.option_2, code.option_3 = zint.Symbology.DATAMATRIX, NUMBERS[size], option
    code.encode(text)
    rows = np.frombuffer(bytes(code.encoded_data), np.uint8).reshape(-1, 144)[: code.rows]
    return np.unpackbits(rows, axis=1, bitorder="little")[:, : code.width]


def by_bwip(text, size):
    made = subprocess.run(["node", "draw.cjs", text, f"{size}x{size}"], check=True, capture_output=True)
    return json.loads(made.stdout)


def by_zint_as_printed(text, size):
    return by_zint(text, size, AS_PRINTED)


def read(codes, text):
    """Whether libdmtx, @zxing/library, zxing-cpp and rxing read the text, for each of the codes."""
    pictures = [(255 * np.pad(np.kron(~np.array(dark, bool), np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)
                for dark in codes]
    with open("pictures", "wb") as file:
        file.write(b"".join(made.tobytes() for made in pictures))
    made = subprocess.run(["node", "read.mjs", str(len(pictures[0]))], check=True, capture_output=True)
    answers = []
    for picture, (zxing, rxing) in zip(pictures, json.loads(made.stdout)):
        found = [code.data.decode() for code in arbez_dmtx.decode(picture, max_count=1)]
        answers.append((found == [text], zxing == text, zxingcpp.read_barcode(picture).text == text, rxing == text))
    return answers


EVERY = True, True, True, True
FIRST = True, False, True, True
SECOND = False, True, True, True
WANTED = {by_ppf: FIRST, by_pystrich: FIRST, by_libdmtx: FIRST, by_zint: SECOND, by_bwip: SECOND,
          by_zint_as_printed: FIRST}
print("read by libdmtx, @zxing/library, zxing-cpp, rxing:")
for size, letters in ((132, 1300), (144, 1500)):
    text = "".join(chr(97 + k * k % 26) for k in range(letters))
    codes = [draw(text, size) for draw in WANTED]
    assert {np.shape(code) for code in codes} == {(size, size)}
    for (draw, wanted), answer in zip(WANTED.items(), read(codes, text)):
        print(size, draw.__name__, *answer)
        assert answer == (wanted if size == 144 else EVERY), "changed"
PYTHON
