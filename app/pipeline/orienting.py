"""Turns an outcome as viewers turn the pictures, by the orientation that files state."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from app.pipeline.imaging import GreyImage
from app.pipeline.quad import Quad
from app.pipeline.results import Found, Outcome, PageInfo, Unread

_MIRRORING: Final = (2, 4, 5, 7)
_TURNING_ON_SIDE: Final = (5, 6, 7, 8)
_REVERSED: Final = ((0, 0), (0, 1), (1, 1), (1, 0), (0, 0), (0, 1), (1, 1), (1, 0))
"""Whether the rows and the columns of what viewers show, transposed first where it is turned on its side, run the other
way; by orientation."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture as stored: ``width`` and ``height`` in pixels, and its ``orientation``, 1 to 8 as EXIF counts them."""

    width: int
    height: int
    orientation: int = 1

    @property
    def is_mirrored(self) -> bool:
        """Whether viewers show its mirror image."""
        return self.orientation in _MIRRORING

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height as viewers show it."""
        size = self.width, self.height
        return size[::-1] if self.orientation in _TURNING_ON_SIDE else size

    def upright(self, corners: Quad) -> Quad:
        """Corners, clockwise, in the picture as viewers show it: clockwise, from the same corner on."""
        x, y = np.asarray(corners).T
        right, bottom = self.width - x, self.height - y
        turned = (
            (x, y), (right, y), (right, bottom), (x, bottom), (y, x), (bottom, x), (bottom, right), (y, right),
        )[self.orientation - 1]  # fmt: skip
        points = np.stack(turned, axis=1)
        return Quad.of(points[[0, 3, 2, 1]] if self.is_mirrored else points)

    def turned(self, image: GreyImage) -> GreyImage:
        """The picture itself, or a reduced one or a part of it, (H, W), as viewers show it."""
        drawn = image.T if self.orientation in _TURNING_ON_SIDE else image
        rows, columns = _REVERSED[self.orientation - 1]
        return np.ascontiguousarray(drawn[:: -1 if rows else 1, :: -1 if columns else 1])

    def straightened(self, image: GreyImage) -> GreyImage:
        """The picture of a code alone, (H, W), as it was cut out from the corner on at which its own top left lies,
        cut out of the picture as viewers show it instead."""
        return np.ascontiguousarray(image.T) if self.is_mirrored else image


def turn_upright(outcome: Outcome, picture: Callable[[Found | Unread], Stored]) -> Outcome:
    """The outcome with everything as viewers show the pictures; ``picture`` is that which shows a code.

    Corners, rotations, sizes, and whether codes are mirrored. The orientations stay those that the files state.
    """
    first = Stored(outcome.width, outcome.height, outcome.orientation)
    width, height = first.upright_size
    return replace(
        outcome,
        codes=tuple(_turn_code(one, picture(one)) for one in outcome.codes),
        unread=tuple(replace(one, corners=picture(one).upright(one.corners)) for one in outcome.unread),
        width=width,
        height=height,
        pages=tuple(_turn_page(page) for page in outcome.pages),
    )


def stored_page(page: PageInfo) -> Stored:
    """A page as stored."""
    return Stored(page.width, page.height, page.orientation)


def _turn_code(one: Found, picture: Stored) -> Found:
    symbol = one.symbol.at(picture.upright(one.symbol.corners))
    symbol = replace(symbol, mirrored=symbol.mirrored != picture.is_mirrored)
    return replace(one, symbol=symbol, size=picture.upright_size)


def _turn_page(page: PageInfo) -> PageInfo:
    width, height = stored_page(page).upright_size
    return replace(page, width=width, height=height)
