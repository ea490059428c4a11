#!/bin/sh
# ZBar reads a lone later part of a structured append if it holds bytes, and is silent if it holds digits or letters.
#
# Guess: of a message in several symbols, a picture that shows one part gives that part, whatever its mode.
#
# Seen with @undecaf/zbar-wasm 0.11.0 (and, called through its shared library, with libzbar 0.23.92): part 1 of 2 alone
# is read in every mode. Part 2 of 2 alone is read in byte mode, with a zero byte for the part that is missing in front,
# but in numeric and in alphanumeric mode nothing is answered at all, neither a symbol nor an error. With both parts in
# one picture all three messages are read whole.
#
# Runs without qrestore: sh findings/zbar-drops-later-parts-of-digits.sh (needs node and npm). Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @undecaf/zbar-wasm@0.11.0 lean-qr@2.7.4
cat > parts.mjs <<'NODE'
import assert from "node:assert";
import { scanGrayBuffer } from "@undecaf/zbar-wasm";
import { generate, mode } from "lean-qr";

const PIXELS = 4;
const MARGIN = 16;
const PARITY = 7; // ZBar compares it between parts, not with the bytes

// A symbol in structured append: the header of ISO/IEC 18004:2015, 8.2, and its content.
function part(content, index) {
  const header = (data) => [[3, 4], [index, 4], [1, 4], [PARITY, 8]].forEach(([value, bits]) => data.push(value, bits));
  return generate(mode.multi(header, content), { minVersion: 2, maxVersion: 2 });
}

// What is read in a picture of these symbols, black on white, side by side.
async function read(...codes) {
  const side = codes[0].size * PIXELS + 2 * MARGIN;
  const width = side * codes.length;
  const grey = new Uint8Array(width * side).fill(255);
  codes.forEach((code, place) => {
    for (let y = 0; y < code.size * PIXELS; y += 1) {
      for (let x = 0; x < code.size * PIXELS; x += 1) {
        if (code.get(Math.floor(x / PIXELS), Math.floor(y / PIXELS))) {
          grey[(y + MARGIN) * width + place * side + x + MARGIN] = 0;
        }
      }
    }
  });
  return (await scanGrayBuffer(grey.buffer, width, side)).map((symbol) => symbol.decode());
}

const contents = {
  numeric: [mode.numeric("1234567890"), mode.numeric("0987654321")],
  alphanumeric: [mode.alphaNumeric("ABCDEF"), mode.alphaNumeric("GHIJKL")],
  bytes: [mode.ascii("abcdef"), mode.ascii("ghijkl")],
};
const seen = {};
for (const [name, [first, second]] of Object.entries(contents)) {
  const [one, other] = [part(first, 0), part(second, 1)];
  seen[name] = { first: await read(one), second: await read(other), both: await read(one, other) };
}
console.log(JSON.stringify(seen, null, 1));
assert.deepStrictEqual(seen, {
  numeric: { first: ["1234567890"], second: [], both: ["12345678900987654321"] },
  alphanumeric: { first: ["ABCDEF"], second: [], both: ["ABCDEFGHIJKL"] },
  bytes: { first: ["abcdef"], second: ["\0ghijkl"], both: ["abcdefghijkl"] },
});
NODE
node parts.mjs
