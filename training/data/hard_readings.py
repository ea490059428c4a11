"""Training crops for the module reader of codes that are partly hidden, cut off, styled, faint, creased, or printed to
the edge on dark pages.

The truth of a hidden module is what was printed there. Nothing in the crop tells it, so that its best log-odds are near
0: with enough hidden modules among the samples a reader learns to say that it does not know.
"""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.inference.module_reader import planes
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension
from app.pipeline.quad import homography
from training.data import degrade
from training.data.creases import Sheet
from training.data.crops import (
    CropBatch,
    ReadingSample,
    corner_errors,
    draw_reading_version,
    photograph,
    reading_sample,
    rectify_crop,
    stack_readings,
)
from training.data.degrade import Image
from training.data.occluders import Ground, occlude
from training.data.styles import draw_picture, draw_styled
from training.data.symbols import PIXELS_DRAWN, SURROUND, draw_symbol, draw_symbol_on_label, random_symbol

_BLUR_ODDS = (0.2, 0.04, 0.2, 0.3, 0.02, 0.24)  # of the outcomes of `degrade.blur`
_KIND_ODDS = {"hidden": 0.55, "bare": 0.3, "styled": 0.35, "cut": 0.18, "creased": 0.15, "faint": 0.2}
_COVERED = 0.9  # of the light from a module's brightest part, which an occluder takes
_MARGIN = QUIET_ZONE + SURROUND  # modules around a symbol
HARD_DATA = {
    "hard samples": "50 %, each with some of: hidden 55 %, bare page 30 %, styled 35 %, cut off 18 %, creased 15 %, "
    "faint 20 %",
    "hidden": "1-3 of logo (34 %), sticker (12), tear (12), glare (9), finger, hole (7), dirt (6), painted finder "
    "pattern (5), strokes, bands (4), each 1.5-38 % of the symbol, of any tone",
    "bare page": "quiet zone of 0-1 module on a dark or light page, clutter, a picture, or modules of neighbours",
    "styled": "dots (30 %), over a picture (18), thin, rounded (14), halftone, blended with a picture (12); rings for "
    "finder patterns 33 %",
    "cut off": "2-35 % of the symbol beyond the picture's edge, which is repeated, or black, white or grey",
    "creased": "1-4 folds, or 6-40 facets; displacement of 0.1-0.6 modules (deviation), Lambert's light",
    "faint": "contrast of 3-20 % of the range, noise or streaks of up to a third of it",
}
"""Describes the hard samples in checkpoints' provenance."""


@dataclass(frozen=True)
class HardKinds:
    """What makes a sample hard; ``occluder``: the kind of all occluders, None for random ones."""

    hidden: bool = False
    bare: bool = False
    styled: bool = False
    cut: bool = False
    creased: bool = False
    faint: bool = False
    occluder: str | None = None

    @classmethod
    def draw(cls, rng: Generator) -> Self:
        """At least one kind."""
        while True:
            drawn = dict(zip(_KIND_ODDS, (rng.random(6) < tuple(_KIND_ODDS.values())).tolist(), strict=True))
            if any(drawn.values()):
                return cls(**drawn)


def hard_reading_sample(
    rng: Generator, version: int, *, window: int, corner_error: float = 0.5, kinds: HardKinds | None = None
) -> ReadingSample:
    """A training crop of a hard code for the module reader, of random ``kinds`` unless these are given; a part of
    symbols with more than ``window`` modules a side, as `training.data.crops.reading_sample` makes."""
    kinds = kinds or HardKinds.draw(rng)
    modules = random_symbol(rng, version)
    label = _print(rng, modules, kinds)
    whole = dimension(version) + 2 * QUIET_ZONE
    side = min(window, whole)
    row, column = rng.integers(0, whole - side + 1, 2)
    margin = QUIET_ZONE if side == whole else 0
    reach = (side + 2 * SURROUND) * PIXELS_DRAWN
    top, left = row * PIXELS_DRAWN, column * PIXELS_DRAWN
    label = np.ascontiguousarray(label[top : top + reach, left : left + reach])
    label, cover = _wear(rng, label, kinds, margin=margin)
    picture, corners, module = _shoot(rng, label, kinds, modules=side - 2 * margin)
    hidden = _is_covered(cover)
    if kinds.cut:
        picture, corners, inside = _cut_off(rng, picture, corners)
        hidden |= _is_outside(corners, inside, side=side, margin=margin)
    if kinds.faint:
        picture = _fade(rng, picture)
    picture = degrade.sensor(picture, rng, worst_noise=0.0 if kinds.faint else 0.08)
    crop = rectify_crop(picture, corners + corner_errors(rng, corner_error) * module, side - 2 * margin, margin)
    part = np.s_[row : row + side, column : column + side]
    return ReadingSample(crop, np.pad(modules, QUIET_ZONE)[part], planes(version)[:, part[0], part[1]], hidden)


