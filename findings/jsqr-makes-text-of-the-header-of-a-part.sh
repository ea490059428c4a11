#!/bin/sh
# jsQR takes the header of a structured append for content: the first part is answered as an empty text, others as
# texts that are nowhere in them.
#
# Guess: a reader that knows nothing of structured appends (ISO/IEC 18004:2015, 8) answers the part's content, or null.
#
# Seen with jsqr 1.4.0 and five texts that segno 1.6.6 divides into two to eight parts: each of the 35 first parts is
# answered as a code with an empty text and no bytes, which a caller cannot tell from a code that holds nothing. Of the
# 140 others 79 are null, 30 empty, 20 right and 11 a text of 50 to 256 characters that the part does not hold: digits
# of the second of three parts of a hexadecimal number, letters of the third of a vCard. jsQR has no meaning for mode
# 0011 and goes on with the next four bits, the place of the part, as if they were a mode: 0 is the end, 1 digits, 2
# letters, 4 bytes. Nothing marks the answer. zxing-cpp 3.1.1 reads the content of every part.
#
# Runs without qrestore: sh findings/jsqr-makes-text-of-the-header-of-a-part.sh (needs node and npm). Fails if that
# changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 segno==1.6.6 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts jsqr@1.4.0
cat > read.cjs <<'NODE'
// Reads square grey pictures, one after the other, whose sides and bytes stand in two files; prints what jsQR answers.
const { readFileSync } = require("node:fs");
const jsQR = require("jsqr");

const bytes = readFileSync("pictures");
let start = 0;
const answers = JSON.parse(readFileSync("sides")).map((side) => {
  const colours = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let k = 0; k < side * side; k += 1) {
    colours.fill(bytes[start + k], 4 * k, 4 * k + 3);
  }
  start += side * side;
  const found = jsQR(colours, side, side);
  return found && [found.data, found.binaryData.length];
});
console.log(JSON.stringify(answers));
NODE
venv/bin/python - <<'PYTHON'
import json
import subprocess
from collections import Counter

import numpy as np
import segno
import zxingcpp

TEXTS = {"prose": "The quick brown fox jumps over the lazy dog. " * 12, "digits": "0123456789" * 30,
         "hexadecimal": "4fa09b3c" * 60, "address": "https://example.org/a?b=" + "abcdef0123456789/" * 20,
         "vCard": "BEGIN:VCARD\nVERSION:3.0\nN:Doe;Jane\nTEL:+49301234567\nEND:VCARD\n" * 4}


def picture(code):
    dark = np.array([list(row) for row in code.matrix], bool)
    return (255 * np.pad(np.kron(~dark, np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)


def read(pictures):
    with open("pictures", "wb") as file:
        file.write(b"".join(made.tobytes() for made in pictures))
    with open("sides", "w") as file:
        json.dump([len(made) for made in pictures], file)
    return json.loads(subprocess.run(["node", "read.cjs"], check=True, capture_output=True).stdout)


print("jsqr 1.4.0, segno", segno.__version__)
kinds, examples = {"first": Counter(), "later": Counter()}, {}
for name, text in TEXTS.items():
    for total in range(2, 9):
        pictures = [picture(code) for code in segno.make_sequence(text, symbol_count=total, error="m", mask=0)]
        contents = [zxingcpp.read_barcode(made).text for made in pictures]
        assert "".join(contents) == text
        for place, (content, answer) in enumerate(zip(contents, read(pictures))):
            kind = "null" if answer is None else "right" if answer[0] == content else "wrong" if answer[0] else "empty"
            kinds["later" if place else "first"][kind] += 1
            if kind == "wrong":
                examples[name, place + 1, total] = content, *answer
for key, (content, text, count) in examples.items():
    print(*key, "-", repr(content[:24]), "->", repr(text[:40]), count)
print(kinds)
assert kinds == {"first": {"empty": 35}, "later": {"null": 79, "empty": 30, "right": 20, "wrong": 11}}, "changed"
assert {(name, place) for name, place, total in examples if total == 3} == {
    ("prose", 3), ("digits", 3), ("hexadecimal", 2), ("vCard", 3)}, "changed"
assert examples["hexadecimal", 2, 3][1].isdigit() and len(examples["hexadecimal", 2, 3][1]) == 128, "changed"
PYTHON
