"""How well a picture shows a symbol that was read in it, quiet zone included."""

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import Bits
from app.pipeline.qrcode.small.patterns import SMALL_QUIET_ZONE
from app.pipeline.quad import Quad, homography

_SPREAD: Final = (-0.2, 0.0, 0.2)  # of a module, around its centre, where it is sampled


def showing(image: GreyImage, corners: Quad, modules: Bits) -> float:
    """Correlation, 0 to 1, of a picture with modules (H, W), True is dark, and a quiet zone of two modules around them,
    whichever of dark and light is the brighter; 0 where the picture is flat."""
    light = np.pad(~modules, SMALL_QUIET_ZONE, constant_values=True).ravel()
    points = cv2.perspectiveTransform(_points(*modules.shape), homography(corners.array, 1.0))
    at = points.astype(np.float32) - np.float32(0.5)
    sampled = cv2.remap(image, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    grey = sampled.mean(axis=1, dtype=np.float64)
    deviation, wanted = grey - grey.mean(), light - light.mean()
    norm = float(np.linalg.norm(deviation) * np.linalg.norm(wanted))
    return abs(float(deviation @ wanted)) / norm if norm > 0 else 0.0


@cache
def _points(height: int, width: int) -> NDArray[np.float64]:
    """Where modules are sampled, quiet zone included, row by row, (N, 9, 2), in units of the symbol's sides."""
    rows, columns = (np.arange(-SMALL_QUIET_ZONE, side + SMALL_QUIET_ZONE) + 0.5 for side in (height, width))
    y, x = (part.reshape(-1, 1) for part in np.meshgrid(rows, columns, indexing="ij"))
    down, along = (part.ravel() for part in np.meshgrid(_SPREAD, _SPREAD, indexing="ij"))
    return np.stack([(x + along) / width, (y + down) / height], axis=2)
