"""Symbols as designers and machines draw them: dots, rounded and thin modules, styled finder patterns, halftones,
pictures behind the modules.

Pictures are float32 (S, S), 0 ink to 1 paper, without quiet zone; ``pixels`` per module.
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.data import degrade
from training.data.degrade import Image
from training.data.symbols import PIXELS_DRAWN, draw_symbol, finders_of

Modules = NDArray[np.bool_]
"""(M, M), True is dark."""
_FINDER: Final = 7  # modules
_SMALLER: Final = 3  # sub-cells a module of a halftone, along each axis


def _stamp(modules: Modules, stamp: Image) -> Image:
    """Paper with ``stamp`` (P, P), coverage by ink in [0, 1], at every dark module."""
    return np.asarray(1 - np.kron(modules, stamp), dtype=np.float32)


def _grid(pixels: int) -> tuple[Image, Image]:
    """x and y from a module's middle, (P, P) each, in modules."""
    along = ((np.arange(pixels) + 0.5) / pixels - 0.5).astype(np.float32)
    x, y = np.meshgrid(along, along)
    return x, y


def _disc(pixels: int, radius: float) -> Image:
    x, y = _grid(pixels)
    return np.asarray(np.clip(0.5 + (radius - np.hypot(x, y)) * pixels, 0, 1), dtype=np.float32)


def _bar(pixels: int, width: float, height: float) -> Image:
    x, y = _grid(pixels)
    across, down = (np.clip(0.5 + (reach / 2 - np.abs(at)) * pixels, 0, 1) for reach, at in ((width, x), (height, y)))
    return np.asarray(across * down, dtype=np.float32)


def draw_separate_dots(rng: Generator, modules: Modules, pixels: int) -> Image:
    """Discs of a radius of 0.18 to 0.5 module for all dark modules, each up to 0.12 module off its place; for half of
    the symbols solid finder patterns."""
    disc = _disc(pixels, rng.uniform(0.18, 0.5))
    drawn = _stamp(modules, disc)
    if rng.random() < 0.6:
        reach = rng.uniform(0, 0.12) * pixels
        shift = rng.uniform(-reach, reach, (2, *modules.shape)).astype(np.float32)
        x, y = (np.kron(part, np.ones((pixels, pixels), dtype=np.float32)) for part in shift)
        row, column = np.indices(drawn.shape, dtype=np.float32)
        drawn = np.asarray(cv2.remap(drawn, column + x, row + y, cv2.INTER_LINEAR), dtype=np.float32)
    if rng.random() < 0.5:
        _keep_finders(drawn, draw_symbol(modules, pixels=pixels), modules, pixels)
    return drawn


def draw_thin(rng: Generator, modules: Modules, pixels: int) -> Image:
    """Bars or squares that leave gaps: dark modules of 0.45 to 0.95 by 0.45 to 1 module, solid finder patterns for most
    symbols."""
    width, height = rng.uniform(0.45, 0.95), rng.uniform(0.45, 1.0)
    if rng.random() < 0.5:
        height = 1.0
    stamp = _bar(pixels, width, height)
    drawn = _stamp(modules, stamp if rng.random() < 0.5 else np.ascontiguousarray(stamp.T))
    if rng.random() < 0.7:
        _keep_finders(drawn, draw_symbol(modules, pixels=pixels), modules, pixels)
    return drawn


def draw_rounded(rng: Generator, modules: Modules, pixels: int) -> Image:
    """Modules that flow into each other, with round corners."""
    soft = degrade.gaussian(draw_symbol(modules, pixels=pixels), sigma=rng.uniform(0.2, 0.42) * pixels)
    return np.asarray(np.clip(0.5 + (soft - rng.uniform(0.42, 0.58)) * pixels, 0, 1), dtype=np.float32)


def draw_halftone(rng: Generator, modules: Modules, pixels: int) -> Image:
    """Each module is 3 x 3 cells: the middle one tells the module, the others dither a picture (Chu et al., Halftone QR
    codes, 2013); function patterns of finders stay whole."""
    size = modules.shape[0] * _SMALLER
    cells = draw_picture(rng, size) > rng.random((size, size))
    cells[1::_SMALLER, 1::_SMALLER] = ~modules
    drawn = cv2.resize(cells.astype(np.float32), (modules.shape[0] * pixels,) * 2, interpolation=cv2.INTER_NEAREST)
    halftone = np.asarray(drawn, dtype=np.float32)
    _keep_finders(halftone, draw_symbol(modules, pixels=pixels), modules, pixels)
    return halftone


def draw_over_picture(rng: Generator, modules: Modules, pixels: int) -> Image:
    """Dark and light spots of 0.3 to 1 module over a picture that shows between and through them."""
    side = modules.shape[0] * pixels
    picture = draw_picture(rng, side)
    reach = rng.uniform(0.3, 1.0)
    spot = _disc(pixels, reach / 2) if rng.random() < 0.5 else _bar(pixels, reach, reach)
    cover = np.tile(spot, modules.shape) * np.float32(rng.uniform(0.45, 1.0))
    clean = draw_symbol(modules, pixels=pixels)
    drawn = np.asarray(picture + cover * (clean - picture), dtype=np.float32)
    _keep_finders(drawn, clean, modules, pixels, opacity=rng.uniform(0.6, 1.0))
    return drawn