def _print(rng: Generator, modules: NDArray[np.bool_], kinds: HardKinds) -> Image:
    """The symbol on its page, with `_MARGIN` modules around it; ink is 0 and paper 1, pages may be beyond."""
    if not kinds.styled:
        drawn = draw_symbol(modules)
        label = _on_bare_page(rng, drawn) if kinds.bare else draw_symbol_on_label(rng, drawn)
        return degrade.ink(label, rng, module=PIXELS_DRAWN)
    drawn = draw_styled(rng, modules)
    label = _on_bare_page(rng, drawn) if kinds.bare else draw_symbol_on_label(rng, drawn)
    return degrade.ink(label, rng, module=0.0)  # spread would close what the style leaves open


def _on_bare_page(rng: Generator, drawn: Image) -> Image:
    """The symbol with hardly any quiet zone: on a plain page, mostly as dark as ink, on clutter, on a picture, or among
    modules of neighbours."""
    margin = _MARGIN * PIXELS_DRAWN
    side = drawn.shape[0] + 2 * margin
    kind = rng.random()
    if kind < 0.55:
        page = np.full((side, side), rng.normal(0, 0.08) if rng.random() < 0.65 else rng.uniform(-0.2, 1.1))
    elif kind < 0.75:
        cells = (rng.random((side // PIXELS_DRAWN,) * 2) < 0.5).astype(np.float32)
        page = np.kron(cells, np.ones((PIXELS_DRAWN, PIXELS_DRAWN)))
    else:
        page = draw_picture(rng, side) * rng.uniform(0.3, 1.2)
    label = page.astype(np.float32)
    quiet = round(PIXELS_DRAWN * rng.uniform(0, 1)) if rng.random() < 0.35 else 0
    label[margin - quiet : side - margin + quiet, margin - quiet : side - margin + quiet] = 1
    label[margin : side - margin, margin : side - margin] = drawn
    return label


def _wear(rng: Generator, label: Image, kinds: HardKinds, *, margin: int) -> tuple[Image, Image]:
    """Bends or creases, occluders and uneven light on a printed label, (S, S); returns it and what occluders cover.

    ``margin``: modules of quiet zone.
    """
    cover = np.zeros_like(label)
    if not kinds.creased and rng.random() < 0.3:
        label = degrade.bend(label, rng, amplitude=rng.uniform(0.1, 0.9) * PIXELS_DRAWN)
    if kinds.hidden:
        low = (SURROUND + margin) * PIXELS_DRAWN
        ink, paper = np.quantile(label[low:-low, low:-low], (0.03, 0.97))
        ground = Ground(label.shape[0], low, label.shape[0] - low, PIXELS_DRAWN, float(ink), float(paper))
        for _ in range(1 if rng.random() < 0.75 else rng.integers(2, 4)):
            label, more = occlude(rng, label, ground, kind=kinds.occluder)
            cover = np.maximum(cover, more)
    if kinds.creased:
        amplitude = rng.uniform(0.1, 0.6) * PIXELS_DRAWN
        label = Sheet.random(rng, label.shape[0], amplitude=amplitude, module=PIXELS_DRAWN).see(label)
    if rng.random() < 0.5:
        label = degrade.shade(label, rng)
    return (degrade.glare(label, rng) if rng.random() < 0.1 else label), cover


def _is_covered(cover: Image) -> NDArray[np.bool_]:
    """The modules of a label, without its surroundings, that are covered whole."""
    count = cover.shape[0] // PIXELS_DRAWN
    cells = cover.reshape(count, PIXELS_DRAWN, count, PIXELS_DRAWN).min(axis=(1, 3))
    return np.asarray(cells[SURROUND:-SURROUND, SURROUND:-SURROUND] > _COVERED)


def _is_outside(
    corners: NDArray[np.float64], inside: NDArray[np.float64], *, side: int, margin: int
) -> NDArray[np.bool_]:
    """The modules, (``side``, ``side``), whose middle lies outside a box: left, top, right, bottom.

    ``corners`` are those within the ``margin``.
    """
    along = np.arange(side) + 0.5 - margin
    middles = np.stack(np.meshgrid(along, along), axis=-1).reshape(1, -1, 2)
    at = cv2.perspectiveTransform(middles, homography(corners, side - 2 * margin))[0]
    return np.asarray(((at < inside[:2]) | (at > inside[2:])).any(axis=1).reshape(side, side))


def _shoot(rng: Generator, label: Image, kinds: HardKinds, *, modules: int) -> tuple[Image, NDArray[np.float64], float]:
    """Blurs and photographs a label; returns the picture, the corners in it (4, 2) and the pixels per module."""
    coarse = rng.random() < (0.15 if kinds.styled else 0.25)
    module = float(rng.uniform(1.3, 2.6) if coarse else rng.uniform(2.6, 10.0))
    reach = 0.3 if coarse else 0.35 if kinds.styled else 0.6
    label = degrade.blur(label, rng, module=PIXELS_DRAWN, reach=reach, odds=_BLUR_ODDS)
    if rng.random() < 0.35:
        label = degrade.gaussian(label, sigma=rng.uniform(0.15, 0.6) * PIXELS_DRAWN)
    picture, corners, _ = photograph(label, rng, modules=modules, module=module)
    return picture, corners, module


def _cut_off(
    rng: Generator, picture: Image, corners: NDArray[np.float64]
) -> tuple[Image, NDArray[np.float64], NDArray[np.float64]]:
    """Ends the picture within the symbol, on one or two sides: the service repeats the border; or the picture goes on
    in one tone. Also returns the corners (4, 2) and where the picture is left: left, top, right, bottom."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    sides = rng.permutation(4)[: 1 if rng.random() < 0.75 else 2]
    edges = np.array([0, 0, picture.shape[1], picture.shape[0]], dtype=np.float64)
    for side in sides:
        axis, cut = side % 2, rng.uniform(0.02, 0.35) ** (1.0 if sides.size == 1 else 1.4)
        lost = cut * (high[axis] - low[axis])
        edges[side] = low[axis] + lost if side < 2 else high[axis] - lost
    left, top, right, bottom = np.rint(edges).astype(int)
    inside = picture[top:bottom, left:right]
    kind = rng.random()
    if kind < 0.6:
        box = np.array([0.0, 0.0, right - left, bottom - top])
        return np.ascontiguousarray(inside), corners - (left, top), box
    beyond = 0.0 if kind < 0.75 else 1.0 if kind < 0.8 else float(rng.uniform(0.2, 0.8))
    filled = np.full_like(picture, beyond)
    filled[top:bottom, left:right] = inside
    return filled, corners, np.array([left, top, right, bottom], dtype=np.float64)


def _fade(rng: Generator, picture: Image) -> Image:
    """Takes contrast away, down to 8 of 255 grey levels, and adds noise of up to a third of what is left, in places as
    streaks along one axis, as of brushed metal."""
    picture = np.clip(picture, 0, 1)
    low, high = np.quantile(picture, (0.02, 0.98))
    left = float(np.exp(rng.uniform(np.log(0.03), np.log(0.2))))
    level = rng.uniform(0.5 * left, 1 - 0.5 * left)
    faded = level + left * (picture - (low + high) / 2) / max(float(high - low), 0.05)
    grain = left * 0.33 * rng.random()
    if rng.random() < 0.3:
        shape = (picture.shape[0], 1) if rng.random() < 0.5 else (1, picture.shape[1])
        faded = faded + 0.7 * grain * rng.normal(0, 1, shape)
    return degrade.noise(faded.astype(np.float32), rng, sigma=grain)


def mixed_reading_batch(rng: Generator, *, size: int, window: int, hard: float) -> CropBatch:
    """A batch of ``size`` crops for the module reader, all of one version, small versions more often: a share ``hard``
    of hard ones."""
    version = draw_reading_version(rng)
    makers = [hard_reading_sample if rng.random() < hard else reading_sample for _ in range(size)]
    return stack_readings([make(rng, version, window=window) for make in makers])
