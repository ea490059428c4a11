"""Outlines of codes in a picture, and their geometry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Point = tuple[float, float]
SAME_PLACE: Final = 0.3
"""Overlap from which two outlines are one place."""


@dataclass(frozen=True, eq=False, repr=False)
class Quad:
    """Four corners, (4, 2) float64: x and y in pixels from the picture's outer edge, so that pixel ``i`` covers
    ``[i, i + 1]``.

    Code that makes a quad defines the order of its corners. numpy takes quads as arrays.
    """

    array: NDArray[np.float64]

    @classmethod
    def of(cls, corners: ArrayLike) -> Quad:
        """Makes a quad of four points in any form. Raises ValueError unless they are eight numbers."""
        array = np.array(corners, dtype=np.float64).reshape(4, 2)
        array.setflags(write=False)
        return cls(array)

    @property
    def as_tuple(self) -> tuple[Point, Point, Point, Point]:
        """The corners as plain numbers."""
        first, second, third, fourth = ((float(x), float(y)) for x, y in self.array)
        return first, second, third, fourth

    @property
    def centre(self) -> Point:
        """The mean of the corners."""
        corners = self.as_tuple
        return sum(x for x, _ in corners) / 4, sum(y for _, y in corners) / 4

    def scaled(self, factor: float) -> Quad:
        """The outline in the picture scaled by ``factor``."""
        return Quad.of(self.array * factor)

    def moved(self, x: float, y: float) -> Quad:
        """The outline shifted by ``x`` and ``y`` pixels."""
        return Quad.of(self.array + np.array([x, y]))

    def in_order_of(self, other: Quad) -> Quad:
        """The outline begun at the corner that makes its order closest to the other's."""
        return Quad.of(reorder(self.array[None], other.array)[0])

    @property
    def is_sound(self) -> bool:
        """Whether the quad is convex, in either direction, and large enough for a code; see `is_sound`."""
        return is_sound(self.array) or is_sound(self.array[::-1])

    def towards_centre(self, share: float) -> tuple[Point, Point, Point, Point]:
        """The points at this share of the way from each corner to the centre."""
        return Quad.of(self.array + share * (np.array(self.centre) - self.array)).as_tuple

    def contains(self, point: Point) -> bool:
        """Whether a point lies inside or on the outline."""
        return cv2.pointPolygonTest(self.array.astype(np.float32), point, False) >= 0

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """The upright box around the quad: left, top, right, bottom."""
        (left, top), (right, bottom) = self.array.min(axis=0).tolist(), self.array.max(axis=0).tolist()
        return left, top, right, bottom

    @cached_property
    def area(self) -> float:
        """In square pixels."""
        return float(cv2.contourArea(self.array.astype(np.float32)))

    def overlap(self, other: Quad) -> float:
        """Intersection over union of two convex quads, 0 to 1."""
        shared = self._shared_area(other)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def share_inside(self, other: Quad) -> float:
        """The part of this quad's area that lies in another one, 0 to 1; both are convex."""
        return self._shared_area(other) / self.area if self.area > 0 else 0.0

    def _shared_area(self, other: Quad) -> float:
        left, top, right, bottom = self.bounds
        other_left, other_top, other_right, other_bottom = other.bounds
        if left >= other_right or other_left >= right or top >= other_bottom or other_top >= bottom:
            return 0.0
        first, second = self.array.astype(np.float32), other.array.astype(np.float32)
        return float(cv2.intersectConvexConvex(first, second)[0])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.array, dtype=dtype) if copy else np.asarray(self.array, dtype=dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quad) and np.array_equal(self.array, other.array)

    def __hash__(self) -> int:
        return hash(self.as_tuple)

    def __repr__(self) -> str:
        return f"Quad.of({self.as_tuple})"


def square(modules: float) -> NDArray[np.float64]:
    """The quad (4, 2) of an upright symbol of ``modules`` a side, in modules, clockwise from the top left."""
    return oblong(modules, modules)


def oblong(columns: float, rows: float) -> NDArray[np.float64]:
    """As `square`, for a symbol of ``columns`` by ``rows`` modules."""
    return np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], dtype=np.float64)


def bilinear_weights(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (N, 4) by which points (N,), in shares of a quad's sides from its first corner, follow its corners."""
    return np.stack([(1 - x) * (1 - y), x * (1 - y), x * y, (1 - x) * y], axis=1)


def reorder(quads: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotates the corner order of each quad (N, 4, 2) to the one closest to that of the reference (4, 2)."""
    turned = np.stack([np.roll(quads, -start, axis=1) for start in range(4)])
    apart = np.linalg.norm(turned - reference, axis=3).sum(axis=2)
    return np.asarray(turned[apart.argmin(axis=0), np.arange(len(quads))], dtype=np.float64)


def homography(corners: ArrayLike, modules: float, rows: float | None = None) -> NDArray[np.float64]:
    """The 3 x 3 matrix that a quad defines: from module coordinates, whose origin is the symbol's top-left corner, to
    picture positions. The symbol has ``modules`` columns and, unless it is square, ``rows``."""
    target = np.asarray(corners, dtype=np.float32).reshape(4, 2)
    source = oblong(modules, modules if rows is None else rows).astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform(source, target), dtype=np.float64)


def side_length(corners: ArrayLike) -> float:
    """Mean length of a quad's four sides, in pixels."""
    quad = np.asarray(corners, dtype=np.float64).reshape(4, 2)
    return float(np.linalg.norm(quad - np.roll(quad, 1, axis=0), axis=1).mean())


def elongation(corners: ArrayLike) -> float:
    """How many times as long as wide a quad is, 1 or more, by the sums of its opposite sides."""
    quad = np.asarray(corners, dtype=np.float64).reshape(4, 2)
    sides = np.linalg.norm(quad - np.roll(quad, 1, axis=0), axis=1)
    pair, other = float(sides[0] + sides[2]), float(sides[1] + sides[3])
    return max(pair, other) / max(min(pair, other), 1e-9)


_NEXT = [1, 2, 3, 0]  # index of the corner after each corner


def is_sound(quad: NDArray[np.float64]) -> bool:
    """Whether the quad is convex, clockwise as seen, and large enough for a code: 10 pixels on each side."""
    edges = quad[_NEXT] - quad
    turns = edges[:, 0] * edges[_NEXT, 1] - edges[:, 1] * edges[_NEXT, 0]
    return bool((turns > 0).all() and np.hypot(*edges.T).min() >= 10)
