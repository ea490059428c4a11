#!/bin/sh
# segno's structured append states the parity of other bytes than those that its symbols hold, if a charset is named.
#
# Guess: the parity in the header of each symbol is the XOR of all bytes of the message (ISO/IEC 18004:2015, 8.3), so
# that a reader can tell that the symbols which it joins belong together.
#
# Seen with segno 1.6.6: make_sequence(text, encoding="utf-8") stores UTF-8, but states the parity of the text in
# ISO 8859-1 or, if it does not fit there, in Shift JIS: 208, not 69, of a Russian text; 200, not 54, of a Japanese one;
# 251, not 120, of a German one. The same with cp1251. Only ASCII, and ISO 8859-1 or Shift JIS asked for, agree.
# zxing-cpp 3.1.1 reads the bytes. A reader that checks the parity, as the standard has it, refuses these messages.
#
# Runs without qrestore: sh findings/segno-states-a-parity-that-its-symbols-do-not-have.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 segno==1.6.6 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
from functools import reduce
from operator import xor

import numpy as np
import segno
import zxingcpp

TEXTS = {"ASCII": "plain words of ASCII", "Russian": "Привет, мир! Это текст", "Japanese": "日本語のテキストです",
         "German": "Größe, Straße"}


def modules(code):
    return np.array([list(row) for row in code.matrix], bool)


def stored(code):
    """The bytes of a symbol, by zxing-cpp."""
    picture = np.pad(np.kron(~modules(code), np.ones((4, 4))), 16, constant_values=1)
    return zxingcpp.read_barcode((255 * picture).astype(np.uint8)).bytes


def stated(code):
    """Mode, index, total and parity: the first 20 bits, in the two columns at the right, bottom up."""
    drawn = modules(code)
    i, j = np.indices(drawn.shape)
    zero = ((i + j) % 2, i % 2, j % 3, (i + j) % 3, (i // 2 + j // 3) % 2, i * j % 2 + i * j % 3,
            (i * j % 2 + i * j % 3) % 2, ((i + j) % 2 + i * j % 3) % 2)[code.mask]
    plain = drawn ^ (zero == 0)
    bits = "".join("01"[int(plain[-1 - k // 2, -1 - k % 2])] for k in range(20))
    return int(bits[:4], 2), int(bits[4:8], 2), int(bits[8:12], 2) + 1, int(bits[12:], 2)


found = {}
for charset in ("utf-8", "cp1251", "shift_jis", "iso-8859-1"):
    for language, text in TEXTS.items():
        try:
            text.encode(charset)
        except UnicodeError:
            continue
        sequence = segno.make_sequence(text, symbol_count=2, encoding=charset, mode="byte")
        payload = b"".join(map(stored, sequence))
        assert payload == text.encode(charset)
        headers = [stated(code) for code in sequence]
        assert [header[:3] for header in headers] == [(3, 0, 2), (3, 1, 2)], headers
        assert headers[0][3] == headers[1][3]
        found[charset, language] = headers[0][3], reduce(xor, payload)
print("segno", segno.__version__, "- parity stated, and that of the bytes stored:")
for (charset, language), pair in found.items():
    print(f"{charset:10} {language:8} {pair[0]:3} {pair[1]:3}")
wrong = {key for key, (said, real) in found.items() if said != real}
assert wrong == {("utf-8", "Russian"), ("utf-8", "Japanese"), ("utf-8", "German"), ("cp1251", "Russian")}, "changed"
PYTHON
