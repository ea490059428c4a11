#!/bin/sh
# rmqrcode, an encoder for nothing but rMQR, draws 22 of the 64 sizes and levels so that no reader reads them.
#
# Guess: an encoder made for one symbology draws every version of it, and zxing-cpp, which reads the same 64 symbols of
# zint without exception, reads these too.
#
# Seen with rmqrcode 0.3.2, four digits in every version at both levels: zxing-cpp 3.1.1 reads none of R9x77-H, R9x139-M,
# R11x59-H, R11x77-H, R11x99-M and -H, R13x27-M, R13x77, R13x99 and R13x139 (both levels), R15x43-H, R15x77 and
# R15x139 (both levels), R17x43-H, R17x77-H, R17x99-M and R17x139-H; R17x43-M raises KeyError. They are mostly those
# whose blocks differ in length. zint-bindings 1.2.2 draws all 64 so that they are read.
#
# Runs without qrestore: sh findings/rmqrcode-draws-a-third-of-the-sizes-wrong.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 rmqrcode==0.3.2 zint-bindings==1.2.2 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import rmqrcode
import zint
import zxingcpp
from rmqrcode import encoder
from rmqrcode.format.rmqr_versions import rMQRVersions

DIGITS = "1234"


def by_rmqrcode(number, version, level):
    code = rmqrcode.rMQR(version, getattr(rmqrcode.ErrorCorrectionLevel, level))
    code.add_segment(DIGITS, encoder.NumericEncoder)
    code.make()
    return np.array(code.to_list(with_quiet_zone=False)) == 1


def by_zint(number, version, level):
    symbol = zint.Symbol()
    symbol.symbology, symbol.option_1, symbol.option_2 = zint.Symbology.RMQR, {"M": 2, "H": 4}[level], number
    symbol.encode(DIGITS)
    rows = np.frombuffer(bytes(symbol.encoded_data), np.uint8).reshape(-1, 144)[: symbol.rows]
    return np.unpackbits(rows, axis=1, bitorder="little")[:, : symbol.width] == 1


def is_read(modules):
    picture = np.pad(np.kron(~modules, np.ones((6, 6))), 24, constant_values=1)
    codes = zxingcpp.read_barcodes((255 * picture).astype(np.uint8), formats=zxingcpp.RMQRCode)
    return [code.text for code in codes] == [DIGITS]


unread = {by_rmqrcode: [], by_zint: []}
raised = []
for draw, names in unread.items():
    for number, version in enumerate(rMQRVersions, 1):
        for level in "MH":
            try:
                modules = draw(number, version, level)
            except KeyError as exc:
                raised.append(f"{version}-{level}: {exc!r}")
                continue
            height, width = modules.shape
            assert f"R{height}x{width}" == version
            if not is_read(modules):
                names.append(f"{version}-{level}")
print("rmqrcode: not read:", *unread[by_rmqrcode])
print("rmqrcode: raised:", *raised)
print("zint: not read:", *unread[by_zint])
assert " ".join(unread[by_rmqrcode]) == (
    "R9x77-H R9x139-M R11x59-H R11x77-H R11x99-M R11x99-H R13x27-M R13x77-M R13x77-H R13x99-M R13x99-H R13x139-M "
    "R13x139-H R15x43-H R15x77-M R15x77-H R15x139-M R15x139-H R17x43-H R17x77-H R17x99-M R17x139-H"
), "changed"
assert raised == ["R17x43-M: KeyError(21)"], "changed"
assert unread[by_zint] == [], "changed"
PYTHON
