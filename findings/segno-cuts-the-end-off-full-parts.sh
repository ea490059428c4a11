#!/bin/sh
# segno's structured append by version puts more into a symbol than it holds and cuts off the end: nothing is raised,
# and no reader reads the symbol.
#
# Guess: make_sequence(text, version=2, error="m") takes as many symbols as the text needs, each with its header, or
# raises DataOverflowError if 16 do not suffice.
#
# Seen with segno 1.6.6: a symbol of 2-M holds 24 bytes of a structured append. 48 bytes become two that are read; of 49
# the first states 25 bytes and has room for 24. 73 bytes, which need four symbols, are put into three, of
# which one is not read; of 74 two, of 75 none is. The more parts, the more lengths: 186 of the 383 that are drawn in
# parts, among them 385 to 409 bytes, which no 16 symbols hold. Digits and letters fare alike. Mode and length of a
# part, 12 bits or more, are counted once for the whole message, and what does not fit is left out before error
# correction is worked out, so that the symbol agrees with itself. With symbol_count in place of version all is read.
# Unread: by zxing-cpp 3.1.1 and by ZBar's decoder (deqr 0.2.5), which read all other parts; they are exactly those
# parts that have more bits than the symbol.
#
# Runs without qrestore: sh findings/segno-cuts-the-end-off-full-parts.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    deqr==0.2.5 numpy==2.4.6 segno==1.6.6 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import deqr
import numpy as np
import segno
import zxingcpp

CAPACITY = 224  # bits of data in a symbol of 2-M
ALPHABETS = {"byte": "abcdefghijklmnopqrstuvwxyz", "alphanumeric": "ABCDEFGHIJ0123456789", "numeric": "0123456789"}


def bits(mode, length):
    """Of a part with so many characters: header of the structured append, mode, length and content."""
    content = {"byte": 8 + 8 * length, "alphanumeric": 9 + (11 * length + 1) // 2,
               "numeric": 10 + (10 * length + 2) // 3}
    return 20 + 4 + content[mode]


def read(code):
    """The text of a symbol by zxing-cpp; None if neither it nor ZBar's decoder reads it."""
    dark = np.array([list(row) for row in code.matrix], bool)
    made = (255 * np.pad(np.kron(~dark, np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)
    by_zxing = zxingcpp.read_barcode(made, formats=zxingcpp.BarcodeFormat.QRCode)
    by_zbar = [part.data for each in deqr.QRdecDecoder().decode(made, convert_data=False) for part in each.data_entries]
    assert by_zbar == ([by_zxing.bytes] if by_zxing else []), (by_zxing, by_zbar)
    return by_zxing and by_zxing.text


seen = {}
print("segno", segno.__version__, "- 2-M")
for mode, letters in ALPHABETS.items():
    drawn, spoilt, needless, length = [], {}, [], 0
    while True:
        length += 1
        text = "".join(letters[7 * k % len(letters)] for k in range(length))
        try:
            sequence = segno.make_sequence(text, version=2, error="m", mode=mode, mask=0, boost_error=False)
        except segno.DataOverflowError:
            break
        if len(sequence) == 1:
            continue
        if mode != "byte" and len(sequence) > 3:  # it goes on like this
            break
        drawn.append(length)
        parts = [read(code) for code in sequence]
        lengths = [length // len(parts) + (k < length % len(parts)) for k in range(len(parts))]
        assert [part is None for part in parts] == [bits(mode, each) > CAPACITY for each in lengths], "changed"
        if None in parts:
            spoilt[length] = f"{parts.count(None)} of {len(parts)}"
            whole = segno.make_sequence(text, symbol_count=len(parts), error="m", mode=mode, boost_error=False)
            assert "".join(map(read, whole)) == text
        else:
            assert "".join(parts) == text
    seen[mode] = len(drawn), len(spoilt)
    print(f"{mode}, {drawn[0]} to {drawn[-1]} in parts: {len(drawn)} lengths drawn, {len(spoilt)} with parts not read:",
          ", ".join(f"{key} ({value})" for key, value in [*spoilt.items()][:4]), "...")
    if mode == "byte":
        assert [*spoilt.items()][:4] == [(49, "1 of 2"), (73, "1 of 3"), (74, "2 of 3"), (75, "3 of 3")], "changed"
        too_long = [spoilt[length] for length in range(385, 410)]
        assert too_long == [f"{min(k, 16)} of 16" for k in range(1, 26)], "changed"
assert seen == {"byte": (383, 186), "alphanumeric": (70, 9), "numeric": (116, 11)}, "changed"
PYTHON
