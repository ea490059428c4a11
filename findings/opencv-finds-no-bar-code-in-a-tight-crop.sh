#!/bin/sh
# OpenCV's BarcodeDetector finds no flawless EAN-13 in a picture that is cut to it, quiet zone and more included; with
# white paper around it, ten times the quiet zone, it reads every one.
#
# Guess: an upright bar code, sharp and with more than its quiet zone (11 modules at the left, 7 at the right: ISO/IEC
# 15420), is read, and the better, the more of the picture it fills.
#
# Seen with opencv-python-headless 5.0.0.93 (4.14.0.94 does the same), 20 numbers of zint (zint-bindings 1.2.2), 40, 60
# and 90 modules high, at 3, 4, 6 and 10 pixels a module: with margins of 12 or 20 modules on all sides detect finds
# none of the 240, with margins of 120 modules all are read. At 2 pixels a module 37 of 60 are found with margins of 12,
# and 20 read. So to cut out a label, or to enlarge a small picture of one, loses it, and to lay the cut on white paper
# brings it back. zxing-cpp 3.1.1 reads all of the same pictures.
#
# Runs without qrestore: sh findings/opencv-finds-no-bar-code-in-a-tight-crop.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 opencv-python-headless==5.0.0.93 zint-bindings==1.2.2 zxing-cpp==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np
import zint
import zxingcpp

DETECTOR = cv2.barcode.BarcodeDetector()
NUMBERS = [str(400638133300 + 7919 * number**2) for number in range(20)]  # twelve digits; the thirteenth is a check
HEIGHTS = 40, 60, 90


def bars(number):
    code = zint.Symbol()
    code.symbology = zint.Symbology.EANX
    code.encode(number)
    return np.unpackbits(np.frombuffer(bytes(code.encoded_data), np.uint8)[:144], bitorder="little")[: code.width]


def picture(number, height, margin, pixels):
    """A bar code, `height` modules high, with `margin` modules on all sides, `pixels` for each module."""
    dark = np.pad(np.repeat(bars(number)[None], height, axis=0), margin)
    return cv2.cvtColor(np.kron(255 * (1 - dark), np.ones((pixels, pixels), np.uint8)), cv2.COLOR_GRAY2BGR)


def found_and_read(margin, pixels):
    """How many OpenCV finds, and how many it reads."""
    found = read = 0
    for number in NUMBERS:
        for height in HEIGHTS:
            made = picture(number, height, margin, pixels)
            wanted = zxingcpp.read_barcode(made).text
            assert wanted[:-1] == number
            found += DETECTOR.detect(made)[0]
            read += DETECTOR.detectAndDecode(made)[0] == wanted
    return found, read


print("pixels a module, margin, found and read of", len(NUMBERS) * len(HEIGHTS))
for pixels in (3, 4, 6, 10):
    for margin, wanted in ((12, 0), (20, 0), (120, 60)):
        counts = found_and_read(margin, pixels)
        print("", pixels, margin, *counts)
        assert counts == (wanted, wanted), "changed"
counts = found_and_read(12, 2)
print("", 2, 12, *counts)
assert counts == (37, 20), "changed"
PYTHON
