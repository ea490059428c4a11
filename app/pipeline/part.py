"""The part of a picture in which alone codes are looked for."""

import re
from dataclasses import dataclass
from math import ceil, floor
from typing import Final, Self

from app.errors import RegionOutside

_PIXELS: Final = re.compile(r"[0-9]{1,9}")
_SHARE: Final = re.compile(r"[01]?\.[0-9]{1,17}|[01]")
_SLACK: Final = 1e-6  # of rounding, by which shares may exceed the whole
SYNTAX: Final = (
    "must be x,y,width,height: four whole numbers of pixels, or four shares of the picture from 0 to 1, of which one "
    "at least has a decimal point; width and height are over 0"
)
"""What is wrong with a text that is no part of a picture."""


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of a picture as stored, by its left and top edge, width and height: in pixels, or if ``shared`` in
    shares of the picture's width and height, 0 to 1."""

    x: float
    y: float
    width: float
    height: float
    shared: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """The part that "x,y,width,height" names. Raises ValueError."""
        numbers = [number.strip() for number in text.split(",")]
        shared = any("." in number for number in numbers)
        form = _SHARE if shared else _PIXELS
        if len(numbers) != 4 or not all(map(form.fullmatch, numbers)):
            raise ValueError(SYNTAX)
        x, y, width, height = map(float, numbers)
        part = cls(x, y, width, height, shared)
        if min(part.width, part.height) <= 0:
            raise ValueError(SYNTAX)
        if shared and max(part.x + part.width, part.y + part.height) > 1 + _SLACK:
            raise ValueError("x + width and y + height must not exceed 1, the whole picture")
        return part

    def of(self, height: int, width: int) -> tuple[slice, slice]:
        """The rows and columns of a picture of this size; a share includes every pixel that it touches.

        Raises RegionOutside where they exceed the picture.
        """
        across, down = (width, height) if self.shared else (1, 1)
        left, right = _span(self.x * across, self.width * across, width)
        top, bottom = _span(self.y * down, self.height * down, height)
        if right > width or bottom > height:
            raise RegionOutside(f"The region exceeds the image, which is {width} x {height} pixels.")
        return slice(top, bottom), slice(left, right)


def _span(start: float, length: float, most: int) -> tuple[int, int]:
    """First pixel and the one behind the last."""
    first, end = floor(start + _SLACK), ceil(start + length - most * _SLACK)
    return min(first, most - 1) if start < most else first, max(end, first + 1)
