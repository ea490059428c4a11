#!/bin/sh
# reportlab's structured append writes part 1 of 2 as the second of three: no reader ever has all of such a message.
#
# Guess: QRStructAppend(1, 2, parity) makes the header that the standard has for the first of two symbols, with place
# and number of symbols each less one (ISO/IEC 18004:2015, 8.2): 0 and 1.
#
# Seen with reportlab 5.1.0: the class asks for parts and totals from 1 to 16 and writes them as they are: 1 and 2, thus
# the second of three. Of 1 to 16 of 16, the 16 does not fit its four bits: the number is stated as 0, which means one
# symbol, and the last part as the first. Of a message in two parts ZBar (@undecaf/zbar-wasm 0.11.0) answers a zero byte
# in front, for a part that it misses, though both are in the picture; of segno's two symbols it answers the message.
# zxing-cpp 3.1.1 reads the content of each. A reader that waits for all parts waits for one that was never drawn.
#
# Runs without qrestore: sh findings/reportlab-numbers-its-parts-from-one.sh (needs node and npm). Fails if that
# changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 reportlab==5.1.0 segno==1.6.6 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @undecaf/zbar-wasm@0.11.0
cat > read.mjs <<'NODE'
// Reads the grey picture of the given width and height; prints a list of texts.
import { readFileSync } from "node:fs";
import { scanGrayBuffer } from "@undecaf/zbar-wasm";

const [width, height] = process.argv.slice(2).map(Number);
const symbols = await scanGrayBuffer(new Uint8Array(readFileSync("picture")).buffer, width, height);
console.log(JSON.stringify(symbols.map((symbol) => symbol.decode())));
NODE
venv/bin/python - <<'PYTHON'
import json
import subprocess
from functools import reduce
from operator import xor

import numpy as np
import segno
import zxingcpp
from reportlab.graphics.barcode import qr, qrencoder

TEXT = "one half and another"
PARITY = reduce(xor, TEXT.encode())


def by_reportlab(part, total, text):
    widget = qr.QrCodeWidget([qrencoder.QRStructAppend(part, total, PARITY), qrencoder.QR8bitByte(text)], barLevel="M")
    widget.qr.make()
    return np.array(widget.qr.modules, bool)


def picture(dark):
    return (255 * np.pad(np.kron(~dark, np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)


def header(dark, text):
    """Mode, place, number and parity: the first 20 bits, in the two columns at the right, bottom up."""
    code = zxingcpp.read_barcode(picture(dark))
    assert code.text == text
    i, j = np.indices(dark.shape)
    zero = ((i + j) % 2, i % 2, j % 3, (i + j) % 3, (i // 2 + j // 3) % 2, i * j % 2 + i * j % 3,
            (i * j % 2 + i * j % 3) % 2, ((i + j) % 2 + i * j % 3) % 2)[code.extra["DataMask"]]
    plain = dark ^ (zero == 0)
    bits = "".join("01"[int(plain[-1 - k // 2, -1 - k % 2])] for k in range(20))
    return int(bits[:4], 2), int(bits[4:8], 2), int(bits[8:12], 2), int(bits[12:], 2)


def by_zbar(symbols):
    sheet = np.hstack([picture(dark) for dark in symbols])
    with open("picture", "wb") as file:
        file.write(sheet.tobytes())
    command = ["node", "read.mjs", str(sheet.shape[1]), str(sheet.shape[0])]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


halves = TEXT[:10], TEXT[10:]
theirs = [by_reportlab(part, 2, half) for part, half in enumerate(halves, 1)]
others = [np.array([list(row) for row in code.matrix], bool)
          for code in segno.make_sequence(TEXT, symbol_count=2, error="m")]
for name, symbols, wanted in (("reportlab", theirs, [1, 2, 2]), ("segno", others, [0, 1, 1])):
    headers = [header(dark, half) for dark, half in zip(symbols, halves)]
    answer = by_zbar(symbols)
    print(name, "- mode, place, number, parity:", *headers, "- ZBar answers", answer)
    assert headers == [(3, place, wanted[2], PARITY) for place in wanted[:2]], "changed"
    assert answer == ["\0" + TEXT if name == "reportlab" else TEXT], "changed"

places = [header(by_reportlab(part, 16, "text"), "text")[1:3] for part in range(1, 17)]
print("reportlab, 1 to 16 of 16:", *places)
assert places == [(part % 16, 0) for part in range(1, 17)], "changed"
PYTHON
