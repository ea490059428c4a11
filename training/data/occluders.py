"""Things that hide modules: logos, stickers, fingers, holes, tears, glare, dirt, strokes, bands, paint.

An occluder is what it paints and where: two pictures (S, S), the paint in reflectance and the cover in [0, 1]. Under a
cover of 1 nothing of the symbol is left.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.quad import square
from training.data import degrade
from training.data.degrade import Image
from training.data.styles import draw_picture

_LEAST_AREA, _MOST_AREA = 0.015, 0.38  # of the symbol
_FINDER = 7  # modules
_LETTERS = "ABCDEFGHKMNOPQRSTUVWXYZ23456789&@$%"


@dataclass(frozen=True)
class Ground:
    """The picture that is occluded: ``side`` pixels a side, of which the symbol fills ``low`` to ``high`` along both
    axes, ``module`` pixels per module. ``ink`` and ``paper`` are their reflectances."""

    side: int
    low: float
    high: float
    module: float
    ink: float = 0.0
    paper: float = 1.0

    @property
    def reach(self) -> float:
        """The symbol's side, in pixels."""
        return self.high - self.low

    def place(self, rng: Generator) -> NDArray[np.float64]:
        """A random position (x, y) in the symbol."""
        return np.asarray(rng.uniform(self.low, self.high, 2))

    def tone(self, rng: Generator) -> float:
        """A random reflectance; often that of the ink or of the paper, or near it."""
        kind = rng.random()
        if kind < 0.25:
            return self.ink + float(rng.normal(0, 0.04))
        if kind < 0.45:
            return self.paper + float(rng.normal(0, 0.04))
        return float(rng.uniform(0, 1))


Occluder = Callable[[Generator, Ground, float], tuple[Image, Image]]
"""Makes paint and cover; the last argument is the share of the symbol to hide, in (0, 1), which some ignore."""


def _full(ground: Ground, value: float) -> Image:
    return np.full((ground.side, ground.side), value, dtype=np.float32)


