#!/bin/sh
# OpenCV's QRCodeDetector reads no flawless code of versions 34, 36, 39 and 40, though it reads those of version 35.
#
# Guess: a flawless code of segno, 8 pixels a module, upright and with a wide quiet zone, is read at every version.
#
# Seen with opencv-python-headless 4.14.0.94: of three short texts at level L, all are read at versions 3 to 22, 24 to 27,
# 29, 30, 35 and 38; none at 31, 34, 36, 39 and 40; one or two at the others. zxing-cpp 3.1.1 reads all 114 of the same pictures.
#
# Runs without qrestore: sh findings/opencv-misses-flawless-large-codes.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    opencv-python-headless==4.14.0.94 numpy==2.4.6 segno==1.6.6 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np
import segno
import zxingcpp

TEXTS = ("HELLO WORLD", "01234567890123456789", "example.org/a")


def picture(text, version):
    symbol = segno.make(text, version=version, error="l", boost_error=False)
    modules = np.array([list(row) for row in symbol.matrix], np.uint8)
    return np.pad(np.kron(255 * (1 - modules), np.ones((8, 8))), 48, constant_values=255).astype(np.uint8)


def read_by_zxing(picture):
    return [code.text for code in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)]


detector = cv2.QRCodeDetector()
counts = {}
for version in range(3, 41):
    pictures = [picture(text, version) for text in TEXTS]
    assert [read_by_zxing(each) for each in pictures] == [[text] for text in TEXTS], version
    counts[version] = sum(detector.detectAndDecode(each)[0] == text for each, text in zip(pictures, TEXTS))
print("OpenCV", cv2.__version__, "- texts read of 3, by version:")
print(" ".join(f"{version}:{count}" for version, count in counts.items()))
assert all(counts[version] == 3 for version in (*range(3, 23), *range(24, 28), 29, 30, 35, 38)), "changed"
assert all(counts[version] == 0 for version in (31, 34, 36, 39, 40)), "changed"
PYTHON
