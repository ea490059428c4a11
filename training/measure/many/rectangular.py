"""Blurred rMQR codes, one a picture: what zxing-cpp cannot read, as photographs of narrow labels show them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

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


def bent_rectangular(versions: tuple[str, ...], rng: Generator, index: int) -> Picture:
    """A bent or slanted code: 4-7 px a module, in any rotation, gaussian blur of 0.3-0.7 module, noise of 8 grey
    levels. Modules are up to a fifth larger at one end of 139 columns than at the other, and the middle of these lies
    up to 4 modules off the line through the ends; both in proportion to the length."""
    version = versions[index % len(versions)]
    length = (modules_of(version) or (0, 0))[1] / 139
    return rectangular_picture(
        rng,
        rectangular_symbol_of(rng, version, high=index // len(versions) % 2 == 1),
        module=rng.uniform(4, 7),
        blur=rng.uniform(0.3, 0.7),
        noise=8,
        inverted=index % 5 == 1,
        mirrored=index % 7 == 1,
        turn=rng.uniform(0, 360),
        tilt=rng.uniform(-0.2, 0.2) * length,
        bend=rng.uniform(-4, 4) * length,
    )


def rectangular_symbol_of(rng: Generator, version: str, *, high: bool) -> EncodedSymbol:
    """A symbol of a version at level H, or else M, at least half full of capital letters and digits. Its ``version`` is
    the version indicator, 0 to 31."""
    symbol = rectangular_symbol(RECTANGULAR_VERSIONS.index(version), high=high)
    most = _most_letters(symbol)
    text = "".join(rng.choice(list(_LETTERS), int(rng.integers(max(1, most // 2), most + 1))))
    modules = assemble_rectangular(_data_codewords(text, symbol), symbol)
    return EncodedSymbol(text.encode(), RECTANGULAR_VERSIONS.index(version), symbol.level.lower(), modules)


def _most_letters(symbol: SmallSymbol) -> int:
    syntax = small_syntax(symbol.version)
    width = syntax.count_bits[ALPHANUMERIC]
    left = 8 * small_blocks(symbol).message.size - syntax.mode_bits - width
    return int(min(left // 11 * 2 + (left % 11 >= 6), 2**width - 1))


def _data_codewords(text: str, symbol: SmallSymbol) -> NDArray[np.uint8]:
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
    rng: Generator,
    symbol: EncodedSymbol,
    *,
    module: float,
    blur: float,
    noise: float,
    inverted: bool,
    mirrored: bool,
    turn: float | None = None,
    tilt: float = 0.0,
    bend: float = 0.0,
) -> Picture:
    """A page with a code of ``module`` pixels a module; ``blur`` is a sigma in modules, ``noise`` one in grey levels.

    ``turn``: in degrees, by default a quarter turn and up to 4 degrees. ``tilt``: by which share modules are larger at
    the right end than at the left one; ``bend``: modules by which the middle lies lower than the ends.
    """
    modules = symbol.modules[:, ::-1] if mirrored else symbol.modules
    page = degrade.to_float(render(modules, pixels=_FINE, quiet_zone=_PAGE))
    height, width = modules.shape
    outline = (oblong(width, height) + _PAGE) * _FINE
    if tilt or bend:
        page, outline = _bent(page, outline, tilt, bend)
    middle = np.array(page.shape[::-1]) / 2
    angle = float(rng.choice([0, 90, 180, 270]) + rng.uniform(-4, 4)) if turn is None else turn
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
    corners = (np.roll(outline, -1, axis=0) if mirrored else outline) @ matrix[:, :2].T + matrix[:, 2]
    traits = (symbol.level.upper(),) + (INVERSE,) * inverted + ("mirrored",) * mirrored
    return Picture(np.clip(grey, 0, 255).astype(np.uint8), (PlacedCode(symbol, corners, traits),))


def _bent(
    page: degrade.Image, outline: NDArray[np.float64], tilt: float, bend: float
) -> tuple[degrade.Image, NDArray[np.float64]]:
    """A page in perspective and bent, and where the outline of its code then lies."""
    middle, half = np.array(page.shape[::-1]) / 2, (outline[1, 0] - outline[0, 0]) / 2
    slope, lowered = tilt / (2 * half), bend * _FINE
    spare = round(abs(lowered)) + _FINE
    y, x = (each + 0.5 for each in np.indices((page.shape[0] + 2 * spare, page.shape[1] + 2 * spare), dtype=np.float64))
    x, y = x - middle[0] - spare, y - middle[1] - spare
    along = x / (1 + slope * x)
    down = y / (1 + slope * x) - lowered * (1 - (along / half) ** 2)
    at = [(each + centre - 0.5).astype(np.float32) for each, centre in zip((along, down), middle, strict=True)]
    seen = cv2.remap(page, at[0], at[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=1.0)
    centred = outline - middle
    moved = centred / (1 - slope * centred[:, :1])
    return np.asarray(seen, dtype=np.float32), moved + middle + spare


def _of_heights(low: int, high: int) -> tuple[str, ...]:
    return tuple(one for one in RECTANGULAR_VERSIONS if low <= (modules_of(one) or (0,))[0] <= high)


_KINDS: Final = {"": blurred_rectangular, "clean": clean_rectangular, "bent": bent_rectangular}
_SIZES: Final = {"small": _of_heights(7, 11), "large": _of_heights(13, 17)}
RECTANGULAR_SETS: Final[Mapping[str, Callable[[Generator, int], Picture]]] = {
    f"{kind}rmqr-{size}": partial(make, versions) for kind, make in _KINDS.items() for size, versions in _SIZES.items()
}
"""By name, "rmqr-small" (R7 to R11), "rmqr-large" (R13 to R17), and the same with "clean" or "bent" before it, what
makes a picture; every version in turn, at either level."""
