#!/bin/sh
# Two generators of Aztec codes raise an error for everyday texts such as "10%, 20%" or "Art. 5 (2), 7": where a sign, a
# comma or full stop with its space, and a digit meet, they plan a symbol that they cannot write.
#
# Guess: a generator takes every text of ASCII that is short enough.
#
# Seen with aztec-code-generator 0.12 and aztec-py 1.2.1, which has a copy of its code: of 138 texts, one of 23 signs
# after nothing, a digit or a letter, then ", " or ". ", then a digit, none is drawn: ValueError, b', ' is not in list.
# With ": " for the pair, or without the sign, all are drawn, and zxing-cpp 3.1.1 reads them. Of ten everyday texts
# both refuse all; zint (zint-bindings 1.2.2) draws these and all others, and they are read as written. Among digits the
# sign is reached by a shift, which holds for one character; the comma belongs to the mode of digits. When the space
# follows, the two are joined to the one code that the mode of signs has for them, as if the shift still held.
#
# Runs without qrestore: sh findings/aztec-generators-refuse-a-list-of-percentages.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    aztec-code-generator==0.12 aztec-py==1.2.1 numpy==2.4.6 zint-bindings==1.2.2 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import aztec_code_generator
import aztec_py
import numpy as np
import zint
import zxingcpp

EVERYDAY = ["10%, 20%", "12.5%, 3.1%", "Art. 5 (2), 7", "Vol. 3 (2019), 45-67", "A4 (210 x 297 mm), 80 g", '24", 27"',
            "Main Street 5 (left), 2nd floor", "12:30 (UTC), 45 min", "Ring 5 (10%). 6 left", "Room 12 (a), 3 beds"]
SIGNS = "!\"#$%&'()*+-/:;<=>?[]{}"


def by_zint(text):
    code = zint.Symbol()
    code.symbology = zint.Symbology.AZTEC
    code.encode(text)
    rows = np.frombuffer(bytes(code.encoded_data), np.uint8).reshape(-1, 144)[: code.rows]
    return np.unpackbits(rows, axis=1, bitorder="little")[:, : code.width]


def read(dark):
    picture = 255 * np.pad(np.kron(1 - np.array(dark, np.uint8), np.ones((4, 4), np.uint8)), 16, constant_values=1)
    return zxingcpp.read_barcode(picture, formats=zxingcpp.BarcodeFormat.Aztec).text


def drawn(texts):
    """How many of the texts each of the two draws; all that are drawn are read as written."""
    counts = []
    for generator in (aztec_code_generator, aztec_py):
        counts.append(0)
        for text in texts:
            try:
                code = generator.AztecCode(text)
            except ValueError as error:
                assert str(error) in ("b', ' is not in list", "b'. ' is not in list"), error
            else:
                counts[-1] += 1
                assert read(code.matrix) == text
    return counts


def texts(signs, pairs):
    return [f"{before}{sign}{pair}7" for before in ("", "5", "x") for sign in signs for pair in pairs]


refused, other, unsigned = texts(SIGNS, (", ", ". ")), texts(SIGNS, (": ",)), texts([""], (", ", ". "))
print("drawn by aztec-code-generator and aztec-py:")
for name, tried, wanted in (("sign, pair, digit", refused, 0), ("colon in place of the comma", other, len(other)),
                            ("without a sign", unsigned, len(unsigned)), ("everyday texts", EVERYDAY, 0)):
    counts = drawn(tried)
    print("", name, *counts, "of", len(tried))
    assert counts == [wanted, wanted], "changed"
    assert [read(by_zint(text)) for text in tried] == tried, "changed"
PYTHON
