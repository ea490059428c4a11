#!/bin/sh
# @chillerlan/qrcode draws well-formed symbols of other digits than it was given: of a number with more than three
# digits the first three are right, and readers answer the rest wrong without any doubt, or nothing.
#
# Guess: a text of digits goes into numeric mode, three digits in ten bits (ISO/IEC 18004:2015, 7.4.3), and any reader
# answers the same digits.
#
# Seen with @chillerlan/qrcode 1.0.1, which takes numeric mode of its own accord for every text of digits only: the
# article number 4006381333931 is read as 4000006381811, 20261130143000 as 20200061199754, 1234 as 1237; of 0123456789
# nothing is read, as one of its groups of three digits exceeds 999. Of the numbers 1000 to 1999, 64 are read right, 576
# wrong and 360 not at all; of the first 4 to 51 digits of pi none is right. Nothing is raised, and the error correction
# agrees with the wrong digits. zxing-cpp 3.1.1 and ZBar's decoder (deqr 0.2.5) answer the same for each symbol. The
# package is a port from PHP, whose substr takes a start and a length; JavaScript's substring, put in its place, takes a
# start and an end, and exchanges them if the end is smaller. Up to three digits, and digits among letters, are in
# order. qrcode-generator 2.0.4 draws the same texts in the same mode as they are.
#
# Runs without qrestore: sh findings/chillerlan-draws-other-digits.sh (needs node and npm). Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deqr==0.2.5 numpy==2.4.6 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @chillerlan/qrcode@1.0.1 qrcode-generator@2.0.4
cat > draw.cjs <<'NODE'
// Draws each text of a list with the generator that is named; prints the rows of modules.
const { readFileSync } = require("node:fs");
const chillerlan = require("@chillerlan/qrcode");
const generator = require("qrcode-generator");

const draw = {
  chillerlan: (text) => {
    const options = new chillerlan.QROptions();
    options.outputInterface = chillerlan.QRStringJSON;
    options.addQuietzone = false;
    options.drawLightModules = true;
    const { rows } = JSON.parse(new chillerlan.QRCode(options).render(text)).qrcode.matrix;
    return rows.map((row) => row.modules.map((module) => module.dark));
  },
  generator: (text) => {
    const code = generator(0, "L");
    code.addData(text, "Numeric");
    code.make();
    const all = [...Array(code.getModuleCount()).keys()];
    return all.map((row) => all.map((column) => code.isDark(row, column)));
  },
}[process.argv[2]];
console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(draw)));
NODE
venv/bin/python - <<'PYTHON'
import json
import subprocess
from collections import Counter

import deqr
import numpy as np
import zxingcpp

NUMBERS = {"007": "007", "1234": "1237", "4006381333931": "4000006381811", "20261130143000": "20200061199754",
           "0123456789": None, "A4006381333931": "A4006381333931"}


def draw(name, texts):
    command = ["node", "draw.cjs", name]
    made = subprocess.run(command, input=json.dumps(texts), check=True, capture_output=True, text=True)
    return json.loads(made.stdout)


def read(modules):
    dark = np.array(modules, bool)
    made = (255 * np.pad(np.kron(~dark, np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)
    found = zxingcpp.read_barcode(made, formats=zxingcpp.BarcodeFormat.QRCode)
    other = deqr.QRdecDecoder().decode(made, convert_data=False)
    answer = found and found.text
    assert answer == (other[0].data_entries[0].data.decode() if other else None)
    assert not answer or (other[0].data_entries[0].type == deqr.QRDataType.NUMERIC) == answer.isdigit()
    return answer


for (text, wanted), modules in zip(NUMBERS.items(), draw("chillerlan", list(NUMBERS))):
    answer = read(modules)
    print(text, "->", answer)
    assert answer == wanted, "changed"
assert [read(modules) for modules in draw("generator", list(NUMBERS)[:5])] == list(NUMBERS)[:5]
years = [str(number) for number in range(1000, 2000)]
answers = [read(modules) for modules in draw("chillerlan", years)]
counts = Counter("none" if answer is None else "right" if answer == year else "wrong"
                 for year, answer in zip(years, answers))
print("1000 to 1999:", dict(counts))
assert counts == {"right": 64, "wrong": 576, "none": 360}, "changed"
lengths = ["314159265358979323846264338327950288419716939937510"[:length] for length in range(1, 52)]
right = [len(text) for text, modules in zip(lengths, draw("chillerlan", lengths)) if read(modules) == text]
print("of the first 1 to 51 digits of pi are read right:", right)
assert right == [1, 2, 3], "changed"
PYTHON
