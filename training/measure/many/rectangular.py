"""Blurred rMQR codes, one a picture: what zxing-cpp cannot read, as photographs of narrow labels show them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator

from app.pipeline.qrcode.codewords import ALPHANUMERIC, PADDING
from app.pipeline.qrcode.patterns import render
from app.pipeline.qrcode.small.contents import small_blocks
from app.pipeline.qrcode.small.rectangular import assemble_rectangular
from app.pipeline.qrcode.small.versions import (
    RECTANGULAR_VERSIONS,
    SmallSymbol,
    modules_of,
    rectangular_symbol,
    small_syntax,
)
from app.pipeline.quad import oblong
from training.data import degrade
from training.data.symbols import EncodedSymbol
from training.measure.many.pallet import INVERSE
from training.measure.many.picture import Picture, PlacedCode

_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MODE: Final = 2  # mode indicator of letters
_PAGE: Final = 8  # modules of paper around a code, and somewhat more
_FINE: Final = 16  # pixels a module at which a page is drawn


def blurred_rectangular(versions: tuple[str, ...], rng: Generator, index: int) -> Picture:
    """A blurred code: grey levels 60 and 210, 4-8 px a module, upright but for a quarter turn and up to 4 degrees,
    gaussian blur of 0.45-0.8 module, noise of 10 grey levels; every fifth one inverted, every seventh one mirrored."""
    return rectangular_picture(
        rng,
        rectangular_symbol_of(rng, versions[index % len(versions)], high=index // len(versions) % 2 == 1),
        module=rng.uniform(4, 8),
        blur=rng.uniform(0.45, 0.8),
        noise=10,
        inverted=index % 5 == 1,
        mirrored=index % 7 == 1,
    )


def clean_rectangular(versions: tuple[str, ...], rng: Generator, index: int) -> Picture:
    """A sharp code: 3-8 px a module, turned as above, gaussian blur of 0-0.3 module, noise of 0-6 grey levels; every
    fifth one inverted, every seventh one mirrored."""
    return rectangular_picture(
        rng,
        rectangular_symbol_of(rng, versions[index % len(versions)], high=index // len(versions) % 2 == 1),
        module=rng.uniform(3, 8),
        blur=rng.uniform(0, 0.3),
        noise=rng.uniform(0, 6),
        inverted=index % 5 == 1,
        mirrored=index % 7 == 1,
    )


def rectangular_symbol_of(rng: Generator, version: str, *, high: bool) -> EncodedSymbol:
    """A symbol of a version at level H, or else M, half full of capital letters and digits or more. Its ``version`` is
    the version indicator, 0 to 31."""
    symbol = rectangular_symbol(RECTANGULAR_VERSIONS.index(version), high=high)
    most = _most_letters(symbol)
    text = "".join(rng.choice(list(_LETTERS), int(rng.integers(max(1, most // 2), most + 1))))
    modules = assemble_rectangular(_data_codewords(text, symbol), symbol)
    return EncodedSymbol(text.encode(), RECTANGULAR_VERSIONS.index(version), symbol.level.lower(), modules)


def _most_letters(symbol: SmallSymbol) -> int:
    syntax = small_syntax(symbol.version)
    width = syntax.count_bits[ALPHANUMERIC]
    left = 8 * len(small_blocks(symbol).message) - syntax.mode_bits - width
    return min(left // 11 * 2 + (left % 11 >= 6), 2**width - 1)


def _data_codewords(text: str, symbol: SmallSymbol) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Of letters and digits, with terminator and padding."""
    syntax, total = small_syntax(symbol.version), len(small_blocks(symbol).message)
    values = [_LETTERS.index(letter) for letter in text]
    pairs = [f"{one * 45 + other:011b}" for one, other in zip(values[::2], values[1::2], strict=False)]
    bits = f"{_MODE:0{syntax.mode_bits}b}{len(text):0{syntax.count_bits[ALPHANUMERIC]}b}" + "".join(pairs)
    bits += f"{values[-1]:06b}" * (len(values) % 2)
    bits = (bits + "0" * syntax.terminator)[: 8 * total]
    data = [int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8)]
    return np.array((data + list(PADDING) * total)[:total], dtype=np.uint8)


def rectangular_picture(
    rng: Generator, symbol: EncodedSymbol, *, module: float, blur: float, noise: float, inverted: bool, mirrored: bool
) -> Picture:
    """A page with a code of ``module`` pixels a module; ``blur`` is a sigma in modules, ``noise`` one in grey
    levels."""
    modules = symbol.modules[:, ::-1] if mirrored else symbol.modules
    page = degrade.to_float(render(modules, pixels=_FINE, quiet_zone=_PAGE))
    middle = np.array(page.shape[::-1]) / 2
    angle = float(rng.choice([0, 90, 180, 270]) + rng.uniform(-4, 4))
    matrix = cv2.getRotationMatrix2D(middle.tolist(), angle, module / _FINE)
    extent = np.abs(matrix[:, :2]) @ np.array(page.shape[::-1])
    size = (extent + 20).astype(int)
    matrix[:, 2] += size / 2 - middle + rng.uniform(-2, 2, 2)
    smooth = degrade.gaussian(page, sigma=max(0.3 * _FINE / module, 0.01))
    grey = 60 + 150 * cv2.warpAffine(smooth, matrix, size.tolist(), borderValue=1.0)
    grey = degrade.gaussian(np.asarray(grey, dtype=np.float32), sigma=blur * module)
    if inverted:
        grey = 255 - grey
    grey = grey + rng.normal(0, noise, grey.shape)
    height, width = modules.shape
    outline = np.roll(oblong(width, height), -1, axis=0) if mirrored else oblong(width, height)
    corners = (outline + _PAGE) * _FINE @ matrix[:, :2].T + matrix[:, 2]
    traits = (symbol.level.upper(),) + (INVERSE,) * inverted + ("mirrored",) * mirrored
    return Picture(np.clip(grey, 0, 255).astype(np.uint8), (PlacedCode(symbol, corners, traits),))


def _of_heights(low: int, high: int) -> tuple[str, ...]:
    return tuple(one for one in RECTANGULAR_VERSIONS if low <= (modules_of(one) or (0,))[0] <= high)


_KINDS: Final = {"": blurred_rectangular, "clean": clean_rectangular}
_SIZES: Final = {"small": _of_heights(7, 11), "large": _of_heights(13, 17)}
RECTANGULAR_SETS: Final[Mapping[str, Callable[[Generator, int], Picture]]] = {
    f"{kind}rmqr-{size}": partial(make, versions) for kind, make in _KINDS.items() for size, versions in _SIZES.items()
}
"""By name, "rmqr-small" (R7 to R11), "rmqr-large" (R13 to R17), "cleanrmqr-small" and "cleanrmqr-large", what makes a
picture; every version in turn, at either level."""
