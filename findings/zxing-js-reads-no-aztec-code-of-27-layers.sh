#!/bin/sh
# @zxing/library reads no Aztec code of 27 layers, 131 x 131 modules, not even those that it wrote itself; it reads all
# other 35 sizes.
#
# Guess: a reader of Aztec codes reads a flawless one of every size (ISO/IEC 24778), and so what it has written.
#
# Seen with @zxing/library 0.23.0 and symbols of zint (zint-bindings 1.2.2), capitals, digits and a mixture in each
# size, 3 pixels a module: all 105 of the other sizes are read, none of the 3 of 27 layers. Of what its own
# AztecCodeWriter writes it reads 2,061 capitals and 2,206, but none of the lengths in between that were tried. It takes
# a symbol of 27 layers to have 129 x 129 modules, since it counts the line of the reference grid that comes with the
# 27th layer from the 28th on. Proof: with a getDimension that says 131 it reads all. zxing-cpp 3.1.1 and rxing 0.9
# (rxing-wasm 0.5.7) read every one of the same pictures.
#
# Runs without qrestore: sh findings/zxing-js-reads-no-aztec-code-of-27-layers.sh (needs node and npm). Fails if that
# changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 zint-bindings==1.2.2 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @zxing/library@0.23.0 rxing-wasm@0.5.7
cat > write.cjs <<'NODE'
// Writes a list of texts; prints the rows of modules.
const { readFileSync } = require("node:fs");
const { AztecCodeWriter, BarcodeFormat } = require("@zxing/library");

console.log(JSON.stringify(JSON.parse(readFileSync(0)).map((text) => {
  const code = new AztecCodeWriter().encode(text, BarcodeFormat.AZTEC, 0, 0);
  return Array.from({ length: code.getHeight() }, (_, y) => (
    Array.from({ length: code.getWidth() }, (__, x) => Number(code.get(x, y)))));
})));
NODE
cat > read.mjs <<'NODE'
// Reads grey pictures, one after the other, whose sides are given; prints what @zxing/library, as it is and with the
// right count of modules, and rxing answer, or null.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { decode_barcode as decode } from "rxing-wasm";

const require = createRequire(import.meta.url);
const zxing = require("@zxing/library");
const { default: Detector } = require("@zxing/library/cjs/core/aztec/detector/Detector.js");
const { getDimension } = Detector.prototype;

function repaired() {
  return this.nbLayers === 27 ? 131 : getDimension.call(this);
}

function byZxing(grey, side, dimension) {
  Detector.prototype.getDimension = dimension;
  const source = new zxing.RGBLuminanceSource(Uint8ClampedArray.from(grey), side, side);
  return new zxing.AztecCodeReader().decode(new zxing.BinaryBitmap(new zxing.HybridBinarizer(source))).getText();
}

function answer(reader) {
  try {
    return reader();
  } catch {
    return null;
  }
}

const bytes = readFileSync("pictures");
let start = 0;
console.log(JSON.stringify(JSON.parse(process.argv[2]).map((side) => {
  const grey = Uint8Array.from(bytes.subarray(start, start + side * side));
  start += side * side;
  return [
    () => byZxing(grey, side, getDimension), () => byZxing(grey, side, repaired),
    () => decode(grey, side, side, true).text(),
  ].map(answer);
})));
NODE
venv/bin/python - <<'PYTHON'
import json
import subprocess
from collections import Counter

import numpy as np
import zint
import zxingcpp

KINDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "aB;cD:eF-gH!iJ"


def by_zint(text, number):
    code = zint.Symbol()
    code.symbology, code.option_2 = zint.Symbology.AZTEC, number  # 1 to 4 are compact, 5 to 36 have 1 to 32 layers
    code.encode(text)
    rows = np.frombuffer(bytes(code.encoded_data), np.uint8).reshape(-1, 144)[: code.rows]
    return np.unpackbits(rows, axis=1, bitorder="little")[:, : code.width]


def by_itself(texts):
    made = subprocess.run(["node", "write.cjs"], input=json.dumps(texts).encode(), check=True, stdout=subprocess.PIPE)
    return [np.array(rows, np.uint8) for rows in json.loads(made.stdout)]


def read(codes, texts):
    """Whether @zxing/library as it is and repaired, rxing and zxing-cpp read each of the texts."""
    pictures = [255 * np.pad(np.kron(1 - dark, np.ones((3, 3), np.uint8)), 12, constant_values=1) for dark in codes]
    with open("pictures", "wb") as file:
        file.write(b"".join(made.tobytes() for made in pictures))
    sides = json.dumps([len(made) for made in pictures])
    made = subprocess.run(["node", "read.mjs", sides], check=True, stdout=subprocess.PIPE)
    answers = []
    for text, picture, found in zip(texts, pictures, json.loads(made.stdout)):
        found.append(zxingcpp.read_barcode(picture, formats=zxingcpp.BarcodeFormat.Aztec).text)
        answers.append([answer == text for answer in found])
    return answers


texts = [(kind * 2)[: 3 + number // 2] for number in range(1, 37) for kind in KINDS]
codes = [by_zint(text, 1 + k // 3) for k, text in enumerate(texts)]
assert len({code.shape for code in codes}) == 33  # three sizes are of compact and of other codes
counts = Counter()
for dark, answer in zip(codes, read(codes, texts)):
    counts[answer[0]] += 1
    assert answer == [len(dark) != 131, True, True, True], "changed"
print("of zint's symbols", counts[True], "are read,", counts[False], "are not")
assert counts == {True: 105, False: 3}, "changed"

lengths = 2061, 2062, 2100, 2150, 2205, 2206
texts = [(KINDS[0] * 85)[:length] for length in lengths]
answers = read(by_itself(texts), texts)
print("of its own:", *(f"{length} {answer[0]}" for length, answer in zip(lengths, answers)))
assert answers == [[length not in range(2062, 2206), True, True, True] for length in lengths], "changed"
PYTHON
