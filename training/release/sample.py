"""Draws the README's sample, a label photographed from a moving hand: python -m training.release.sample FILE.

Needs segno.
"""

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from app.pipeline.qrcode.patterns import render
from training.data import degrade

PAYLOAD = "https://example.org/parcel/7F3K-2291-0C"
_TEXT = (
    ("PRIORITY", 70, 2.2, 5),
    ("7F3K-2291-0C", 130, 1.4, 3),
    ("1 of 1   2.4 kg", 185, 1.0, 2),
    ("Dock 4", 240, 1.0, 2),
)


def draw_sample(*, seed: int = 7, motion: float = 4.0) -> degrade.Image:
    """Draws the README's sample, (680, 900) in [0, 1]; ``motion`` is the length of the blur in modules."""
    rng = np.random.default_rng(seed)
    code = importlib.import_module("segno").make(PAYLOAD, error="m", micro=False)
    symbol = render(np.array([list(row) for row in code.matrix], dtype=np.bool_), pixels=10)
    label = np.full((symbol.shape[0] + 40, symbol.shape[1] + 560), 235, dtype=np.uint8)
    label[20 : 20 + symbol.shape[0], 20 : 20 + symbol.shape[1]] = np.minimum(symbol, 235)
    for text, y, size, stroke in _TEXT:
        start = (symbol.shape[1] + 40, y)
        cv2.putText(label, text, start, cv2.FONT_HERSHEY_SIMPLEX, size, 30, stroke, cv2.LINE_AA)
    for x in range(symbol.shape[1] + 40, label.shape[1] - 40, 7):
        cv2.rectangle(label, (x, 270), (x + int(rng.integers(1, 6)), 360), 30, -1)
    height, width = 680, 900
    board = 0.45 + 0.06 * degrade.gaussian(rng.normal(size=(height, width)).astype(np.float32), sigma=3)
    far = np.array([[label.shape[1], 0], [label.shape[1], label.shape[0]]], dtype=np.float32)
    corners = np.array([[0, 0], far[0], far[1], [0, label.shape[0]]], dtype=np.float32)
    place = np.array([[110, 210], [800, 130], [830, 470], [90, 500]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(corners, place)
    printed = degrade.gaussian(degrade.to_float(label), sigma=0.7)
    warped = cv2.warpPerspective(printed, matrix, (width, height))
    mask = cv2.warpPerspective(np.ones_like(printed), matrix, (width, height))
    picture = degrade.shade((board * (1 - mask) + warped * mask).astype(np.float32), rng)
    module = 6.2  # mean pixels per module in the picture
    picture = degrade.convolve(picture, degrade.motion_kernel(rng, length=motion * module, angle=0.45, exponent=0.5))
    return degrade.noise(picture, rng, sigma=0.015)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.release.sample", description="Draw the sample photograph."
    )
    parser.add_argument("file", type=Path, help="JPEG file to write")
    parser.add_argument("--motion", type=float, default=4.0, help="length of the motion blur in modules (default: 4)")
    arguments = parser.parse_args(argv)
    pixels = degrade.to_uint8(draw_sample(motion=arguments.motion))
    if not cv2.imwrite(str(arguments.file), pixels, [cv2.IMWRITE_JPEG_QUALITY, 85]):
        raise SystemExit(f"cannot write {arguments.file}")


if __name__ == "__main__":
    main()
