#!/bin/sh
# reportlab writes AT&T in extended Code 93 so that every reader answers ATt, and A=B as A"; four signs of ASCII stand
# for something else there, or spoil the symbol.
#
# Guess: a class for extended Code 93 draws each of the 128 characters of ASCII as itself.
#
# Seen with reportlab 5.1.0, Extended93, each of 128 characters between a 7 and a capital, 26 texts for each: of 124
# characters all are read by zxing-cpp 3.1.1 and ZBar (@undecaf/zbar-wasm 0.11.0) as written; of ! # & and = all 104
# texts are answered with another character in place of the last two, and nothing marks it: 7&T is read as 7t, 7#M as
# 7 and a carriage return. Before a digit or at the end of a text neither reader answers anything. reportlab names the
# four shift characters of Code 93 by these very signs, and takes those of the text for shifts. The check characters are
# worked out from what is drawn, so the symbol agrees with itself. zint (zint-bindings 1.2.2) draws the same texts, and
# both read them as written.
#
# Runs without qrestore: sh findings/reportlab-writes-at-and-t-in-code-93-as-att.sh (needs node and npm). Fails if that
# changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 pillow==13.0.0 reportlab==5.1.0 zint-bindings==1.2.2 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @undecaf/zbar-wasm@0.11.0
cat > read.mjs <<'NODE'
// Reads grey pictures, whose widths, heights and pixels are given; prints what ZBar answers, or null.
import { readFileSync } from "node:fs";
import { scanGrayBuffer } from "@undecaf/zbar-wasm";

const answers = [];
for (const [width, height, pixels] of JSON.parse(readFileSync(0))) {
  const symbols = await scanGrayBuffer(Uint8Array.from(Buffer.from(pixels, "base64")).buffer, width, height);
  answers.push(symbols.length ? symbols[0].decode() : null);
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
from reportlab.graphics.barcode import createBarcodeDrawing
from reportlab.graphics.shapes import Rect

EXAMPLES = {"AT&T": "ATt", "A=B": 'A"', "R&D 12": "Rd 12", "NO#A": "NO\x01", "7#M": "7\r", "7!7": None, "7#7": None,
            "7&7": None, "7=7": None, "TOP!": None}
SIGNS = "!#&="


def by_reportlab(text):
    """The modules of the bar code, 1 where a bar is."""
    drawing = createBarcodeDrawing("Extended93", value=text, barWidth=1, quiet=False, humanReadable=False)
    row = np.zeros(round(drawing.width), np.uint8)
    for group in drawing.expandUserNodes().contents:
        for bar in group.contents:
            if isinstance(bar, Rect) and bar.fillColor is not None:
                row[round(bar.x) : round(bar.x + bar.width)] = 1
    return row


def by_zint(text):
    code = zint.Symbol()
    code.symbology = zint.Symbology.CODE93
    code.encode(text)
    return np.unpackbits(np.frombuffer(bytes(code.encoded_data), np.uint8), bitorder="little")[: code.width]


def read(codes):
    """What zxing-cpp answers for each of the codes, or None; asserts that ZBar answers the same."""
    lines = [255 * np.repeat(1 - np.pad(row, 12), 3) for row in codes]  # three pixels a module
    pictures = [np.ascontiguousarray(np.repeat(line[None], 60, axis=0)) for line in lines]
    jobs = [(made.shape[1], made.shape[0], base64.b64encode(made.tobytes()).decode()) for made in pictures]
    made = subprocess.run(["node", "read.mjs"], input=json.dumps(jobs).encode(), check=True, stdout=subprocess.PIPE)
    found = [zxingcpp.read_barcode(picture) for picture in pictures]
    answers = [code.bytes.decode() if code else None for code in found]
    assert answers == [answer or None for answer in json.loads(made.stdout)], "changed"
    return answers


answers = read([by_reportlab(text) for text in EXAMPLES])
for text, answer in zip(EXAMPLES, answers):
    print(text, "is read as", repr(answer))
assert answers == list(EXAMPLES.values()), "changed"
assert read([by_zint(text) for text in EXAMPLES]) == list(EXAMPLES), "changed"

texts = [f"7{chr(number)}{capital}" for number in range(128) for capital in string.ascii_uppercase]
answers = read([by_reportlab(text) for text in texts])
wrong = [(text, answer) for text, answer in zip(texts, answers) if answer != text]
print(len(wrong), "of", len(texts), "texts are read with another character")
assert {text[1] for text, _ in wrong} == set(SIGNS) and len(wrong) == 26 * len(SIGNS), "changed"
assert all(len(answer) == 2 and answer[0] == "7" for _, answer in wrong), "changed"
assert read([by_zint(text) for text in texts]) == texts, "changed"
PYTHON
