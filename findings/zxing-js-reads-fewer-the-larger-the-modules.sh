#!/bin/sh
# @zxing/library and html5-qrcode read fewer flawless codes, the larger these are drawn: at 2 pixels a module every one,
# at 12 pixels fewer than half.
#
# Guess: a flawless code, upright and with its quiet zone, is read the better, the more pixels each module has.
#
# Seen with @zxing/library 0.23.0 and html5-qrcode 2.3.8, which has a copy of it, and 80 full symbols of segno 1.6.6,
# versions 1 to 40, levels L and M: 80 are read at 2 pixels a module, 60 at 4, 37 at 6 and 36 at 12. Up to version 7
# none is missed. TRY_HARDER does not help; PURE_BARCODE, or every sixth pixel of each row and column instead of all,
# gives all 80. The finder patterns at the top are looked at in two rows each, then the search skips rows. On its way
# down it meets modules that look alike by chance, in more rows the larger they are. Of the 44 that are missed at 12
# pixels the search ends in 16 with two patterns and a chance one; in 28 it has found all three, but takes one or two
# that were seen in more rows. zxing-cpp 3.1.1 reads all of the same pictures.
#
# Runs without qrestore: sh findings/zxing-js-reads-fewer-the-larger-the-modules.sh (needs node and npm). Fails if that
# changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 segno==1.6.6 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @zxing/library@0.23.0 html5-qrcode@2.3.8
cat > read.cjs <<'NODE'
// Reads square grey pictures, one after the other, whose sides stand in the input, with a library and a hint (or
// none); prints for each the number of characters read, or null, and the finder patterns that were found and taken.
const { readFileSync } = require("node:fs");
const { default: Finder } = require("@zxing/library/cjs/core/qrcode/detector/FinderPatternFinder.js");
const zxing = require(process.argv[2]);

let found, taken;
const select = Finder.prototype.selectBestPatterns;
const place = (pattern) => [pattern.getX(), pattern.getY(), pattern.getCount()];
Finder.prototype.selectBestPatterns = function () {
  found = this.possibleCenters.map(place);
  const best = select.call(this);
  taken = best.map(place);
  return best;
};
const hint = process.argv[3];
const hints = new Map(hint ? [[zxing.DecodeHintType[hint], true]] : []);
const bytes = readFileSync("pictures");
let start = 0;
const answers = JSON.parse(readFileSync(0)).map((side) => {
  const grey = Uint8ClampedArray.from(bytes.subarray(start, start + side * side));
  start += side * side;
  const picture = new zxing.BinaryBitmap(new zxing.HybridBinarizer(new zxing.RGBLuminanceSource(grey, side, side)));
  try {
    return [new zxing.QRCodeReader().decode(picture, hints).getText().length, found, taken];
  } catch (error) {
    return [null, found, taken];
  }
});
console.log(JSON.stringify(answers));
NODE
venv/bin/python - <<'PYTHON'
import hashlib
import json
import subprocess

import numpy as np
import segno
import zxingcpp
from segno import consts

LEVELS = {"L": consts.ERROR_LEVEL_L, "M": consts.ERROR_LEVEL_M}
LIBRARIES = "@zxing/library", "html5-qrcode/third_party/zxing-js.umd.js"
HEXADECIMAL = "".join(hashlib.sha256(b"%d" % number).hexdigest() for number in range(50))


def full(version, level):
    data = sum(info.num_blocks * info.num_data for info in consts.ECC[version][LEVELS[level]])
    text = HEXADECIMAL[: data - (2 if version < 10 else 3)]
    code = segno.make_qr(text, version=version, error=level, mode="byte", boost_error=False)
    return np.pad(1 - np.array([list(row) for row in code.matrix], np.uint8), 4, constant_values=1), len(text)


def read(pictures, library, hint=""):
    with open("pictures", "wb") as file:
        for made in pictures:
            file.write(made.tobytes())
    command, sides = ["node", "read.cjs", library, hint], json.dumps([len(made) for made in pictures])
    return json.loads(subprocess.run(command, input=sides, check=True, capture_output=True, text=True).stdout)


def lengths_read(*how):
    return [length for length, _, _ in read(*how)]


def real(patterns, side):
    """Those of the patterns that stand in a corner, 12 pixels a module."""
    corners = (90, 90), (side - 90, 90), (90, side - 90)
    return [(x, y, rows) for x, y, rows in patterns if min(abs(x - i) + abs(y - j) for i, j in corners) < 12]


symbols = {(version, level): full(version, level) for level in LEVELS for version in range(1, 41)}
lengths = [length for _, length in symbols.values()]
for size, wanted in ((2, 80), (4, 60), (6, 37), (12, 36)):
    pictures = [np.kron(light, np.full((size, size), 255, np.uint8)) for light, _ in symbols.values()]
    assert all(zxingcpp.read_barcode(made) for made in pictures)
    for library in LIBRARIES:
        answers = lengths_read(pictures, library)
        assert all(answer in (None, length) for answer, length in zip(answers, lengths))
        missed = [version for (version, _), answer in zip(symbols, answers) if answer is None]
        print(f"{size} pixels, {library}: {80 - len(missed)} of 80; versions missed:", *sorted(set(missed)))
        assert len(missed) == 80 - wanted and min(missed, default=8) >= 8, "changed"

harder, pure = (lengths_read(pictures, LIBRARIES[0], hint) for hint in ("TRY_HARDER", "PURE_BARCODE"))
smaller = lengths_read([np.ascontiguousarray(made[::6, ::6]) for made in pictures], LIBRARIES[0])
print("12 pixels, TRY_HARDER:", 80 - harder.count(None), "PURE_BARCODE:", 80 - pure.count(None), "every sixth pixel:",
      80 - smaller.count(None))
assert harder.count(None) == 44 and pure == smaller == lengths, "changed"

ended = mistaken = 0
for made, (length, found, taken) in zip(pictures, read(pictures, LIBRARIES[0])):
    corners, side = real(found, len(made)), len(made)
    assert all(rows <= 2 for _, y, rows in corners if y < side / 2)
    if length is None:
        chance = [rows for x, y, rows in taken if (x, y, rows) not in corners]
        ended += len(corners) == 2 and len(found) == 3
        mistaken += len(corners) == 3 and min(chance) > 2
print("search ended with a chance one:", ended, "- chance ones seen in more rows taken:", mistaken)
assert (ended, mistaken) == (16, 28), "changed"
PYTHON