def _polygon(ground: Ground, points: NDArray[np.float64]) -> Image:
    """The cover of a polygon (N, 2), antialiased."""
    canvas = np.zeros((ground.side, ground.side), dtype=np.uint8)
    cv2.fillPoly(canvas, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return degrade.to_float(canvas)


def _turned(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    return np.asarray(points @ degrade.rotation(angle).T)


def _outline(rng: Generator, width: float, height: float) -> NDArray[np.float64]:
    """The outline (N, 2) around the origin of a rectangle, a rectangle with round corners, an ellipse, or a blob."""
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    kind = rng.random()
    exponent = 2.0 if kind < 0.35 else rng.uniform(3, 9) if kind < 0.6 else 60.0
    radius = (np.abs(np.cos(angle)) ** exponent + np.abs(np.sin(angle)) ** exponent) ** (-1 / exponent)
    if kind > 0.85:
        waves = np.arange(2, 7)
        size, phase = rng.normal(0, 0.35, waves.size) / waves, rng.uniform(0, 2 * np.pi, waves.size)
        radius = np.clip(1 + (size[:, None] * np.cos(waves[:, None] * angle + phase[:, None])).sum(axis=0), 0.3, 2)
    return np.stack([radius * np.cos(angle) * width / 2, radius * np.sin(angle) * height / 2], axis=1)


def _fill(rng: Generator, ground: Ground, cover: Image) -> Image:
    """The paint of a printed thing: plain, two tones with letters or shapes, a picture, or modules of another size."""
    paint = _full(ground, ground.tone(rng))
    kind = rng.random()
    other = ground.tone(rng)
    if kind < 0.3:
        return paint
    if kind < 0.55:
        _write(rng, ground, paint, cover, other)
    elif kind < 0.75:
        rows, columns = np.nonzero(cover > 0.5)
        for _ in range(rng.integers(1, 5)):
            if not rows.size:
                break
            at = rng.integers(rows.size)
            size = ground.reach * rng.uniform(0.03, 0.2)
            points = _turned(_outline(rng, size, size * rng.uniform(0.4, 2)), rng.uniform(0, np.pi))
            shape = _polygon(ground, points + np.array([columns[at], rows[at]]))
            paint += shape * (np.float32(other if rng.random() < 0.7 else ground.tone(rng)) - paint)
    elif kind < 0.9:
        paint += draw_picture(rng, ground.side) * np.float32(other - float(paint[0, 0]))
    else:
        cell = ground.module * rng.uniform(0.5, 2.5)
        count = int(ground.side / cell) + 1
        cells = (rng.random((count, count)) < rng.uniform(0.2, 0.8)).astype(np.float32)
        drawn = cv2.resize(cells, (ground.side, ground.side), interpolation=cv2.INTER_NEAREST)
        paint += drawn * np.float32(other - float(paint[0, 0]))
    return np.asarray(paint, dtype=np.float32)


def _write(rng: Generator, ground: Ground, paint: Image, cover: Image, tone: float) -> None:
    """Writes a few letters in the middle of a cover, in place."""
    rows, columns = np.nonzero(cover > 0.5)
    if not rows.size:
        return
    letters = "".join(rng.choice(list(_LETTERS), rng.integers(1, 5)))
    font, thick = int(rng.integers(0, 5)), int(rng.integers(1, max(2, round(1.2 * ground.module))))
    scale = float(np.ptp(columns) + 1) / (24 * len(letters)) * rng.uniform(0.5, 1.1)
    (width, height), _ = cv2.getTextSize(letters, font, scale, thick)
    canvas = np.zeros(paint.shape, dtype=np.uint8)
    place = (int(columns.mean() - width / 2), int(rows.mean() + height / 2))
    cv2.putText(canvas, letters, place, font, scale, 255, thick, cv2.LINE_AA)
    paint += degrade.to_float(canvas) * (np.float32(tone) - paint)


def logo(rng: Generator, ground: Ground, share: float) -> tuple[Image, Image]:
    """A printed mark, mostly in the middle: with or without a cleared ground, which often follows the modules' grid, or
    an irregular mark straight on the modules."""
    size = share**0.5 * ground.reach
    aspect = rng.uniform(0.6, 1.6) if rng.random() < 0.4 else 1.0
    width, height = size * aspect**0.5, size / aspect**0.5
    middle = np.full(2, (ground.low + ground.high) / 2)
    if rng.random() < 0.35:
        reach = np.maximum((ground.reach - np.array([width, height])) / 2, 0)
        middle = middle + rng.uniform(-1, 1, 2) * reach
    inner = _polygon(ground, middle + _outline(rng, width, height) * rng.uniform(0.55, 0.95))
    paint = _fill(rng, ground, inner)
    kind = rng.random()
    if kind < 0.25:  # the mark alone
        return paint, inner
    if kind < 0.35:  # letters alone
        letters = _full(ground, 0.0)
        _write(rng, ground, letters, _polygon(ground, middle + _outline(rng, width, height)), 1.0)
        return paint, letters
    low, high = middle - np.array([width, height]) / 2, middle + np.array([width, height]) / 2
    if kind < 0.7:
        low, high = (ground.low + np.rint((at - ground.low) / ground.module) * ground.module for at in (low, high))
        cleared = _polygon(ground, low + square(1) * (high - low))
    else:
        cleared = _polygon(ground, middle + _outline(rng, width, height))
    empty = ground.paper if rng.random() < 0.75 else ground.tone(rng)
    whole = np.full_like(paint, empty)
    return np.asarray(whole + inner * (paint - whole), dtype=np.float32), np.maximum(cleared, inner)


def sticker(rng: Generator, ground: Ground, share: float) -> tuple[Image, Image]:
    """A printed label of any rotation, anywhere."""
    size, aspect = share**0.5 * ground.reach, rng.uniform(1, 3.5) ** 0.5
    points = _turned(_outline(rng, size * aspect, size / aspect), rng.uniform(0, np.pi)) + ground.place(rng)
    cover = _polygon(ground, points)
    return _fill(rng, ground, cover), cover


def finger(rng: Generator, ground: Ground, share: float) -> tuple[Image, Image]:
    """A round tip that comes in from outside, darker towards its border, perhaps with a shadow beside it."""
    width = share * ground.reach * rng.uniform(0.8, 2.0) + 2 * ground.module
    length = 2.2 * ground.reach
    angle = rng.uniform(0, 2 * np.pi)
    tip = np.full(2, (ground.low + ground.high) / 2) + _turned(
        np.array([[rng.uniform(-0.1, 0.45) * ground.reach, rng.uniform(-0.4, 0.4) * ground.reach]]), angle
    )
    points = np.array([[np.cos(a) * width / 2, np.sin(a) * width / 2] for a in np.linspace(np.pi / 2, 1.5 * np.pi, 30)])
    points = np.concatenate([points, [[length, -width / 2], [length, width / 2]]])
    cover = _polygon(ground, _turned(points, angle) + tip)
    soft = degrade.gaussian(cover, sigma=0.2 * width)
    paint = np.float32(rng.uniform(0.15, 0.85)) * (np.float32(rng.uniform(0.3, 0.9)) + soft * np.float32(0.6))
    return np.asarray(paint, dtype=np.float32), degrade.gaussian(cover, sigma=rng.uniform(0.05, 0.5) * ground.module)


def hole(rng: Generator, ground: Ground, share: float) -> tuple[Image, Image]:
    """One to four round or ragged holes through which something else shows, perhaps with a burnt rim."""
    cover, rim = _full(ground, 0.0), _full(ground, 0.0)
    count = int(rng.integers(1, 5))
    for _ in range(count):
        size = 2 * (share / count / np.pi) ** 0.5 * ground.reach
        outline, place = _outline(rng, size, size * rng.uniform(0.7, 1.4)), ground.place(rng)
        cover = np.maximum(cover, _polygon(ground, outline + place))
        rim = np.maximum(rim, _polygon(ground, outline * rng.uniform(1.05, 1.5) + place))
    through = _full(ground, ground.tone(rng))
    if rng.random() < 0.3:
        through = draw_picture(rng, ground.side)
    if rng.random() < 0.4:
        edge = np.float32(rng.uniform(0, 0.5))
        return np.asarray(edge + cover * (through - edge), dtype=np.float32), np.maximum(cover, rim)
    return through, cover


def tear(rng: Generator, ground: Ground, share: float) -> tuple[Image, Image]:
    """A side or a corner torn or cut off along a ragged or straight line; what lies behind shows."""
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.6 else rng.integers(4) * np.pi / 2 + rng.normal(0, 0.03)
    # A line at this distance from the middle cuts off about the share wanted, of a square seen from that angle.
    extent = ground.reach / 2 * (abs(np.cos(angle)) + abs(np.sin(angle)))
    distance = extent - min(share, 0.45) * ground.reach * (1.0 if abs(np.sin(2 * angle)) < 0.3 else 1.4)
    along = np.linspace(-1.5, 1.5, 60) * ground.side
    ragged = rng.uniform(0, 0.5) * ground.module if rng.random() < 0.75 else 0.0
    border = np.cumsum(rng.normal(0, ragged, along.size)) * 0.7
    far = np.stack([np.full(along.size, 2.0 * ground.side), along[::-1]], axis=1)
    points = np.concatenate([np.stack([distance + border - border.mean(), along], axis=1), far])
    cover = _polygon(ground, _turned(points, angle) + (ground.low + ground.high) / 2)
    behind = _full(ground, ground.tone(rng)) if rng.random() < 0.6 else draw_picture(rng, ground.side)
    return behind, cover


def glare(rng: Generator, ground: Ground, share: float) -> tuple[Image, Image]:
    """A spot or a streak so bright that nothing is left in its middle, with a soft border."""
    size = share**0.5 * ground.reach
    stretched = rng.uniform(1, 1.8) if rng.random() < 0.6 else rng.uniform(2.5, 7)
    points = _turned(_outline(rng, size * stretched, size / stretched), rng.uniform(0, np.pi)) + ground.place(rng)
    cover = degrade.gaussian(_polygon(ground, points), sigma=rng.uniform(0.1, 0.35) * size)
    cover = np.clip(cover * np.float32(rng.uniform(1.0, 1.8)), 0, 1)
    return _full(ground, ground.paper + rng.uniform(0.0, 0.35)), np.asarray(cover, dtype=np.float32)


def dirt(rng: Generator, ground: Ground, share: float) -> tuple[Image, Image]:
    """Spots and stains, all of about one tone, of sizes from a third of a module to several modules."""
    cells = max(4, int(ground.side / (ground.module * rng.uniform(0.35, 3))))
    field = rng.random((cells, cells), dtype=np.float32)
    field = np.asarray(cv2.resize(field, (ground.side, ground.side), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    coarse = cv2.resize(rng.random((4, 4), dtype=np.float32), field.shape, interpolation=cv2.INTER_CUBIC)
    field = field + np.float32(rng.uniform(0, 1.2)) * coarse
    level = float(np.quantile(field, 1 - share))
    sharp = np.clip((field - level) * np.float32(rng.uniform(6, 40)) + 0.5, 0, 1)
    paint = ground.tone(rng) + np.float32(0.1) * (draw_picture(rng, ground.side) - np.float32(0.5))
    return np.asarray(paint, dtype=np.float32), np.asarray(sharp * np.float32(rng.uniform(0.7, 1)), dtype=np.float32)


def strokes(rng: Generator, ground: Ground, share: float) -> tuple[Image, Image]:
    """One to six strokes of a pen or a scratch across the symbol, straight or bent."""
    canvas = np.zeros((ground.side, ground.side), dtype=np.uint8)
    count = int(rng.integers(1, 7))
    thick = max(1, round(share * ground.reach / count * rng.uniform(0.6, 1.3)))
    for _ in range(count):
        points = np.stack([ground.place(rng) for _ in range(rng.integers(2, 5))])
        at = np.linspace(0, len(points) - 1, 24)
        path = np.stack([np.interp(at, np.arange(len(points)), points[:, axis]) for axis in (0, 1)], axis=1)
        path = np.asarray(cv2.blur(path, (1, 7)) if rng.random() < 0.6 else path)
        cv2.polylines(canvas, [np.rint(path * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
    return _full(ground, ground.tone(rng)), degrade.to_float(canvas)


def bands(rng: Generator, ground: Ground, share: float) -> tuple[Image, Image]:
    """Parallel bands that wipe out the picture, as of a screen that is drawn while it is photographed."""
    angle = 0.0 if rng.random() < 0.7 else rng.uniform(0, np.pi)
    along = np.arange(ground.side, dtype=np.float32)
    distance = along[:, None] * np.float32(np.cos(angle)) + along[None] * np.float32(np.sin(angle))
    period = ground.reach * rng.uniform(0.25, 1.2)
    wave = np.cos(2 * np.pi * (distance / period + rng.random()))
    level = np.cos(np.pi * min(0.6, 1.6 * share))
    cover = np.clip((wave - level) * np.float32(rng.uniform(2, 20)) + 0.5, 0, 1)
    return _full(ground, ground.tone(rng)), np.asarray(cover, dtype=np.float32)


def painted_finder(rng: Generator, ground: Ground, share: float) -> tuple[Image, Image]:
    """One or two of the symbol's corners with a finder pattern painted over, exactly or roughly."""
    cover = _full(ground, 0.0)
    reach = _FINDER * ground.module * rng.uniform(0.95, 1.35)
    for corner in rng.permutation(4)[: rng.integers(1, 3)]:
        at = np.array([corner % 2, corner // 2]) * (ground.reach - _FINDER * ground.module) + ground.low
        centre = at + _FINDER * ground.module / 2 + rng.normal(0, 0.3, 2) * ground.module
        cover = np.maximum(cover, _polygon(ground, centre + _outline(rng, reach, reach)))
    return _fill(rng, ground, cover), cover


OCCLUDERS: Final[dict[str, Occluder]] = {
    "logo": logo,
    "sticker": sticker,
    "finger": finger,
    "hole": hole,
    "tear": tear,
    "glare": glare,
    "dirt": dirt,
    "strokes": strokes,
    "bands": bands,
    "painted finder": painted_finder,
}
"""The kinds of occluders, by name."""
OCCLUDER_ODDS: Final = (0.34, 0.12, 0.07, 0.07, 0.12, 0.09, 0.06, 0.04, 0.04, 0.05)
"""How often `occlude` takes each."""


def occlude(rng: Generator, image: Image, ground: Ground, *, kind: str | None = None) -> tuple[Image, Image]:
    """Hides a part of a symbol; returns the picture and the cover, (S, S), in [0, 1].

    The share of the symbol is 1.5 to 38 %, small ones more often. Raises KeyError for an unknown kind.
    """
    name = kind or str(rng.choice(tuple(OCCLUDERS), p=OCCLUDER_ODDS))
    share = _LEAST_AREA + (_MOST_AREA - _LEAST_AREA) * float(rng.random() ** 1.3)
    paint, cover = OCCLUDERS[name](rng, ground, share)
    return np.asarray(image + cover * (paint - image), dtype=np.float32), cover
