"""Cuts a long code out of a picture and straightens it, though the paper may be bent along it."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, surroundings
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import QUIET_ZONE
from app.pipeline.quad import homography

_FINE = 0.7  # crop pixels a picture pixel, below which the picture is averaged down first


@dataclass(frozen=True, slots=True)
class Strip:
    """A code of ``rows`` modules that lies in the picture piece by piece: its upper and lower edge pass through
    ``edges`` (K, 2, 2), picture pixels, at the ``stations`` (K,), ascending, columns counted in modules from its left.
    """

    stations: NDArray[np.float64]
    edges: NDArray[np.float64]
    rows: int

    @property
    def columns(self) -> float:
        return float(self.stations[-1])

    @property
    def corners(self) -> NDArray[np.float64]:
        """The outer corners (4, 2) in the symbol's own order: top left, top right, bottom right, bottom left."""
        return np.array([self.edges[0, 0], self.edges[-1, 0], self.edges[-1, 1], self.edges[0, 1]])

    @property
    def module(self) -> float:
        """Pixels a module, the mean over all edges."""
        along = np.linalg.norm(np.diff(self.edges, axis=0), axis=2).sum(axis=0)
        across = np.linalg.norm(self.edges[[0, -1], 0] - self.edges[[0, -1], 1], axis=1)
        return float((along.sum() + across.sum()) / (2 * (self.columns + self.rows)))

    def rectify(self, image: GreyImage) -> GreyImage:
        """The code straight, at ``PIXELS_PER_MODULE`` and with ``QUIET_ZONE`` modules around it: (H, W) uint8.

        Between two stations as a homography lies; before the first and after the last as their neighbours do. Outside
        the picture its border is repeated. Pictures finer than the crop are first averaged down.
        """
        points = self.edges.reshape(-1, 2)
        x, y, width, height = cv2.boundingRect(np.rint(points).astype(np.int32))
        box = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float64)
        region, offset = surroundings(image, box, (QUIET_ZONE + 1) * self.module)
        at = self._places() - offset
        if (shrink := PIXELS_PER_MODULE / self.module) < _FINE:
            size = tuple(max(1, round(extent * shrink)) for extent in region.shape[::-1])
            at *= np.array([size[0] / region.shape[1], size[1] / region.shape[0]])
            region = np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        at = (at - 0.5).astype(np.float32)
        crop = cv2.remap(region, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(crop, dtype=np.uint8)

    def _places(self) -> NDArray[np.float64]:
        """Where in the picture, (H, W, 2), the centres of the crop's pixels lie."""
        step = 1 / PIXELS_PER_MODULE
        x = np.arange(step / 2 - QUIET_ZONE, self.columns + QUIET_ZONE, step)
        y = np.arange(step / 2 - QUIET_ZONE, self.rows + QUIET_ZONE, step)
        piece = np.clip(np.searchsorted(self.stations, x) - 1, 0, len(self.stations) - 2)
        parts = []
        for number, (begin, end) in enumerate(pairwise(self.stations)):
            quad = self.edges[[number, number + 1, number + 1, number], [0, 0, 1, 1]]
            inside = np.stack(np.meshgrid(x[piece == number] - begin, y), axis=2)
            parts.append(cv2.perspectiveTransform(inside, homography(quad, end - begin, self.rows)))
        return np.asarray(np.concatenate(parts, axis=1), dtype=np.float64)
