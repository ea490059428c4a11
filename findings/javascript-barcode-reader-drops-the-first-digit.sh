#!/bin/sh
# javascript-barcode-reader answers every EAN-13 without its first digit, takes Codabar's letters B and C for each
# other, and answers an empty text for Code 93 from 15 characters on.
#
# Guess: a reader that lists EAN-13, Codabar and Code 93 among its symbologies answers all that stands in a flawless
# one, or an error.
#
# Seen with javascript-barcode-reader 1.0.0 and symbols of zint (zint-bindings 1.2.2), 2, 3 and 6 pixels a module, each
# symbology named to the reader: 4006381333931 is read as 006381333931, and so are the numbers with other first digits,
# which is not drawn but told by the parity of the six digits at the left; all 12 others are right. EAN-8, which has no
# such digit, is read as it is. Of the 16 Codabar numbers with A, B, C or D at the ends the 4 without B and C are right;
# the others have a C where B stands, and the other way round. Code 93 of 1 to 14 characters is read, of 15 to 24 the
# answer is "" with no error. zxing-cpp 3.1.1 and ZBar (@undecaf/zbar-wasm 0.11.0) read all of the same pictures.
#
# Runs without qrestore: sh findings/javascript-barcode-reader-drops-the-first-digit.sh (needs node and npm). Fails if
# that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 zint-bindings==1.2.2 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts javascript-barcode-reader@1.0.0 @undecaf/zbar-wasm@0.11.0
cat > read.mjs <<'NODE'
// Reads grey pictures, whose symbologies, widths, heights and pixels are given; prints what javascript-barcode-reader
// and ZBar answer.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { scanGrayBuffer } from "@undecaf/zbar-wasm";

const readBars = createRequire(import.meta.url)("javascript-barcode-reader");
const answers = [];
for (const [barcode, width, height, pixels] of JSON.parse(readFileSync(0))) {
  const grey = Uint8Array.from(Buffer.from(pixels, "base64"));
  const data = Uint8ClampedArray.from({ length: 4 * grey.length }, (_, k) => (k % 4 === 3 ? 255 : grey[k >> 2]));
  const byZbar = await scanGrayBuffer(grey.buffer, width, height);
  answers.push([await readBars({ image: { data, width, height }, barcode }), byZbar[0].decode()]);
}
console.log(JSON.stringify(answers));
NODE
venv/bin/python - <<'PYTHON'
import base64
import json
import subprocess
from itertools import product

import numpy as np
import zint
import zxingcpp

SYMBOLOGIES = {"ean-13": zint.Symbology.EANX, "ean-8": zint.Symbology.EANX, "codabar": zint.Symbology.CODABAR,
               "code-93": zint.Symbology.CODE93}
EXCHANGED = str.maketrans("BC", "CB")


def with_check(digits):
    weights = 3, 1
    total = sum(int(digit) * weights[k % 2] for k, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def draw(symbology, text, pixels):
    code = zint.Symbol()
    code.symbology = SYMBOLOGIES[symbology]
    code.encode(text[:-1] if symbology.startswith("ean") else text)  # zint adds the check digit
    row = np.unpackbits(np.frombuffer(bytes(code.encoded_data), np.uint8), bitorder="little")[: code.width]
    line = np.repeat(255 * (1 - np.pad(row, 12)), pixels)
    return np.ascontiguousarray(np.repeat(line[None], 60, axis=0))


WANTED = {
    "ean-13": {with_check(f"{first}00638133393"): with_check(f"{first}00638133393")[1:] for first in range(10)},
    "ean-8": {with_check(f"{first}006381"): with_check(f"{first}006381") for first in range(10)},
    "codabar": {f"{start}4711{stop}": f"{start}4711{stop}".translate(EXCHANGED)
                for start, stop in product("ABCD", repeat=2)},
    "code-93": {("CODE93" * 4)[:length]: ("CODE93" * 4)[:length] if length < 15 else "" for length in range(1, 25)},
}
cases = [(symbology, text, answer, draw(symbology, text, pixels)) for symbology, texts in WANTED.items()
         for text, answer in texts.items() for pixels in (2, 3, 6)]
jobs = [(symbology, made.shape[1], made.shape[0], base64.b64encode(made.tobytes()).decode())
        for symbology, _, _, made in cases]
made = subprocess.run(["node", "read.mjs"], input=json.dumps(jobs).encode(), check=True, stdout=subprocess.PIPE)
for (symbology, text, wanted, picture), (answer, by_zbar) in zip(cases, json.loads(made.stdout)):
    assert answer == wanted, "changed"
    assert by_zbar == zxingcpp.read_barcode(picture).text == text, "changed"
for symbology, texts in WANTED.items():
    wrong = [f"{text} is read as {answer!r}" for text, answer in texts.items() if answer != text]
    print(symbology, len(texts), "texts,", len(wrong), "wrong", *wrong[:1])
PYTHON
