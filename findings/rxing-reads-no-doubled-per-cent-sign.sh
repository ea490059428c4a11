#!/bin/sh
# rxing reads no GS1 QR code that holds a per cent sign in alphanumeric mode, and @nuintun/qrcode reads one in byte mode
# as a separator, so that a batch number ends there.
#
# Guess: after FNC1 a doubled per cent sign in alphanumeric mode is one, a single one is the separator, and in byte mode
# a per cent sign is just that (ISO/IEC 18004:2015, 7.4.8).
#
# Seen with rxing 0.9, in qrlyzer 0.3.4 and in rxing-wasm 0.5.7: of (10)AB%C, which zint-bindings 1.2.2 writes as AB%%C
# in alphanumeric mode, both answer that there is no code in the picture; so with each such text, wherever the sign
# stands. Without FNC1, or in byte mode, they read it. @nuintun/qrcode 5.0.3 is the other way round: it reads these, but
# of (10)ab%c, bytes, it answers 10ab, a separator and c, which no GS1 parser takes. Byte 1D is a separator for all.
# zxing-cpp 3.1.1 and @zxing/library 0.23.0 read all of the same pictures as written. A code without a per cent sign
# shows nothing of this. Batch and serial numbers may hold it.
#
# Runs without qrestore: sh findings/rxing-reads-no-doubled-per-cent-sign.sh (needs node and npm). Fails if that
# changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    deqr==0.2.5 numpy==2.4.6 qrlyzer==0.3.4 segno==1.6.6 zint-bindings==1.2.2 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @nuintun/qrcode@5.0.3 @zxing/library@0.23.0 rxing-wasm@0.5.7
cat > read.mjs <<'NODE'
// Reads square grey pictures, one after the other, whose sides stand in the input; prints each reader's texts.
import { readFileSync } from "node:fs";
import { binarize, Decoder, Detector } from "@nuintun/qrcode";
import zxing from "@zxing/library";
import { decode_barcode } from "rxing-wasm";

const readers = {
  "rxing-wasm": (grey, side) => decode_barcode(grey, side, side).text(),
  "@nuintun/qrcode": (grey, side) => {
    const found = new Detector().detect(binarize(grey, side, side)).next();
    return new Decoder().decode(found.value.matrix).content;
  },
  "@zxing/library": (grey, side) => {
    const source = new zxing.RGBLuminanceSource(Uint8ClampedArray.from(grey), side, side);
    return new zxing.QRCodeReader().decode(new zxing.BinaryBitmap(new zxing.HybridBinarizer(source))).getText();
  },
};
const bytes = new Uint8Array(readFileSync("pictures"));
let start = 0;
const answers = JSON.parse(readFileSync(0)).map((side) => {
  const grey = bytes.slice(start, start + side * side);
  start += side * side;
  return Object.entries(readers).map(([name, read]) => {
    try {
      return [name, read(grey, side)];
    } catch (error) {
      return [name, null];
    }
  });
});
console.log(JSON.stringify(answers));
NODE
venv/bin/python - <<'PYTHON'
import json
import subprocess

import deqr
import numpy as np
import qrlyzer
import segno
import zint
import zxingcpp

LETTERS = ["(10)AB%C", "(10)%AB", "(10)AB%", "(10)ABCDE%FGHI(21)X1", "(10)AB(21)X%1", "(10)A%B%C"]
BYTES = ["(10)ab%c", "(10)ab%c(21)x", "(21)a%b%c"]
WITHOUT = ["(10)ABC(21)X1", "(10)abc(21)x"]


def elements(text):
    """The element string: no brackets, a separator before the second element."""
    return text.replace("(21)", "\x1d21").replace("(10)", "10").lstrip("\x1d")


def by_zint(text):
    symbol = zint.Symbol()
    symbol.symbology, symbol.option_1, symbol.input_mode = zint.Symbology.QRCODE, 2, zint.InputMode.GS1
    symbol.encode(text.replace("(", "[").replace(")", "]"))
    rows = np.frombuffer(bytes(symbol.encoded_data), np.uint8).reshape(-1, 144)[: symbol.rows]
    return np.unpackbits(rows, axis=1, bitorder="little")[:, : symbol.width] == 1


def picture(dark):
    return (255 * np.pad(np.kron(~dark, np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)


def read(pictures):
    """What each reader answers for each picture."""
    with open("pictures", "wb") as file:
        file.write(b"".join(made.tobytes() for made in pictures))
    sides = json.dumps([len(made) for made in pictures])
    answers = subprocess.run(["node", "read.mjs"], input=sides, check=True, capture_output=True, text=True)
    for made, others in zip(pictures, json.loads(answers.stdout)):
        found = qrlyzer.detect_and_decode_from_bytes(made.tobytes(), len(made), len(made))
        by_zxing = zxingcpp.read_barcode(made).bytes.decode()
        yield {"zxing-cpp": by_zxing, "qrlyzer": found[0] if found else None, **dict(others)}


pictures = [picture(by_zint(text)) for text in LETTERS + BYTES + WITHOUT]
for text, made, answers in zip(LETTERS + BYTES + WITHOUT, pictures, read(pictures)):
    modes = {part.type.name for part in deqr.QRdecDecoder().decode(made, convert_data=False)[0].data_entries}
    assert ("BYTE" in modes) == (text != text.upper())
    wanted = dict.fromkeys(answers, elements(text))
    print(text, *modes, {name: answer for name, answer in answers.items() if answer != wanted[name]} or "all right")
    if text in LETTERS:
        wanted["qrlyzer"] = wanted["rxing-wasm"] = None
    if text in BYTES:
        wanted["@nuintun/qrcode"] = elements(text).replace("%", "\x1d")
    assert answers == wanted, "changed"
plain = picture(np.array([list(row) for row in segno.make_qr("AB%%C", mode="alphanumeric").matrix], bool))
(answers,) = read([plain])
assert set(answers.values()) == {"AB%%C"}
PYTHON
