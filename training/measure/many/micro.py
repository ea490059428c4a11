"""Blurred Micro QR codes, one a picture: what zxing-cpp cannot read, as photographs of small parts show them."""

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator

from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import square
from training.data import degrade
from training.data.symbols import EncodedSymbol
from training.measure.many.pallet import INVERSE
from training.measure.many.picture import Picture, PlacedCode

_DIGITS, _LETTERS = "0123456789", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Characters that a version and level hold: digits in M1, capital letters and digits in the others.
_MOST: Final[Mapping[str, Mapping[str | None, int]]] = {
    "M1": {None: 5},
    "M2": {"L": 6, "M": 5},
    "M3": {"L": 14, "M": 11},
    "M4": {"L": 21, "M": 18, "Q": 13},
}
_PAGE: Final = 8  # modules of paper around a code, and somewhat more
_FINE: Final = 16  # pixels a module at which a page is drawn


def blurred_micro(version: str, rng: Generator, index: int) -> Picture:
    """A blurred code: grey levels 60 and 210, 4-8 px a module, upright but for a quarter turn and up to 4 degrees,
    gaussian blur of 0.45-0.8 module, noise of 10 grey levels; every fifth one inverted, every seventh one mirrored."""
    return micro_picture(
        rng,
        micro_symbol_of(rng, version, index),
        module=rng.uniform(4, 8),
        blur=rng.uniform(0.45, 0.8),
        noise=10,
        inverted=index % 5 == 1,
        mirrored=index % 7 == 1,
    )


def clean_micro(version: str, rng: Generator, index: int) -> Picture:
    """A sharp code: 3-8 px a module, turned as above, gaussian blur of 0-0.3 module, noise of 0-6 grey levels; every
    fifth one inverted, every seventh one mirrored."""
    return micro_picture(
        rng,
        micro_symbol_of(rng, version, index),
        module=rng.uniform(3, 8),
        blur=rng.uniform(0, 0.3),
        noise=rng.uniform(0, 6),
        inverted=index % 5 == 1,
        mirrored=index % 7 == 1,
    )


def micro_symbol_of(rng: Generator, version: str, index: int) -> EncodedSymbol:
    """A symbol of a version, its levels in turn, half full or more. Needs segno."""
    segno = importlib.import_module("segno")
    level, most = list(_MOST[version].items())[index % len(_MOST[version])]
    count = int(rng.integers(max(1, most // 2), most + 1))
    text = "".join(rng.choice(list(_DIGITS if version == "M1" else _LETTERS), count))
    if version != "M1" and text.isdigit():
        text = "A" + text[1:]
    code = segno.make(text, version=version, error=level, micro=True, boost_error=False)
    modules = np.array([list(row) for row in code.matrix], dtype=np.bool_)
    return EncodedSymbol(text.encode(), int(version[1:]), (level or "L").lower(), modules)


def micro_picture(
    rng: Generator, symbol: EncodedSymbol, *, module: float, blur: float, noise: float, inverted: bool, mirrored: bool
) -> Picture:
    """A page with a code of ``module`` pixels a module; ``blur`` is a sigma in modules, ``noise`` one in grey
    levels."""
    modules = symbol.modules.T if mirrored else symbol.modules
    page = degrade.to_float(render(modules, pixels=_FINE, quiet_zone=_PAGE))
    half, side = page.shape[0] / 2, int(page.shape[0] / _FINE * module * 1.1) + 20
    turn = float(rng.choice([0, 90, 180, 270]) + rng.uniform(-4, 4))
    matrix = cv2.getRotationMatrix2D((half, half), turn, module / _FINE)
    matrix[:, 2] += side / 2 - half + rng.uniform(-2, 2, 2)
    smooth = degrade.gaussian(page, sigma=max(0.3 * _FINE / module, 0.01))
    grey = 60 + 150 * cv2.warpAffine(smooth, matrix, (side, side), borderValue=1.0)
    grey = degrade.gaussian(np.asarray(grey, dtype=np.float32), sigma=blur * module)
    if inverted:
        grey = 255 - grey
    grey = grey + rng.normal(0, noise, grey.shape)
    corners = (square(len(modules)) + _PAGE) * _FINE @ matrix[:, :2].T + matrix[:, 2]
    traits = (INVERSE,) * inverted + ("mirrored",) * mirrored
    return Picture(np.clip(grey, 0, 255).astype(np.uint8), (PlacedCode(symbol, corners, traits),))


_KINDS: Final = {"micro": blurred_micro, "cleanmicro": clean_micro}
MICRO_SETS: Final[Mapping[str, Callable[[Generator, int], Picture]]] = {
    f"{kind}-{version}": partial(make, version) for kind, make in _KINDS.items() for version in _MOST
}
"""By name, "micro-M1" to "micro-M4" and "cleanmicro-M1" to "cleanmicro-M4", what makes a picture."""
