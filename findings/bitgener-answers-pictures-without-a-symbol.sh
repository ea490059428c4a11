#!/bin/sh
# bitgener answers a picture without a symbol, and no error, if a text is too long for the size or the form that was
# asked for; the largest Data Matrix, 144 x 144, it draws so that nobody reads it.
#
# Guess: a generator answers a symbol that can be read, or an error; its README lists errors by code.
#
# Seen with bitgener 1.2.12, type datamatrix, small letters. Of its own size, 150 pixels, 1 to 1,050 letters are read by
# zxing-cpp 3.1.1 and libdmtx (arbez-dmtx 0.0.3); from 1,051 on each module is rounded down to 0 pixels, and the
# picture shows the text below white paper. In rectangular form 50 letters or more, in any size 1,559 or more give a
# picture that has no modules at all. With 300 pixels 1,304 letters, 132 x 132, are read and 1,305 to 1,558, 144 x 144,
# are not: its table has 8 blocks of error correction for this size in place of 10 (ISO/IEC 16022:2006, table 7), thus
# 77.5 codewords in each. Proof: with a 10 in the table both read 144 x 144, too.
#
# Runs without qrestore: sh findings/bitgener-answers-pictures-without-a-symbol.sh (needs node and npm). Fails if that
# changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check arbez-dmtx==0.0.3 numpy==2.4.6 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts bitgener@1.2.12
cat > draw.cjs <<'NODE'
// Draws a Data Matrix for each set of options; prints the SVG texts. With "repaired" the table says 10 for 144 x 144.
const { readFileSync } = require("node:fs");
const { interleavedBlocks, lengthRows } = require("bitgener/src/Barcode/Datamatrix/constants.js");

if (process.argv[2] === "repaired") {
  interleavedBlocks[lengthRows.indexOf(144)] = 10;
}
const bitgener = require("bitgener");

const draw = (options) => bitgener({ type: "datamatrix", output: "string", ...options });
const print = (made) => console.log(JSON.stringify(made.map(({ svg }) => svg)));
Promise.all(JSON.parse(readFileSync(0)).map(draw)).then(print);
NODE
venv/bin/python - <<'PYTHON'
import json
import re
import subprocess

import arbez_dmtx
import numpy as np
import zxingcpp

DATA_MATRIX = zxingcpp.BarcodeFormat.DataMatrix
NUMBER = '"([0-9.]+)"'
BAR = re.compile(f'<rect width={NUMBER} height={NUMBER} x={NUMBER} y={NUMBER} fill="#000000"')
PIXELS = 3  # for each of the picture's own


def draw(jobs, table="as it is"):
    job = json.dumps(jobs).encode()
    return json.loads(subprocess.run(["node", "draw.cjs", table], input=job, check=True, stdout=subprocess.PIPE).stdout)


def picture(svg):
    """The bars of an SVG text, black on white."""
    width, height = (int(size) * PIXELS for size in re.search(r'width="(\d+)" height="(\d+)"', svg).groups())
    made = np.full((height, width), 255, np.uint8)
    left, top = (0 if place == "NaN" else int(place) for place in re.search(r"translate\((\S+) (\S+)\)", svg).groups())
    for bar in BAR.findall(svg):
        wide, high, x, y = map(float, bar)
        x, y = x + left, y + top
        made[round(y * PIXELS) : round((y + high) * PIXELS), round(x * PIXELS) : round((x + wide) * PIXELS)] = 0
    return made


def state(svg, text):
    made = picture(svg)
    if made.all():
        return "blank"
    found = zxingcpp.read_barcode(made, formats=DATA_MATRIX)
    answers = [found and found.text, *(code.data.decode() for code in arbez_dmtx.decode(made, max_count=1))]
    return {2: "read", 0: "unread"}[sum(answer == text for answer in answers)]


def check(name, options, wanted, table="as it is"):
    texts = ["".join(chr(97 + k * k % 26) for k in range(letters)) for letters in wanted]
    made = draw([{"data": text, **options} for text in texts], table)
    states = [state(svg, text) for svg, text in zip(made, texts)]
    print(name, *(f"{letters} {seen}" for letters, seen in zip(wanted, states)), sep=", ")
    assert states == list(wanted.values()), "changed"
    assert all(f">{text}</text>" in svg for svg, text in zip(made, texts)), "changed"


LARGE = {"width": 300, "height": 300}
check("150 pixels", {}, {1: "read", 500: "read", 1050: "read", 1051: "blank", 1304: "blank", 1600: "blank"})
check("rectangular", {"rectangular": True}, {1: "read", 49: "read", 50: "blank", 80: "blank"})
check("300 pixels", LARGE, {1304: "read", 1305: "unread", 1558: "unread", 1559: "blank"})
check("300 pixels, 10 blocks", LARGE, {1304: "read", 1305: "read", 1558: "read", 1559: "blank"}, "repaired")
PYTHON