def draw_blended(rng: Generator, modules: Modules, pixels: int) -> Image:
    """A picture whose light follows the modules softly, as pictures made by diffusion with a code as control."""
    side = modules.shape[0] * pixels
    clean = draw_symbol(modules, pixels=pixels)
    soft = degrade.gaussian(clean, sigma=rng.uniform(0.15, 0.5) * pixels)
    share = rng.uniform(0.35, 0.75)
    return np.asarray(np.clip(share * soft + (1 - share) * draw_picture(rng, side), 0, 1), dtype=np.float32)


def draw_picture(rng: Generator, side: int) -> Image:
    """Something like a photograph, (``side``, ``side``) in [0, 1]: smooth tones with a few shapes that have edges."""
    picture = np.zeros((side, side), dtype=np.float32)
    for octave in range(1, 6):
        grid = rng.random((2**octave, 2**octave), dtype=np.float32)
        picture += cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC) * np.float32(0.6**octave)
    picture = (picture - picture.min()) / max(float(np.ptp(picture)), 1e-6)
    shapes = np.zeros((side, side), dtype=np.uint8)
    for _ in range(rng.integers(0, 6)):
        centre, axes = rng.uniform(0, side, 2), side * rng.uniform(0.05, 0.4, 2) + 1
        shapes[:] = 0
        box = (tuple(centre.tolist()), tuple(axes.tolist()), float(rng.uniform(0, 180)))
        if rng.random() < 0.5:
            cv2.ellipse(shapes, box, 255, -1, cv2.LINE_AA)
        else:
            cv2.fillConvexPoly(shapes, np.rint(cv2.boxPoints(box)).astype(np.int32), 255, cv2.LINE_AA)
        cover = shapes.astype(np.float32) / 255 * np.float32(rng.uniform(0.3, 1))
        picture = picture + cover * (np.float32(rng.random()) - picture)
    return np.asarray(np.clip(picture, 0, 1), dtype=np.float32)


def _keep_finders(drawn: Image, clean: Image, modules: Modules, pixels: int, *, opacity: float = 1.0) -> None:
    """Puts the finder patterns of ``clean`` into ``drawn``, in place."""
    cover = np.kron(finders_of(modules), np.ones((pixels, pixels), dtype=np.float32)) * np.float32(opacity)
    drawn += cover * (clean - drawn)


def restyle_finders(rng: Generator, drawn: Image, pixels: int) -> Image:
    """The symbol with finder patterns as rings: round or with round corners, the ring 0.5 to 1.3 modules thick, the
    middle a disc, a square or a dot pattern's size."""
    side = drawn.shape[0]
    along = ((np.arange(_FINDER * pixels) + 0.5) / pixels - _FINDER / 2).astype(np.float32)
    x, y = np.meshgrid(along, along)
    outer, inner = rng.uniform(1.8, 8), rng.uniform(1.8, 8)  # exponents: 2 is a circle
    thick, core = rng.uniform(0.5, 1.3), rng.uniform(1.1, 1.6)

    def distance(exponent: float) -> Image:
        return np.asarray((np.abs(x) ** exponent + np.abs(y) ** exponent) ** (1 / exponent), dtype=np.float32)

    far, near = distance(outer), distance(inner)
    ring = np.clip(0.5 + (3.5 - far) * pixels, 0, 1) * np.clip(0.5 + (far - 3.5 + thick) * pixels, 0, 1)
    finder = (1 - np.maximum(ring, np.clip(0.5 + (core - near) * pixels, 0, 1))).astype(np.float32)
    drawn = drawn.copy()
    reach = _FINDER * pixels
    for top, left in ((0, 0), (0, side - reach), (side - reach, 0)):
        drawn[top : top + reach, left : left + reach] = finder
    return drawn


STYLES: Final[dict[str, Callable[[Generator, Modules, int], Image]]] = {
    "dots": draw_separate_dots,
    "thin": draw_thin,
    "rounded": draw_rounded,
    "halftone": draw_halftone,
    "over picture": draw_over_picture,
    "blended": draw_blended,
}
"""The ways to draw a symbol, by name."""
STYLE_ODDS: Final = (0.3, 0.14, 0.14, 0.12, 0.18, 0.12)
"""How often `draw_styled` draws each."""


def draw_styled(rng: Generator, modules: Modules, *, pixels: int = PIXELS_DRAWN) -> Image:
    """Draws a symbol in one of `STYLES`, a third of them with restyled finder patterns."""
    style = str(rng.choice(tuple(STYLES), p=STYLE_ODDS))
    drawn = STYLES[style](rng, modules, pixels)
    return restyle_finders(rng, drawn, pixels) if rng.random() < 0.33 else drawn
