"""Micro QR codes, and pictures of them."""

import cv2
import numpy as np
import segno

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import Bits

SYMBOLS = [
    ("M1", None, "12345"),
    ("M2", "L", "AB12C"),
    ("M2", "M", "1234567"),
    ("M3", "L", "LOT 4711"),
    ("M3", "M", "abcde"),
    ("M4", "L", "part 0815 b"),
    ("M4", "M", "hello wor"),
    ("M4", "Q", "BOX-77"),
]
"""Version, level and payload."""


def micro_modules(version: str, level: str | None, payload: str, mask: int | None = None) -> Bits:
    """The modules (M, M) of a symbol, True is dark."""
    code = segno.make(payload, version=version, error=level, mask=mask, micro=True, boost_error=False)
    return np.array([list(row) for row in code.matrix], dtype=np.bool_)


def micro_picture(
    modules: Bits, *, pixels: float, blur: float, noise: float, turn: float = 0.0, seed: int = 0
) -> GreyImage:
    """A faint photograph of a symbol: ``pixels`` a module, turned by ``turn`` degrees, sigmas of the blur in modules
    and of the noise in grey levels."""
    fine = 12
    page = np.kron(np.pad(~modules, 8, constant_values=True), np.ones((fine, fine)))
    side = int(1.1 * pixels * len(page) / fine)
    matrix = cv2.getRotationMatrix2D((len(page) / 2, len(page) / 2), turn, pixels / fine)
    matrix[:, 2] += (side - len(page)) / 2
    page = cv2.GaussianBlur(page, (0, 0), fine / pixels / 3)
    picture = cv2.GaussianBlur(
        60 + 150 * cv2.warpAffine(page, matrix, (side, side), borderValue=1), (0, 0), blur * pixels
    )
    noisy = picture + np.random.default_rng(seed).normal(0, noise, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)
