#!/bin/sh
# BWIPP (bwip-js) writes two per cent signs for one in GS1 QR codes, if the sign stands among small letters: readers
# answer another batch or serial number than was encoded.
#
# Guess: a per cent sign is doubled in alphanumeric mode alone, where a single one means the separator; in byte mode it
# stands for itself, and the separator is the byte 1D (ISO/IEC 18004:2015, 7.4.8).
#
# Seen with bwip-js 4.11.4, gs1qrcode: (10)AB%C is in alphanumeric mode and is read as it is. (10)ab%c is in byte mode
# with the bytes ab%%c, and zxing-cpp 3.1.1 and @zxing/library 0.23.0 read ab%%c; ZBar's decoder (deqr 0.2.5), which
# shows the parts as they are, has a part of five bytes. It depends on the neighbours: (21)100%pure% is read as
# 100%pure%%, as the first sign gets a part of its own in alphanumeric mode; (10)ab%CDEFGHIJKLMNOPQ is right, but
# (10)abcdef%1234567890 is not. A separator in the same byte mode is the byte 1D. zint (zint-bindings 1.2.2) draws all
# of these so that they are read as they are. GS1 allows the per cent sign in such numbers.
#
# Runs without qrestore: sh findings/bwip-js-doubles-per-cent-signs-among-small-letters.sh (needs node and npm). Fails
# if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    deqr==0.2.5 numpy==2.4.6 zint-bindings==1.2.2 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @zxing/library@0.23.0 bwip-js@4.11.4
cat > draw.cjs <<'NODE'
// Draws a list of GS1 texts; prints the rows of modules.
const { readFileSync } = require("node:fs");
const bwip = require("bwip-js/node");

const drawn = JSON.parse(readFileSync(0)).map((text) => {
  const [code] = bwip.raw({ bcid: "gs1qrcode", text, eclevel: "M" });
  return Array.from({ length: code.pixy }, (_, row) => [...code.pixs.slice(row * code.pixx, (row + 1) * code.pixx)]);
});
console.log(JSON.stringify(drawn));
NODE
cat > read.cjs <<'NODE'
// Reads square grey pictures, one after the other, whose sides stand in the input; prints the texts.
const { readFileSync } = require("node:fs");
const { BinaryBitmap, HybridBinarizer, QRCodeReader, RGBLuminanceSource } = require("@zxing/library");

const bytes = readFileSync("pictures");
let start = 0;
const answers = JSON.parse(readFileSync(0)).map((side) => {
  const grey = Uint8ClampedArray.from(bytes.subarray(start, start + side * side));
  start += side * side;
  const source = new RGBLuminanceSource(grey, side, side);
  return new QRCodeReader().decode(new BinaryBitmap(new HybridBinarizer(source))).getText();
});
console.log(JSON.stringify(answers));
NODE
venv/bin/python - <<'PYTHON'
import json
import subprocess

import deqr
import numpy as np
import zint
import zxingcpp

TRADE_ITEM = "(01)04012345123456"
WRONG = {"(10)ab%c": "(10)ab%%c", "(10)ab%c(21)x": "(10)ab%%c(21)x", "(21)100%pure%": "(21)100%pure%%",
         "(10)abcdef%1234567890": "(10)abcdef%%1234567890"}
RIGHT = ["(10)AB%C", "(10)50%off", "(10)100%", "(10)ab%CDEFGHIJKLMNOPQ", "(10)abc(21)x"]


def by_bwip(texts):
    command = ["node", "draw.cjs"]
    made = subprocess.run(command, input=json.dumps(texts), check=True, capture_output=True, text=True)
    return [np.array(modules, bool) for modules in json.loads(made.stdout)]


def by_zint(text):
    symbol = zint.Symbol()
    symbol.symbology, symbol.option_1, symbol.input_mode = zint.Symbology.QRCODE, 2, zint.InputMode.GS1
    symbol.encode(text.replace("(", "[").replace(")", "]"))
    rows = np.frombuffer(bytes(symbol.encoded_data), np.uint8).reshape(-1, 144)[: symbol.rows]
    return np.unpackbits(rows, axis=1, bitorder="little")[:, : symbol.width] == 1


def picture(dark):
    return (255 * np.pad(np.kron(~dark, np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)


def by_zxing_js(pictures):
    with open("pictures", "wb") as file:
        file.write(b"".join(made.tobytes() for made in pictures))
    sides = json.dumps([len(made) for made in pictures])
    answers = subprocess.run(["node", "read.cjs"], input=sides, check=True, capture_output=True, text=True)
    return json.loads(answers.stdout)


texts = [TRADE_ITEM + text for text in [*WRONG, *RIGHT]]
for name, symbols in (("bwip-js", by_bwip(texts)), ("zint", [by_zint(text) for text in texts])):
    pictures = [picture(dark) for dark in symbols]
    for text, made, other in zip(texts, pictures, by_zxing_js(pictures)):
        found = zxingcpp.read_barcode(made)
        assert found.symbology_identifier == "]Q3" and found.bytes.decode() == other
        answer, text = found.text.removeprefix(TRADE_ITEM), text.removeprefix(TRADE_ITEM)
        parts = deqr.QRdecDecoder().decode(made, convert_data=False)[0].data_entries
        print(f"{name}: {text} -> {answer}; parts:", *(f"{part.type.name} {part.data.decode()!r}" for part in parts))
        assert answer == (WRONG.get(text, text) if name == "bwip-js" else text), "changed"
        if text == "(10)ab%c":
            assert parts[1].type == deqr.QRDataType.BYTE and parts[1].data.count(b"%") == 1 + (name == "bwip-js")
PYTHON
