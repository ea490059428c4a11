#!/bin/sh
# qrcode-reader takes the second copy of the format information from its end to its beginning: if the first is lost, so
# is the symbol, although the other is intact.
#
# Guess: the format information stands twice in a symbol (ISO/IEC 18004:2015, 7.9.1), so that one copy suffices.
#
# Seen with qrcode-reader 1.0.4, a fork of jsqrcode, and symbols of segno 1.6.6, version 1, at all levels and masks, 3
# pixels a module: of 32 symbols whose first copy is dark and light by turns, which is four bits or more from each valid
# word, qrcode-reader reads 4, by chance, zxing-cpp 3.1.1 and quirc (deqr 0.2.5) all. With the second copy spoilt in
# that way, or with three bits of the first wrong, qrcode-reader reads all. If the first copy is dark all over, as of a
# blot, it reads 2 and the others 32. Proof: with the first copy spoilt and the second drawn in reverse order
# qrcode-reader reads all 32, zxing-cpp none and quirc 2.
#
# Runs without qrestore: sh findings/qrcode-reader-reads-the-second-format-backwards.sh (needs node and npm). Fails if
# that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    deqr==0.2.5 numpy==2.4.6 segno==1.6.6 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts qrcode-reader@1.0.4
cat > read.cjs <<'NODE'
// Reads square grey pictures of one size, one after the other; prints the texts, null where nothing is read.
const { readFileSync } = require("node:fs");
const Reader = require("qrcode-reader");

const side = Number(process.argv[2]);
const bytes = readFileSync("pictures");
const answers = [];
for (let start = 0; start < bytes.length; start += side * side) {
  const data = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let k = 0; k < side * side; k += 1) {
    data.fill(bytes[start + k], 4 * k, 4 * k + 3);
  }
  const reader = new Reader();
  reader.callback = (error, found) => answers.push(error ? null : found.result);
  reader.decode({ width: side, height: side, data });
}
console.log(JSON.stringify(answers));
NODE
venv/bin/python - <<'PYTHON'
import json
import subprocess

import deqr
import numpy as np
import segno
import zxingcpp

TEXT, SIDE = "twice", 21
FIRST = [(8, column) for column in (0, 1, 2, 3, 4, 5, 7, 8)] + [(row, 8) for row in (7, 5, 4, 3, 2, 1, 0)]
SECOND = [(SIDE - 1 - k, 8) for k in range(7)] + [(8, SIDE - 8 + k) for k in range(8)]


def dark_first(dark):
    for place in FIRST:
        dark[place] = True


def spoilt_first(dark):
    for k, place in enumerate(FIRST):
        dark[place] = k % 2 == 0


def spoilt_second(dark):
    for k, place in enumerate(SECOND):
        dark[place] = k % 2 == 0


def three_wrong(dark):
    for place in (FIRST[0], FIRST[6], FIRST[12]):
        dark[place] ^= True


def spoilt_first_reversed_second(dark):
    spoilt_first(dark)
    bits = [dark[place] for place in SECOND]
    for place, bit in zip(SECOND, reversed(bits)):
        dark[place] = bit


def by_qrcode_reader(pictures):
    with open("pictures", "wb") as file:
        file.write(b"".join(made.tobytes() for made in pictures))
    answers = subprocess.run(["node", "read.cjs", str(len(pictures[0]))], check=True, capture_output=True)
    return [answer == TEXT for answer in json.loads(answers.stdout)]


def by_zxing(pictures):
    found = [zxingcpp.read_barcode(made) for made in pictures]
    return [bool(code) and code.text == TEXT for code in found]


def by_quirc(pictures):
    return [bool(deqr.QuircDecoder().decode(made)) for made in pictures]


symbols = {(level, mask): np.array([list(row) for row in segno.make_qr(
    TEXT, version=1, error=level, mask=mask, boost_error=False).matrix], bool) for level in "LMQH" for mask in range(8)}
for dark in symbols.values():
    first, second = ([dark[place] for place in places] for places in (FIRST, SECOND))
    assert first == second and sum(bit != (k % 2 == 0) for k, bit in enumerate(first)) >= 4
    assert sum(first) <= 11  # a dark copy differs in four bits or more, too
WANTED = {None: (32, 32, 32), three_wrong: (32, 32, 32), spoilt_second: (32, 32, 32), spoilt_first: (4, 32, 32),
          dark_first: (2, 32, 32), spoilt_first_reversed_second: (32, 0, 2)}
print("read by qrcode-reader, zxing-cpp, quirc:")
for damage, wanted in WANTED.items():
    pictures = []
    for dark in symbols.values():
        hurt = dark.copy()
        if damage:
            damage(hurt)
        pictures.append((255 * np.pad(np.kron(~hurt, np.ones((3, 3))), 12, constant_values=1)).astype(np.uint8))
    counts = tuple(sum(read(pictures)) for read in (by_qrcode_reader, by_zxing, by_quirc))
    print("", damage.__name__ if damage else "as it is", counts)
    assert counts == wanted, "changed"
PYTHON
