"""Draws decode rate against milliseconds, one dot a system, its 95 % interval as a bar."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import cv2
import numpy as np
from numpy.typing import NDArray

from training.compare.systems import Kind
from training.measure.quality import Rate

COLOURS: dict[Kind, tuple[int, int, int]] = {
    Kind.DECODER: (130, 130, 130),
    Kind.STRAIGHTENED: (60, 200, 230),
    Kind.INTERPOLATION: (60, 160, 230),
    Kind.RESTORER: (200, 110, 30),
    Kind.ENLARGER: (160, 60, 170),
    Kind.ROUTING: (60, 140, 40),
    Kind.READER: (60, 60, 200),
    Kind.LADDER: (20, 20, 20),
}
"""Blue, green, red."""

_WIDTH, _HEIGHT = 1100, 640
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 1070, 70, 580
_FONT, _SIZE, _INK = cv2.FONT_HERSHEY_SIMPLEX, 0.42, (60, 60, 60)
_RADIUS = 5
Box = tuple[int, int, int, int]
At = Callable[[float, float], tuple[int, int]]


@dataclass(frozen=True)
class Dot:
    """A system at its rate and its milliseconds a picture."""

    name: str
    kind: Kind
    rate: Rate
    milliseconds: float


def picture(dots: Sequence[Dot], title: str) -> NDArray[np.uint8]:
    """(H, W, 3): rate in % upwards, milliseconds on a logarithmic axis to the right, faster left, better up.

    Raises ValueError where there is no dot.
    """
    if not dots:
        raise ValueError("there is nothing to draw")
    panel = np.full((_HEIGHT, _WIDTH, 3), 255, dtype=np.uint8)
    first = floor(log10(min(dot.milliseconds for dot in dots)))
    last = max(first + 1, ceil(log10(max(dot.milliseconds for dot in dots))))

    def at(milliseconds: float, rate: float) -> tuple[int, int]:
        along = (log10(milliseconds) - first) / (last - first)
        return round(_LEFT + (_RIGHT - _LEFT) * along), round(_BOTTOM - (_BOTTOM - _TOP) * rate)

    _axes(panel, range(first, last + 1), at)
    _write(panel, title, (_LEFT, 22))
    _legend(panel, [kind for kind in COLOURS if any(dot.kind is kind for dot in dots)])
    places = [at(dot.milliseconds, dot.rate.value) for dot in dots]
    for dot, (x, _) in zip(dots, places, strict=True):
        low, high = (at(dot.milliseconds, bound)[1] for bound in dot.rate.interval)
        cv2.line(panel, (x, low), (x, high), COLOURS[dot.kind], 1)
    taken = [(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in places]
    for dot, (x, y) in sorted(zip(dots, places, strict=True), key=lambda pair: pair[1]):
        box = _free_place(dot.name, x, y, taken)
        taken.append(box)
        if abs((box[1] + box[3]) // 2 - y) > 14:
            cv2.line(panel, (x, y), (min(max(x, box[0]), box[2]), (box[1] + box[3]) // 2), (190, 190, 190), 1)
        _write(panel, dot.name, (box[0], box[3] - 3))
    for dot, place in zip(dots, places, strict=True):
        cv2.circle(panel, place, _RADIUS, COLOURS[dot.kind], -1, cv2.LINE_AA)
    return panel


def _axes(panel: NDArray[np.uint8], decades: range, at: At) -> None:
    for step in range(0, 101, 20):
        x, y = at(10.0 ** decades[0], step / 100)
        cv2.line(panel, (x, y), (_RIGHT, y), (225, 225, 225), 1)
        _write(panel, str(step), (x - 36, y + 4))
    for decade in decades:
        x, y = at(10.0**decade, 0)
        cv2.line(panel, (x, y), (x, _TOP), (205, 205, 205), 1)
        tick = f"{10.0**decade:g}"
        _write(panel, tick, (x - _extent(tick)[0] // 2, y + 18))
        for part in range(2, 10):
            if decade != decades[-1]:
                x, y = at(part * 10.0**decade, 0)
                cv2.line(panel, (x, y), (x, _TOP), (242, 242, 242), 1)
    _write(panel, "% read", (8, _TOP - 12))
    _write(panel, "ms a picture, one thread", ((_LEFT + _RIGHT) // 2 - 90, _BOTTOM + 42))


def _legend(panel: NDArray[np.uint8], kinds: Sequence[Kind]) -> None:
    x = _LEFT
    for kind in kinds:
        cv2.circle(panel, (x + 5, 42), _RADIUS, COLOURS[kind], -1, cv2.LINE_AA)
        _write(panel, kind.value, (x + 14, 46))
        x += 28 + _extent(kind.value)[0]


def _free_place(text: str, x: int, y: int, taken: Sequence[Box]) -> Box:
    """Where a label covers the least of what is there: beside its dot if that is free, else further up or down."""
    width, height = _extent(text)
    sides = (x + _RADIUS + 3, x - _RADIUS - 3 - width, x - width // 2)
    steps = (0, *(sign * reach for reach in range(12, 133, 12) for sign in (-1, 1)))
    boxes = [
        (left, y + up - height // 2 - 2, left + width, y + up + height // 2 + 3)
        for up, left in itertools.product(steps, sides)
        if left >= _LEFT and left + width <= _WIDTH - 2 and _TOP - 20 <= y + up <= _BOTTOM - 6
    ]
    return min(boxes, key=lambda box: sum(_overlap(box, other) for other in taken))


def _overlap(one: Box, other: Box) -> int:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, width) * max(0, height)


def _extent(text: str) -> tuple[int, int]:
    (width, height), _ = cv2.getTextSize(text, _FONT, _SIZE, 1)
    return width, height


def _write(image: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    for colour, thickness in (((255, 255, 255), 4), (_INK, 1)):  # legible on bars and grid
        cv2.putText(image, text, at, _FONT, _SIZE, colour, thickness, cv2.LINE_AA)
