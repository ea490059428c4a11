#!/bin/sh
# If both copies of the format information have the same three wrong bits, zxing-cpp reads fewer than half of the
# symbols, though the standard corrects these: it also tries the formats of mirrored, Model 1 and unmasked symbols.
#
# Guess: any two of the 32 words of format information differ in seven bits or more, so that up to three wrong bits are
# corrected (ISO/IEC 18004:2015, 7.9 and annex C), and the rest of the symbol, undamaged, is read.
#
# Seen with zxing-cpp 3.1.1, version 1-M, all masks, every choice of bits, the same in both copies of the information:
# with one wrong bit all are read, with two 795 of 840, with three 1,612 of 3,640. The others are checksum errors, as
# their codewords are taken by a wrong mask or level, or mirrored. If one copy is intact, all are read. A model that
# takes the nearest of 32 words under three masks (the standard's, none, Model 1's), as seen and mirrored, the first of
# equals, says of each of the 3,640 rightly whether it is read. quirc and ZBar's decoder, both in deqr 0.2.5, read all.
#
# Runs without qrestore: sh findings/zxing-seldom-corrects-three-bits-of-format.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    deqr==0.2.5 numpy==2.4.6 segno==1.6.6 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version
from itertools import combinations

import deqr
import numpy as np
import segno
import zxingcpp

TEXT = "12"
# Where the 15 bits stand in version 1, the first at left: around one corner, and apart in the two others.
AROUND = [(8, k) for k in (0, 1, 2, 3, 4, 5, 7, 8)] + [(k, 8) for k in (7, 5, 4, 3, 2, 1, 0)]
APART = [(k, 8) for k in range(20, 13, -1)] + [(8, k) for k in range(13, 21)]
DARK = (13, 8)  # the module that is always dark; in a mirrored symbol it lies elsewhere
MASKS = 0x5412, 0, 0x2825


def word(data):
    """The 15 bits of five: BCH (15,5), without a mask."""
    rest = data << 10
    for k in range(14, 9, -1):
        rest ^= (0x537 << k - 10) * (rest >> k & 1)
    return data << 10 | rest


WORDS = [word(data) for data in range(32)]


def bits(dark, places):
    return int("".join("01"[int(dark[place])] for place in places), 2)


def predicted(dark):
    """Level and mask by the nearest word, the first of those that are equally near; none if it was a mirrored one."""
    mirrored = AROUND[::-1], [*APART[:7], DARK, *APART[8:]][::-1]
    found = [((bits(dark, places) ^ mask ^ each).bit_count(), None if places in mirrored else data)
             for mask in MASKS for places in (AROUND, APART, *mirrored) for data, each in enumerate(WORDS)]
    return min(found, key=lambda pair: pair[0])[1]


def picture(dark):
    return (255 * np.pad(np.kron(~dark, np.ones((3, 3))), 12, constant_values=1)).astype(np.uint8)


def is_read(made):
    code = zxingcpp.read_barcode(made, formats=zxingcpp.BarcodeFormat.QRCode)
    return code is not None and code.text == TEXT


seen, agree, by_others = {}, 0, {"QuircDecoder": 0, "QRdecDecoder": 0}
for count in (1, 2, 3):
    for copies in ((AROUND, APART), (AROUND,)):
        results = []
        for mask in range(8):
            code = segno.make_qr(TEXT, version=1, error="m", mask=mask, boost_error=False)
            for choice in combinations(range(15), count):
                dark = np.array([list(row) for row in code.matrix], bool)
                for place in (copy[k] for copy in copies for k in choice):
                    dark[place] ^= True
                results.append(is_read(picture(dark)))
                if count == 3 and len(copies) == 2:
                    for name in by_others:
                        codes = getattr(deqr, name)().decode(picture(dark), convert_data=False)
                        entries = [entry.data for code in codes for entry in code.data_entries]
                        by_others[name] += entries == [TEXT.encode()]
                    agree += results[-1] == (predicted(dark) == mask)  # the two bits of level M are 0
        results = sum(results), len(results)
        seen[count, len(copies)] = results
        print("zxing-cpp", version("zxing-cpp"), "- wrong bits:", count, "in copies:", len(copies), "- read", *results)
print("three in two copies: the model is right of", agree, "- read by", by_others)
assert seen == {(1, 1): (120, 120), (2, 1): (840, 840), (3, 1): (3640, 3640),
                (1, 2): (120, 120), (2, 2): (795, 840), (3, 2): (1612, 3640)}, "changed"
assert agree == 3640 and by_others == {name: 3640 for name in by_others}, "changed"
PYTHON
