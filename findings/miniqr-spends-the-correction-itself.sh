#!/bin/sh
# adafruit_miniqr misplaces the last modules of every symbol, so that its own mistake uses up much of the error
# correction before any damage; printed or drawn as in its examples, each symbol is a mirror image as well.
#
# Guess: a generator's symbol has every codeword in its place (ISO/IEC 18004:2015, 7.7.3); who reads it knows no better.
#
# Seen with adafruit-circuitpython-miniqr 2.1.9, seven bytes in each version that it has, 1 to 9, at all levels: modules
# of columns 0 to 3 are wrong, thus the last 2 (version 1) to 17 codewords (version 9), all of them of error correction.
# The rest is as qrcodegen 1.8.0 draws it. A block of 5-L may have 13 wrong codewords; 9 are wrong already, and
# zxing-cpp 3.1.1 reads it with 4 more, not with 5. In 1-L, where the standard promises 2 corrections, 2 are spent. In
# all 36 symbols exactly as much is missing as was misplaced. A flawless picture is read, so nothing shows. (A loop
# steps over the timing pattern by changing its variable, which Python's range does not heed: the columns left of it are
# paired as 5 and 4, 4 and 3, 2 and 1.) The first index of the matrix is the row inside, but x in print and in the
# examples: zxing-cpp reads what they draw as mirrored, quirc (deqr 0.2.5) reads none of them and, turned over, all.
#
# Runs without qrestore: sh findings/miniqr-spends-the-correction-itself.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    adafruit-circuitpython-miniqr==2.1.9 deqr==0.2.5 numpy==2.4.6 qrcodegen==1.8.0 segno==1.6.6 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import adafruit_miniqr
import deqr
import numpy as np
import qrcodegen
import zxingcpp
from segno import consts

LEVELS = {"L": (adafruit_miniqr.L, qrcodegen.QrCode.Ecc.LOW, consts.ERROR_LEVEL_L),
          "M": (adafruit_miniqr.M, qrcodegen.QrCode.Ecc.MEDIUM, consts.ERROR_LEVEL_M),
          "Q": (adafruit_miniqr.Q, qrcodegen.QrCode.Ecc.QUARTILE, consts.ERROR_LEVEL_Q),
          "H": (adafruit_miniqr.H, qrcodegen.QrCode.Ecc.HIGH, consts.ERROR_LEVEL_H)}
TEXT = b"columns"


def by_miniqr(version, level):
    """The modules with the first index as row, and as print shows them."""
    code = adafruit_miniqr.QRCode(qr_type=version, error_correct=LEVELS[level][0])
    code.add_data(TEXT)
    code.make(mask_pattern=0)
    side = range(code.matrix.width)
    inside = np.array([[bool(code.matrix[i, j]) for j in side] for i in side])
    return inside, np.array([[letter == "X" for letter in line] for line in repr(code.matrix).split()])


def by_qrcodegen(version, level):
    segments = [qrcodegen.QrSegment.make_bytes(TEXT)]
    code = qrcodegen.QrCode.encode_segments(segments, LEVELS[level][1], version, version, 0, False)
    side = range(code.get_size())
    return np.array([[code.get_module(x, y) for x in side] for y in side])


def places(version):
    """Row and column of each bit of the codewords, in order, for versions 1 to 9."""
    side = 4 * version + 17
    taken = np.zeros((side, side), bool)
    taken[:9, :9] = taken[:9, -8:] = taken[-8:, :9] = taken[6] = taken[:, 6] = True
    last = side - 7
    lines = [] if version == 1 else [6, last] if version < 7 else [6, last // 2 + 3, last]
    for row in lines:
        for column in lines:
            if (row, column) not in ((6, 6), (6, last), (last, 6)):
                taken[row - 2 : row + 3, column - 2 : column + 3] = True
    if version >= 7:
        taken[:6, -11:-8] = taken[-11:-8, :6] = True
    found, upwards = [], True
    for right in [*range(side - 1, 6, -2), 5, 3, 1]:
        rows = range(side)[:: -1 if upwards else 1]
        found += [(row, column) for row in rows for column in (right, right - 1) if not taken[row, column]]
        upwards = not upwards
    return found


def picture(dark):
    return (255 * np.pad(np.kron(~dark, np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)


def by_zxing(dark):
    found = zxingcpp.read_barcode(picture(dark))
    return bool(found) and found.bytes == TEXT


def by_quirc(dark):
    return bool(deqr.QuircDecoder().decode(picture(dark)))


def corrected(dark, bits, blocks):
    """How many codewords of each block zxing-cpp corrects; the first ones are inverted."""
    hurt, count = dark.copy(), -1
    while by_zxing(hurt):
        count += 1
        for row, column in bits[8 * count * blocks :][: 8 * blocks]:
            hurt[row, column] ^= True
    return count


seen = {}
for version in range(1, 10):
    bits = places(version)
    for level in LEVELS:
        inside, printed = by_miniqr(version, level)
        right = by_qrcodegen(version, level)
        infos = consts.ECC[version][LEVELS[level][2]]
        blocks = sum(info.num_blocks for info in infos)
        data = sum(info.num_blocks * info.num_data for info in infos)
        total = sum(info.num_blocks * info.num_total for info in infos)
        off = np.argwhere(inside != right)
        wrong = sorted({bits.index(tuple(place)) // 8 for place in off.tolist()} - {total})  # total: remainder bits
        spent = max(sum((k - data) % blocks == block for k in wrong) for block in range(blocks))
        best, left = corrected(right, bits, blocks), corrected(inside, bits, blocks)
        seen[f"{version}-{level}"] = len(wrong), spent, best, left
        assert off[:, 1].max() == 3 and wrong[0] >= data and best == (infos[0].num_total - infos[0].num_data) // 2
        assert spent == best - left > 0, "changed"
        assert (printed == inside.T).all() and by_zxing(printed) and not by_quirc(printed), "changed"
        assert by_zxing(inside) and by_quirc(inside) and by_quirc(right), "changed"
print("wrong codewords, in one block, corrected of a right symbol, of miniqr's:")
for level in LEVELS:
    print("", *(f"{version}-{level}: {seen[f'{version}-{level}']}" for version in range(1, 10)))
assert seen["1-L"] == (2, 2, 3, 1) and seen["5-L"] == (9, 9, 13, 4) and seen["9-M"] == (17, 4, 11, 7), "changed"
PYTHON
