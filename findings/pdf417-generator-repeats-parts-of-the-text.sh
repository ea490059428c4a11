#!/bin/sh
# pdf417-generator, made for payment slips, repeats parts of a text in which a stretch of ASCII between two letters
# beyond it stands twice: of "Königstraße 5, Königstraße 7" readers answer two streets more.
#
# Guess: a PDF417 symbol of a text in Western letters is read as the text that was encoded.
#
# Seen with pdf417-generator 1.1.1: the text above is read as "Königstraße 5, Knigstraße 5, Knigstraße 5, Königstraße
# 7". A slip of its own HUB3.format whose payer and recipient live in that street has 20 lines instead of 14, and the
# account stands six lines too low. Each stretch of five ASCII characters or more is looked for from the start of the
# text (indexOf) instead of the end of the last stretch: what occurs earlier is found there, and all from there on is
# written again. Of 24 streets, each twice in a text, it spoils just the 8 that have such a stretch between two letters
# beyond ASCII, as from ö to ß. Nothing is raised. zxing-cpp 3.1.1 and @zxing/library 0.23.0 answer the same; the same
# texts in symbols of pdf417gen 0.8.1 they read as written.
#
# Runs without qrestore: sh findings/pdf417-generator-repeats-parts-of-the-text.sh (needs node and npm). Fails if that
# changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 pdf417gen==0.8.1 pillow==13.0.0 zxing-cpp==3.1.1
cd "$folder"
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts pdf417-generator@1.1.1 @zxing/library@0.23.0
cat > draw.cjs <<'NODE'
// Draws the texts, and last a payment slip with the given address lines; prints the slip's text and for each symbol its
// width and the bars of its rows as place and width.
const { readFileSync } = require("node:fs");
const { HUB3, PDF417 } = require("pdf417-generator");

function draw(text) {
  const rows = [];
  const fillRect = (x, y, width) => {
    rows[y] = [...(rows[y] ?? []), [x, width]];
  };
  const canvas = { getContext: () => ({ fillRect, scale() {} }) };
  PDF417.draw(text, canvas);
  return [canvas.width, Array.from(rows, (row) => row ?? [])];
}

const { texts, payer, recipient } = JSON.parse(readFileSync(0));
const slip = HUB3.format({
  amount: 123.45, payerName: "Petar Novak", payerAddress: payer, payerCity: "10000 Zagreb",
  recipientName: "Firma d.o.o.", recipientAddr: recipient, recipientCity: "10000 Zagreb",
  iban: "HR1210010051863000160", model: "HR01", callNumber: "7336-68949637625", purposeCode: "COST",
  description: "Uplata",
});
console.log(JSON.stringify({ slip, drawn: [...texts, slip].map(draw) }));
NODE
cat > read.cjs <<'NODE'
// Reads grey pictures, whose widths, heights and rows of pixels are given; prints the texts.
const { readFileSync } = require("node:fs");
const zxing = require("@zxing/library");

console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(([width, height, pixels]) => {
  const source = new zxing.RGBLuminanceSource(Uint8ClampedArray.from(Buffer.from(pixels, "base64")), width, height);
  return new zxing.PDF417Reader().decode(new zxing.BinaryBitmap(new zxing.HybridBinarizer(source))).getText();
})));
NODE
venv/bin/python - <<'PYTHON'
import base64
import json
import re
import subprocess

import numpy as np
import pdf417gen
import zxingcpp

STREETS = ["Königstraße", "Mühlstraße", "Röntgenstraße", "Bürgermeisterstraße", "Jägerstraße", "Vögelestraße",
           "Höhenstraße", "Müllerstraße", "Hauptstraße", "Schloßallee", "Am Mühlbach", "Lange Straße", "Königsallee",
           "Bahnhofstraße", "Kirchstraße", "Gänsemarkt", "Rue Élysée Reclus", "Rue de la Liberté", "Rue Henri Désiré",
           "Avenue du Maréchal Foch", "Place de la République", "Calle Núñez de Balboa", "Praça João do Rio",
           "Øvre gate"]
BETWEEN = re.compile("[^\0-\x7f][\0-\x7f]{5,}[^\0-\x7f]")


def node(script, job):
    made = subprocess.run(["node", script], input=json.dumps(job).encode(), check=True, stdout=subprocess.PIPE)
    return json.loads(made.stdout)


def picture(width, rows):
    made = np.full((len(rows), width), 255, np.uint8)
    for line, bars in zip(made, rows):
        for place, size in bars:
            line[place : place + size] = 0
    return np.kron(np.pad(made, 4, constant_values=255), np.ones((3, 3), np.uint8))


def read(pictures):
    """What zxing-cpp answers; asserts that @zxing/library answers the same."""
    jobs = [(made.shape[1], made.shape[0], base64.b64encode(made.tobytes()).decode()) for made in pictures]
    answers = [zxingcpp.read_barcode(made).bytes.decode("latin1") for made in pictures]
    assert node("read.cjs", jobs) == answers, "changed"
    return answers


texts = [f"{street} 5, {street} 7" for street in STREETS]
made = node("draw.cjs", {"texts": texts, "payer": "Königstraße 5", "recipient": "Königstraße 7"})
*answers, slip = read([picture(*symbol) for symbol in made["drawn"]])
for street, text, answer in zip(STREETS, texts, answers):
    if answer != text:
        print(text, "is read as", answer)
    assert (answer != text) == bool(BETWEEN.search(street)), "changed"
assert answers[0] == "Königstraße 5, Knigstraße 5, Knigstraße 5, Königstraße 7", "changed"
print("a slip of", made["slip"].count("\n"), "lines is read as")
print(slip)
lines = [content.split("\n").index("HR1210010051863000160") for content in (made["slip"], slip)]
assert (made["slip"].count("\n"), slip.count("\n"), lines) == (14, 20, [9, 15]), "changed"
images = [np.array(pdf417gen.render_image(pdf417gen.encode(text, encoding="latin1")).convert("L")) for text in texts]
assert read(images) == texts, "changed"
PYTHON
