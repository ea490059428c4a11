#!/bin/sh
# jsQR reads no symbol of version 23 at level L, and at level M it has far less to spare than with its neighbours.
#
# Guess: a flawless code, 4 pixels a module and upright, is read at every version and level.
#
# Seen with jsqr 1.4.0: of symbols of segno 1.6.6 in all eight masks, all are read at versions 22 and 24 and at 23-M,
# 23-Q and 23-H, none at 23-L. Its list of versions has alignment patterns of version 23 at module 74; they are at 78.
# So it takes data for pattern and pattern for data there, in every symbol of the version, damaged or not. With a white
# square in the middle, version 22-M is read up to 38 modules a side and 24-M up to 44, but 23-M up to 16. zxing-cpp
# 3.1.1 reads all of the same pictures that have no such square.
#
# Runs without qrestore: sh findings/jsqr-never-reads-version-23-l.sh (needs node and npm). Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 segno==1.6.6 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts jsqr@1.4.0
cat > read.cjs <<'NODE'
// Reads square grey pictures, one after the other, whose sides and bytes stand in two files; prints a list of texts.
const { readFileSync } = require("node:fs");
const jsQR = require("jsqr");

const bytes = readFileSync("pictures");
let start = 0;
const texts = JSON.parse(readFileSync("sides")).map((side) => {
  const colours = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let k = 0; k < side * side; k += 1) {
    colours.fill(bytes[start + k], 4 * k, 4 * k + 3);
  }
  start += side * side;
  const found = jsQR(colours, side, side);
  return found && found.data;
});
console.log(JSON.stringify(texts));
NODE
venv/bin/python - <<'PYTHON'
import json
import subprocess
from collections import Counter

import numpy as np
import segno
import zxingcpp

TEXT = "Version 23"
VERSIONS = 22, 23, 24


def modules(version, level, mask):
    code = segno.make_qr(TEXT, version=version, error=level, mask=mask, boost_error=False)
    return np.array([list(row) for row in code.matrix], bool)


def picture(dark):
    return (255 * np.pad(np.kron(~dark, np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)


def read(pictures):
    with open("pictures", "wb") as file:
        file.write(b"".join(made.tobytes() for made in pictures))
    with open("sides", "w") as file:
        json.dump([len(made) for made in pictures], file)
    return json.loads(subprocess.run(["node", "read.cjs"], check=True, capture_output=True).stdout)


flawless = [(f"{version}-{level}", picture(modules(version, level, mask)))
            for version in VERSIONS for level in "LMQH" for mask in range(8)]
pictures = [made for _, made in flawless]
assert all(zxingcpp.read_barcode(made).text == TEXT for made in pictures)
count = Counter(name for (name, _), text in zip(flawless, read(pictures)) if text == TEXT)
print("read of 8:", {name: count[name] for name, _ in flawless})

largest = {}
for version in VERSIONS:
    blotted = []
    for side in range(2, 71, 2):
        dark = modules(version, "M", 0)
        start = (len(dark) - side) // 2 - 10  # beside the alignment pattern of the middle
        dark[start : start + side, start : start + side] = False
        blotted.append(picture(dark))
    texts = read(blotted)
    largest[version] = 2 * texts.index(None)
print("largest blot that is read, in modules:", largest)
assert count == {name: 8 for name, _ in flawless if name != "23-L"}, "changed"
assert largest == {22: 38, 23: 16, 24: 44}, "changed"
PYTHON
