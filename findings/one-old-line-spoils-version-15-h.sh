#!/bin/sh
# Four generators, in Python and in JavaScript, share one wrong line: none makes a readable code of version 15, level H.
#
# Guess: a generator asked for a version and level makes a readable symbol or says that the content does not fit.
#
# Seen with reportlab 5.1.0, qr.js 0.0.0, @akamfoad/qr 0.4.0 and qrcode-svg 1.1.0: each has a table of error correction
# blocks in which 15-H has 11 blocks of 12 data codewords; 7 blocks of 13 are missing (ISO/IEC 18004:2015, table 9). The
# first three draw 15-H with up to 132 data codewords instead of 223, and 259 of the symbol's 655 codewords are empty:
# zxing-cpp 3.1.1 reads none of these, but all of 14-H, 15-Q and 16-H. Left to choose the version, they never take 15-H
# and draw version 16. qrcode-svg has a right table of lengths beside the wrong one of blocks, and raises an error at
# level H for every text of 192 to 217 bytes, though not for 191 or 218.
#
# Runs without qrestore: sh findings/one-old-line-spoils-version-15-h.sh (needs node and npm). Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 reportlab==5.1.0 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts qr.js@0.0.0 @akamfoad/qr@0.4.0 qrcode-svg@1.1.0
cat > draw.cjs <<'NODE'
// Draws symbols of a list of jobs [generator, text, version, level]; 0 lets the generator choose the version. Prints
// for each the rows of modules, or the message of the error.
const { readFileSync } = require("node:fs");
const akamfoad = require("@akamfoad/qr");
const qrjs = require("qr.js");
const QrcodeSvg = require("qrcode-svg");

const generators = {
  "qr.js": (text, version, level) =>
    qrjs(text, { typeNumber: version || -1, errorCorrectLevel: qrjs.ErrorCorrectLevel[level] }).modules,
  "@akamfoad/qr": (text, version, level) => {
    const code = new akamfoad.QRCode(version || -1, akamfoad.ErrorCorrectLevel[level]);
    code.addData(text);
    code.make();
    const all = [...Array(code.getModuleCount()).keys()];
    return all.map((row) => all.map((column) => code.isDark(row, column)));
  },
  "qrcode-svg": (text, version, level) => new QrcodeSvg({ content: text, ecl: level }).qrcode.modules,
};
const drawn = JSON.parse(readFileSync(0)).map(([name, text, version, level]) => {
  try {
    return generators[name](text, version, level);
  } catch (error) {
    return String(error.message || error);
  }
});
console.log(JSON.stringify(drawn));
NODE
venv/bin/python - <<'PYTHON'
import json
import subprocess

import numpy as np
import zxingcpp
from reportlab.graphics.barcode import qr, qrencoder


def by_reportlab(text, version, level):
    widget = qr.QrCodeWidget([qrencoder.QR8bitByte(text)], barLevel=level, qrVersion=version or None)
    widget.qr.make()
    return widget.qr.modules


def draw(jobs):
    made = subprocess.run(["node", "draw.cjs"], input=json.dumps(jobs), check=True, capture_output=True, text=True)
    return json.loads(made.stdout)


def verdict(modules, text):
    if isinstance(modules, str):
        return "error"
    dark = np.array(modules, bool)
    picture = np.pad(np.kron(~dark, np.ones((4, 4))), 16, constant_values=1)
    codes = zxingcpp.read_barcodes((255 * picture).astype(np.uint8), formats=zxingcpp.BarcodeFormat.QRCode)
    if not codes:
        return "unread"
    assert codes[0].bytes == text.encode()
    return codes[0].extra["Version"] + "-" + codes[0].ec_level


# Versions asked for: texts that any of these hold, and that even the wrong table takes.
asked = [(text, version, level) for version, level in ((14, "H"), (15, "Q"), (15, "H"), (16, "H"))
         for text in ("short", "x" * 111, "0123456789" * 12)]
seen = {"reportlab": [verdict(by_reportlab(*job), job[0]) for job in asked]}
for name in ("qr.js", "@akamfoad/qr"):
    seen[name] = [verdict(modules, job[0]) for modules, job in zip(draw([[name, *job] for job in asked]), asked)]
for name, verdicts in seen.items():
    print(name + ":", *verdicts)
    assert verdicts == ["14-H"] * 3 + ["15-Q"] * 3 + ["unread"] * 3 + ["16-H"] * 3, "changed"

# Versions that they choose: 195 to 220 bytes need 15-H. qrcode-svg keeps three bytes free.
lengths = range(190, 224)
texts = ["x" * length for length in lengths]
chosen = {"reportlab": [verdict(by_reportlab(text, 0, "H"), text) for text in texts]}
for name in ("qr.js", "@akamfoad/qr", "qrcode-svg"):
    modules = draw([[name, text, 0, "H"] for text in texts])
    chosen[name] = [verdict(code, text) for code, text in zip(modules, texts)]
for name, verdicts in chosen.items():
    first, end, instead = (192, 218, "error") if name == "qrcode-svg" else (195, 221, "16-H")
    changes = [k for k in range(len(texts)) if not k or verdicts[k] != verdicts[k - 1]]
    print(name + ", from so many bytes on:", *(f"{lengths[k]} {verdicts[k]}" for k in changes))
    wanted = ["14-H" if length < first else instead if length < end else "16-H" for length in lengths]
    assert verdicts == wanted, "changed"
PYTHON
