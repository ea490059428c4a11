"""Sheets that were folded or crumpled, seen obliquely and lit from a side, with the exact place of every point.

A sheet is a relief, heights (S, S) in pixels of its picture. Seen from a tilt, (2,) as the tangents of the angles along
x and y, a point (x, y) of the sheet appears at ``(x, y) + height * tilt``. That paper keeps its length is neglected.
"""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.data import degrade
from training.data.degrade import Image

_STEEPEST = 0.6  # change of displacement over distance, at which a sheet would nearly hide parts of itself
_ITERATIONS = 14  # of the fixed point that inverts the displacement; it gains a factor of `_STEEPEST` each time


def folded(rng: Generator, side: int, count: int) -> Image:
    """The relief of a sheet with ``count`` straight folds across it, with mean 0 and deviation 1."""
    y, x = np.mgrid[-0.5 : 0.5 : side * 1j, -0.5 : 0.5 : side * 1j].astype(np.float32)
    relief = np.zeros((side, side), dtype=np.float32)
    square_on = rng.random() < 0.5  # as sheets are folded to fit an envelope
    for _ in range(count):
        angle = rng.integers(2) * np.pi / 2 + rng.normal(0, 0.05) if square_on else rng.uniform(0, np.pi)
        distance = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)) - np.float32(rng.uniform(-0.4, 0.4))
        relief += np.float32(rng.normal()) * np.abs(distance)
    return _normalised(relief)


def crumpled(rng: Generator, side: int, count: int) -> Image:
    """The relief of a crumpled sheet: facets between ``count`` points of random heights, mean 0 and deviation 1."""
    frame = np.array([[-0.2, -0.2], [1.2, -0.2], [1.2, 1.2], [-0.2, 1.2]])
    points = (np.concatenate([frame, rng.uniform(-0.15, 1.15, (count, 2))]) * side).astype(np.float32)
    heights = dict(zip(map(tuple, points.tolist()), rng.normal(size=len(points)).tolist(), strict=True))
    low, high = int(-0.3 * side), int(1.3 * side)
    mesh = cv2.Subdiv2D((low, low, high - low, high - low))
    mesh.insert(points.tolist())
    row, column = np.indices((side, side), dtype=np.float32)
    relief = np.zeros((side, side), dtype=np.float32)
    facet = np.zeros((side, side), dtype=np.uint8)
    for triangle in np.asarray(mesh.getTriangleList(), dtype=np.float32).reshape(-1, 3, 2):
        corners = [tuple(corner) for corner in triangle.tolist()]
        if not all(corner in heights for corner in corners):
            continue
        facet[:] = 0
        cv2.fillConvexPoly(facet, np.rint(triangle).astype(np.int32), 1)
        plane = np.linalg.lstsq(np.c_[triangle, np.ones(3)], [heights[corner] for corner in corners], rcond=None)[0]
        inside = facet > 0
        relief[inside] = (plane[0] * column + plane[1] * row + plane[2])[inside]
    return _normalised(relief)


def _normalised(relief: Image) -> Image:
    """Less its mean plane, with deviation 1."""
    side = relief.shape[0]
    y, x = np.mgrid[-0.5 : 0.5 : side * 1j, -0.5 : 0.5 : side * 1j].astype(np.float32)
    basis = np.stack([x.ravel(), y.ravel(), np.ones(x.size, dtype=np.float32)], axis=1)
    plane = np.linalg.solve(basis.T @ basis, basis.T @ relief.ravel())
    flat = relief - (basis @ plane).reshape(relief.shape)
    return np.asarray(flat / max(float(flat.std()), 1e-6), dtype=np.float32)


@dataclass(frozen=True)
class Sheet:
    """A folded sheet: its ``relief`` (S, S) in pixels, the ``tilt`` (2,) from which it is seen, and the direction
    ``light`` (3,) from which it is lit."""

    relief: Image
    tilt: NDArray[np.float64]
    light: NDArray[np.float64]

    @classmethod
    def random(cls, rng: Generator, side: int, *, amplitude: float, module: float) -> Self:
        """A sheet with one to four folds, or crumpled with 6 to 40 points, whose points are displaced by ``amplitude``
        pixels (standard deviation), less where it would hide parts of itself. ``module`` is in pixels."""
        if rng.random() < 0.5:
            relief = folded(rng, side, int(rng.integers(1, 5)))
        else:
            relief = crumpled(rng, side, int(rng.integers(6, 41)))
        relief = degrade.gaussian(relief, sigma=rng.uniform(0.1, 0.5) * module)
        tilt, turn = np.tan(rng.uniform(0.25, 0.9)), rng.uniform(0, 2 * np.pi)
        slopes = np.hypot(*np.gradient(relief))
        steepest = float(np.quantile(slopes, 0.99)) * amplitude
        amplitude *= min(1.0, _STEEPEST / max(steepest, 1e-6))
        height = np.float32(amplitude / tilt)
        around, high = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.3)
        light = np.array([np.cos(around) * np.cos(high), np.sin(around) * np.cos(high), np.sin(high)])
        return cls(relief * height, tilt * np.array([np.cos(turn), np.sin(turn)]), light)

    @property
    def shading(self) -> Image:
        """The light on each point of the sheet, (S, S): Lambert's, relative to a flat sheet."""
        down, across = np.gradient(self.relief)
        facing = (self.light[2] - across * self.light[0] - down * self.light[1]) / np.sqrt(1 + across**2 + down**2)
        return np.asarray(0.35 + 0.65 * np.maximum(facing, 0) / self.light[2], dtype=np.float32)

    def see(self, image: Image) -> Image:
        """The sheet's picture (S, S) as it is seen, lit; its border is repeated."""
        lit = image * np.clip(self.shading, 0, 2.2)
        row, column = np.indices(image.shape, dtype=np.float32)
        height = np.zeros_like(image)
        for _ in range(_ITERATIONS):
            height = _sample(self.relief, column - self.tilt[0] * height, row - self.tilt[1] * height)
        return _sample(lit, column - self.tilt[0] * height, row - self.tilt[1] * height)

    def seen_at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points (N, 2) of the sheet are seen; both from the outer edge."""
        at = points - 0.5
        height = _sample(self.relief, at[:, :1], at[:, 1:])
        return np.asarray(points + height.astype(np.float64) * self.tilt, dtype=np.float64)


def _sample(image: Image, x: NDArray[np.floating], y: NDArray[np.floating]) -> Image:
    """An image at positions, in pixel centres; its border is repeated."""
    at = x.astype(np.float32), y.astype(np.float32)
    return np.asarray(cv2.remap(image, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), dtype=np.float32)
