#!/bin/sh
# quirc takes the last data codeword of each longer block from a wrong place, and so corrects one error fewer than it
# could in every symbol whose blocks differ in length, 128 of the 160 versions and levels.
#
# Guess: a block with n codewords of error correction is read with n/2 wrong ones, at every version and level
# (ISO/IEC 18004:2015, 7.5.1).
#
# Seen with deqr 0.2.5, whose QuircDecoder is quirc: with n/2 wrong codewords in each block, the 12 combinations of a
# version (5 to 20) and a level whose blocks are all of one length are read. Of the other 52, where some blocks have a data codeword more than others
# (5-Q, 5-H, 7-Q, ...), none is read; with n/2 - 1 all are. The last data codeword of a longer block stands as many
# places too far on as there are shorter blocks, so that it is wrong in a flawless picture, too, and uses up a
# correction. Proof: if this very codeword is one of the n/2, all are read again. zxing-cpp 3.1.1 and deqr's other
# decoder, ZBar's, read every one of the same pictures. (Of larger versions quirc misses flawless ones, too.)
#
# Runs without qrestore: sh findings/quirc-takes-a-codeword-from-the-wrong-place.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    deqr==0.2.5 numpy==2.4.6 segno==1.6.6 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import random
from importlib.metadata import version as version_of

import deqr
import numpy as np
import segno
import zxingcpp
from segno import consts

LEVELS = {"L": consts.ERROR_LEVEL_L, "M": consts.ERROR_LEVEL_M, "Q": consts.ERROR_LEVEL_Q, "H": consts.ERROR_LEVEL_H}
chance = random.Random(7)


def sizes_of(version, level):
    """The data codewords of each block, and the codewords of error correction that each has."""
    infos = consts.ECC[version][LEVELS[level]]
    return [info.num_data for info in infos for _ in range(info.num_blocks)], infos[0].num_total - infos[0].num_data


def places_of(sizes, corrections):
    """For each block, where its codewords stand in the symbol: data, then error correction, a column at a time."""
    order = [b for k in range(max(sizes)) for b, size in enumerate(sizes) if k < size]
    order += [*range(len(sizes))] * corrections
    return [[place for place, block in enumerate(order) if block == b] for b in range(len(sizes))]


def picture(code, wrong):
    """The symbol with all eight modules inverted of each codeword in `wrong`."""
    dark = np.array([list(row) for row in code.matrix], bool)
    kinds = np.array([list(row) for row in code.matrix_iter(border=0, verbose=True)])
    is_data = (kinds == consts.TYPE_DATA_DARK) | (kinds == consts.TYPE_DATA_LIGHT)
    is_data[8, -9] = True  # segno takes this one for format information
    up = range(len(dark) - 1, -1, -1)
    pairs = [column - (column <= 6) for column in range(len(dark) - 1, 0, -2)]
    modules = [(row, at) for k, column in enumerate(pairs) for row in (up[::-1] if k % 2 else up)
               for at in (column, column - 1) if is_data[row, at]]
    for place in wrong:
        for row, column in modules[8 * place : 8 * place + 8]:
            dark[row, column] ^= True
    return (255 * np.pad(np.kron(~dark, np.ones((4, 4))), 16, constant_values=1)).astype(np.uint8)


def is_read(decoder, made, text):
    codes = decoder().decode(made.copy())  # they write into the picture
    return [entry.data for code in codes for entry in code.data_entries] == [text]


kinds = "none", "n/2 - 1", "n/2", "n/2, the last data codeword one of them"
counts = {(kind, differ): [0, 0] for kind in kinds for differ in (False, True)}
for version in range(5, 21):
    for level in LEVELS:
        sizes, corrections = sizes_of(version, level)
        text = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=sum(sizes) - 3))
        code = segno.make_qr(text, version=version, error=level, mask=0, boost_error=False)
        half, longer = corrections // 2, [size > min(sizes) for size in sizes]
        for kind, count in zip(kinds, (0, half - 1, half, half)):
            wrong = []
            for size, is_longer, places in zip(sizes, longer, places_of(sizes, corrections)):
                first = size - 1 if is_longer and kind == kinds[-1] else size
                wrong += places[first : first + count]
            made = picture(code, wrong)
            assert zxingcpp.read_barcode(made).text == text and is_read(deqr.QRdecDecoder, made, text)
            counts[kind, any(longer)][0] += is_read(deqr.QuircDecoder, made, text)
            counts[kind, any(longer)][1] += 1
print("deqr", version_of("deqr"), "- wrong codewords in each block; versions and levels that quirc reads of those with")
for kind in kinds:
    print(f"{kind:40} blocks of one length {counts[kind, False]}, of two {counts[kind, True]}")
    assert counts[kind, False] == [12, 12], "changed"
    assert counts[kind, True] == [0 if kind == "n/2" else 52, 52], "changed"
differing = [len({*sizes_of(version, level)[0]}) > 1 for version in range(1, 41) for level in LEVELS]
print("versions and levels with blocks of two lengths:", sum(differing), "of", len(differing))
assert sum(differing) == 128
PYTHON
