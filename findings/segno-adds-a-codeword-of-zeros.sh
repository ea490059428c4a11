#!/bin/sh
# segno puts a codeword of zeros between terminator and padding where the terminator ends on a codeword.
#
# Guess: after the terminator come as many zero bits as fill the codeword, then the pad codewords EC 11 EC 11 in turn
# (ISO/IEC 18004:2015, 7.4.10). Of a message that ends on a codeword with its terminator the next codeword is EC.
#
# Seen with segno 1.6.6: the next codeword is 00, then EC 11 follow. Every message in byte mode alone is of that kind: 4
# bits of mode, 8 or 16 of length, whole bytes and 4 of terminator. In numeric and alphanumeric mode it happens where the
# length happens to fit. qrcode 8.2 writes EC. Decoders ignore padding, so nothing shows, but the two symbols of one
# payload, version, level and mask differ, and who compares a picture with a symbol encoded anew, or takes padding for
# known in error correction, must know both.
#
# Runs without qrestore: sh findings/segno-adds-a-codeword-of-zeros.sh. Fails if the codewords change.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check segno==1.6.6 qrcode==8.2
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import qrcode
import segno

SIDE, MASK = 21, 0  # version 1


def is_fixed(row, column):
    finder = (row < 9 and column < 9) or (row < 9 and column >= SIDE - 8) or (row >= SIDE - 8 and column < 9)
    return finder or row == 6 or column == 6


def codewords(modules):
    """The 26 codewords of a symbol of version 1, which has one block: data, then error correction."""
    bits, column, up = [], SIDE - 1, True
    while column > 0:
        column -= column == 6
        for row in range(SIDE - 1, -1, -1) if up else range(SIDE):
            for at in (column, column - 1):
                if not is_fixed(row, at):
                    bits.append(modules[row][at] ^ ((row + at) % 2 == 0))
        column, up = column - 2, not up
    return [int("".join("01"[bit] for bit in bits[start : start + 8]), 2) for start in range(0, 208, 8)]


def by_segno(text):
    code = segno.make(text, version=1, error="l", mask=MASK, micro=False, boost_error=False)
    return codewords([[bool(module) for module in row] for row in code.matrix])


def by_qrcode(text):
    code = qrcode.QRCode(version=1, error_correction=qrcode.ERROR_CORRECT_L, mask_pattern=MASK, border=0)
    code.add_data(qrcode.util.QRData(text.encode(), mode=qrcode.util.MODE_8BIT_BYTE))
    code.make(fit=False)
    return codewords(code.get_matrix())


print("segno", version("segno"), "qrcode", version("qrcode"))
for text in ("a", "hello", "a payload of 16"):
    used = len(text) + 2  # mode, length and terminator are two codewords
    segno_says, qrcode_says = by_segno(text)[:19], by_qrcode(text)[:19]
    for name, words in (("segno", segno_says), ("qrcode", qrcode_says)):
        print(f"{text!r:18} {name:7} " + " ".join(f"{word:02X}" for word in words))
    assert segno_says[:used] == qrcode_says[:used], "they differ in the message"
    expected = [0xEC, 0x11] * 10
    assert qrcode_says[used:] == expected[: 19 - used], "qrcode has changed"
    assert segno_says[used:] == [0, *expected][: 19 - used], "segno has changed"
PYTHON
