"""Cheap variants of a picture, other sizes and contrasts, in which engines read what they miss in the original."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import zxingcpp

from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import LONGEST_SIDE, ZXing, ZXingOptions
from app.pipeline.imaging import GreyImage, resize


@dataclass(frozen=True, slots=True)
class Variant:
    """One more look at a picture: scaled by `scale`, reduced to `max_pixels` if larger, transformed, read by `engine`.

    An enlarging variant does not apply to pictures that it would enlarge beyond `max_pixels`.
    """

    name: str
    scale: float
    engine: Engine
    transform: Callable[[GreyImage], GreyImage] | None = None
    max_pixels: int = 4_000_000

    def factor(self, image: GreyImage) -> float | None:
        """The scale at which this variant shows the picture; None if it does not apply."""
        cap = min((self.max_pixels / image.size) ** 0.5, LONGEST_SIDE / max(image.shape))
        return None if 1 < self.scale > cap else min(self.scale, cap)


def _gamma(exponent: float) -> Callable[[GreyImage], GreyImage]:
    table = np.round(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return lambda image: _grey(cv2.LUT(image, table))


def _smooth(sigma: float) -> Callable[[GreyImage], GreyImage]:
    return lambda image: _grey(cv2.GaussianBlur(image, (0, 0), sigma))


def _sharpen(sigma: float, amount: float) -> Callable[[GreyImage], GreyImage]:
    smooth = _smooth(sigma)
    return lambda image: _grey(cv2.addWeighted(image, 1 + amount, smooth(image), -amount, 0))


def _equalise(image: GreyImage) -> GreyImage:
    return _grey(cv2.createCLAHE(clipLimit=4, tileGridSize=(8, 8)).apply(image))


def _even_light(image: GreyImage) -> GreyImage:
    window = max(3, max(image.shape) // 10 | 1)
    return _grey(cv2.divide(image, cv2.blur(image, (window, window)), scale=128))


def _grey(pixels: cv2.typing.MatLike) -> GreyImage:
    return np.asarray(pixels, dtype=np.uint8)


_LOCAL = ZXing(ZXingOptions(small_symbols=False))
_GLOBAL = ZXing(ZXingOptions(small_symbols=False, binarizer=zxingcpp.Binarizer.GlobalHistogram))
_ZBAR = ZBar(longest_sides=(1 << 30,))
VARIANTS: tuple[Variant, ...] = (
    Variant("double, global threshold", 2, _GLOBAL),
    Variant("half, shadows lifted, global threshold", 0.5, _GLOBAL, _gamma(0.4)),
    Variant("double", 2, _LOCAL),
    Variant("half, highlights opened, global threshold", 0.5, _GLOBAL, _gamma(2.5)),
    Variant("quarter, shadows lifted", 0.25, _LOCAL, _gamma(0.4)),
    Variant("half, smoothed, zbar", 0.5, _ZBAR, _smooth(1.2), max_pixels=1_000_000),
    Variant("half, zbar", 0.5, _ZBAR, max_pixels=1_000_000),
    Variant("half, highlights opened", 0.5, _LOCAL, _gamma(2.5)),
    Variant("quarter, sharpened", 0.25, _LOCAL, _sharpen(1.5, 1.5)),
    Variant("half, equalised", 0.5, _LOCAL, _equalise, max_pixels=1_500_000),
    Variant("sharpened, global threshold", 1, _GLOBAL, _sharpen(3, 2), max_pixels=16_000_000),
    Variant("double, evenly lit, zbar", 2, _ZBAR, _even_light, max_pixels=2_500_000),
    Variant("smoothed, zbar", 1, _ZBAR, _smooth(1.2), max_pixels=1_500_000),
    Variant("zbar", 1, _ZBAR, max_pixels=3_200_000),
    Variant("equalised", 1, _LOCAL, _equalise, max_pixels=1_500_000),
)
"""Variants for what a direct read misses, most codes gained per millisecond first."""
SMALL_VARIANTS: tuple[Variant, ...] = VARIANTS[:3]
"""Those that are worth a small picture before any code is located in it."""
PATCH_VARIANTS: tuple[Variant, ...] = tuple(
    variant
    for variant in VARIANTS
    if variant.name
    in {
        "double, global threshold",
        "half, shadows lifted, global threshold",
        "double",
        "half, highlights opened, global threshold",
        "half, highlights opened",
        "half, equalised",
    }
)
"""Those that read codes in a picture of one code and its surroundings."""


def read_variants(image: GreyImage, variants: Iterable[Variant] = VARIANTS) -> Iterator[tuple[Variant, list[Symbol]]]:
    """Reads one variant after another, each when the caller asks for it; corners are in pixels of `image`.

    Yields the variant and what it reads, perhaps nothing. Skips variants that do not apply.
    """
    if image.size == 0:
        return
    scaled: dict[float, GreyImage] = {}
    for variant in variants:
        factor = variant.factor(image)
        if factor is None:
            continue
        if factor not in scaled:
            scaled[factor] = resize(image, factor)
        picture = scaled[factor]
        symbols = variant.engine.read(variant.transform(picture) if variant.transform else picture)
        back = max(image.shape) / max(picture.shape)
        yield variant, [symbol.at(symbol.corners.scaled(back)) for symbol in symbols]
