#!/bin/sh
# zxing-cpp reads the Code 39 of N/A as N! and that of C/O SMITH as "C/ SMITH", but that of PO/4711 as it is: signs
# before letters make it take the whole text for extended Code 39, unless it is told not to.
#
# Guess: no symbol says whether its pairs stand for full ASCII, which is an option to be agreed upon (ISO/IEC 16388), so
# a reader that was not told of any answers the characters that stand there.
#
# Seen with zxing-cpp 3.1.1, all formats or formats=Code39, and symbols of zint (zint-bindings 1.2.2): of the texts of a
# digit, one of $ % / + and a third character, the 104 that end on a letter come back as two characters, the 64 others
# as they are. One sign without a letter after it keeps a whole text: AB/C is answered as AB#, but AB/C-1/2 as it is. So
# of a list of part numbers some change. With formats=Code39Std all are answered as written; the format of the others
# is said to be "Code 39 Extended". ZBar (@undecaf/zbar-wasm 0.11.0), @zxing/library 0.23.0 and rxing (rxing-wasm 0.5.7)
# answer all 168 texts as they are.
#
# Runs without qrestore: sh findings/zxing-shortens-code-39-with-a-slash.sh (needs node and npm). Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 zint-bindings==1.2.2 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts \
    @undecaf/zbar-wasm@0.11.0 @zxing/library@0.23.0 rxing-wasm@0.5.7
cat > read.mjs <<'NODE'
// Reads grey pictures, whose widths, heights and pixels are given; prints what ZBar, @zxing/library and rxing answer.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { scanGrayBuffer } from "@undecaf/zbar-wasm";
import { decode_barcode as decode } from "rxing-wasm";

const zxing = createRequire(import.meta.url)("@zxing/library");
const answers = [];
for (const [width, height, pixels] of JSON.parse(readFileSync(0))) {
  const grey = Uint8Array.from(Buffer.from(pixels, "base64"));
  const source = new zxing.RGBLuminanceSource(Uint8ClampedArray.from(grey), width, height);
  const picture = new zxing.BinaryBitmap(new zxing.GlobalHistogramBinarizer(source));
  const byZbar = (await scanGrayBuffer(grey.slice().buffer, width, height)).map((symbol) => symbol.decode());
  const byZxing = new zxing.Code39Reader().decode(picture).getText();
  answers.push([...byZbar, byZxing, decode(grey, width, height, true).text()]);
}
console.log(JSON.stringify(answers));
NODE
venv/bin/python - <<'PYTHON'
import base64
import json
import string
import subprocess

import numpy as np
import zint
import zxingcpp

CODE_39 = zxingcpp.BarcodeFormat.Code39
STANDARD = zxingcpp.BarcodeFormat.Code39Std
EXAMPLES = {"N/A": "N!", "C/O SMITH": "C/ SMITH", "KM/H": "KM(", "AB/C": "AB#", "A+B": "Ab", "AB/C-1/2": "AB/C-1/2",
            "PO/4711": "PO/4711"}


def draw(text):
    code = zint.Symbol()
    code.symbology = zint.Symbology.CODE39
    code.encode(text)
    row = np.unpackbits(np.frombuffer(bytes(code.encoded_data), np.uint8), bitorder="little")[: code.width]
    return np.repeat(255 * np.repeat(1 - np.pad(row, 12), 3)[None], 60, axis=0).astype(np.uint8)


def read(picture):
    """What zxing-cpp answers; asserts that nothing depends on how Code 39 is asked for."""
    asked, unasked = zxingcpp.read_barcode(picture, formats=CODE_39), zxingcpp.read_barcode(picture)
    assert asked.bytes == unasked.bytes and str(asked.format) == str(unasked.format), "changed"
    return asked.bytes.decode(), str(asked.format)


pairs = [f"1{sign}{last}" for sign in "$%/+" for last in string.digits + string.ascii_uppercase + "-.$/+%"]
texts = [*EXAMPLES, *pairs]
pictures = [draw(text) for text in texts]
jobs = [(made.shape[1], made.shape[0], base64.b64encode(made.tobytes()).decode()) for made in pictures]
others = subprocess.run(["node", "read.mjs"], input=json.dumps(jobs).encode(), check=True, stdout=subprocess.PIPE)
changed = 0
for text, picture, answers in zip(texts, pictures, json.loads(others.stdout)):
    answer, kind = read(picture)
    if text in EXAMPLES:
        print(text, "is read as", answer, f"({kind})")
        assert answer == EXAMPLES[text], "changed"
    else:
        assert (answer != text) == text[-1].isalpha() and len(answer) == (2 if text[-1].isalpha() else 3), "changed"
        changed += answer != text
    assert (kind == "Code 39 Extended") == (answer != text), "changed"
    assert zxingcpp.read_barcode(picture, formats=STANDARD).text == text, "changed"
    assert answers == [text, text, text], "changed"
print(changed, "of", len(pairs), "pairs are read as one character")
PYTHON
