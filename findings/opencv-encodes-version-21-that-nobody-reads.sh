#!/bin/sh
# OpenCV's QRCodeEncoder makes codes of version 21 that no decoder reads; those of its other versions are in order.
#
# Guess: what QRCodeEncoder makes of a short text is a valid symbol at every version from 3 to 40.
#
# Seen with opencv-python-headless 4.14.0.94: zxing-cpp 3.1.1 reads all three texts at both levels, L and H, at every
# version but 21, where it reads none of six; ZBar 0.23 (pyzbar 0.1.9, needs libzbar0) the same. segno's symbols of
# version 21 with the same texts and levels are read by both.
#
# Runs without qrestore: sh findings/opencv-encodes-version-21-that-nobody-reads.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    opencv-python-headless==4.14.0.94 numpy==2.4.6 segno==1.6.6 zxing-cpp==3.1.1 pyzbar==0.1.9
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np
import segno
import zxingcpp
from pyzbar import pyzbar

TEXTS = ("HELLO WORLD", "01234567890123456789", "example.org/a")
LEVELS = {"L": cv2.QRCODE_ENCODER_CORRECT_LEVEL_L, "H": cv2.QRCODE_ENCODER_CORRECT_LEVEL_H}


def by_opencv(text, version, level):
    options = cv2.QRCodeEncoder.Params()
    options.version, options.correction_level = version, LEVELS[level]
    return cv2.QRCodeEncoder.create(options).encode(text)


def by_segno(text, version, level):
    symbol = segno.make(text, version=version, error=level, boost_error=False)
    return 255 * (1 - np.array([list(row) for row in symbol.matrix], np.uint8))


def readers(modules, text):
    picture = np.pad(np.kron(modules, np.ones((8, 8))), 48, constant_values=255).astype(np.uint8)
    codes = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    symbols = pyzbar.decode(picture, symbols=[pyzbar.ZBarSymbol.QRCODE])
    return np.array([[code.text for code in codes] == [text], [code.data.decode() for code in symbols] == [text]])


counts = {}
for encoder in (by_opencv, by_segno):
    for version in range(3, 41):
        tried = [readers(encoder(text, version, level), text) for text in TEXTS for level in LEVELS]
        counts[encoder.__name__, version] = tuple(np.sum(tried, axis=0).tolist())
print("OpenCV", cv2.__version__, "- of 6 symbols of version 21, read by zxing-cpp and ZBar:")
for name in ("by_opencv", "by_segno"):
    print(f"{name} {counts[name, 21]}; of each other version", {counts[name, v] for v in range(3, 41) if v != 21})
broken = {key for key, count in counts.items() if count != (6, 6)}
assert broken == {("by_opencv", 21)} and counts["by_opencv", 21] == (0, 0), f"changed: {broken}"
PYTHON
