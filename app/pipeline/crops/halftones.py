"""Crops of halftone codes (Chu et al., Halftone QR Codes, ACM Transactions on Graphics 32(6), 2013).

Each module is 3 x 3 cells, of which the middle one is as dark as the module and the others show a picture. The mean of
a module, by which other codes are read, tells more of the picture than of the code.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, rectify
from app.pipeline.imaging import GreyImage, enlarge
from app.pipeline.qrcode.patterns import QUIET_ZONE, complete_symbol, dimension, function_patterns
from app.pipeline.quad import Quad

_CELLS: Final = 3  # of a module, along each axis
_PIXELS: Final = 3  # of a cell
# Of the weights 0, 0.3, 0.5, 0.7 and 0.9 the last left fewest modules wrong, 7 % where the blur is 0.25 module.
_AROUND: Final = 0.9  # weight of the eight cells around a middle one, which blur mixes into it
# Of halftones with a blur of up to 0.2 module none has less than 0.16, nine of ten with 0.25 have 0.16.
_LEAST_GRAIN: Final = 0.12  # of the variance of the cells


def middles_of_modules(image: GreyImage, corners: Quad, version: int, *, inverted: bool) -> GreyImage | None:
    """The canonical crop of a code in which every module has the tone of its middle cell, sharpened, dark on light, and
    function patterns are as the standard fixes them: (S, S) uint8, S = 4 (modules + 8). None if hardly anything varies
    within modules, as in most other codes."""
    size = dimension(version) + 2 * QUIET_ZONE
    crop = rectify(image, corners, dimension(version), pixels=_CELLS * _PIXELS)
    shown = (~crop if inverted else crop).astype(np.float32)
    cells = cv2.resize(shown, (_CELLS * size, _CELLS * size), interpolation=cv2.INTER_AREA)
    unknown = ~function_patterns(version).known
    edge = _CELLS * QUIET_ZONE
    if _grain(np.asarray(cells[edge:-edge, edge:-edge], dtype=np.float32), unknown) < _LEAST_GRAIN:
        return None
    kernel = np.full((3, 3), -_AROUND / 8, dtype=np.float32)
    kernel[1, 1] = 1
    middles = cv2.filter2D(cells, -1, kernel)[1::_CELLS, 1::_CELLS][QUIET_ZONE:-QUIET_ZONE, QUIET_ZONE:-QUIET_ZONE]
    ink, paper = np.percentile(middles[unknown], (3, 97))
    dark = np.clip((paper - middles) / max(paper - ink, 1e-6), 0, 1)
    light = 255 * (1 - complete_symbol(dark.astype(np.float32), version))
    return np.asarray(np.rint(enlarge(light, PIXELS_PER_MODULE)), dtype=np.uint8)


def _grain(cells: NDArray[np.float32], which: NDArray[np.bool_]) -> float:
    """Share, 0 to 1, of the variance of the cells (3 M, 3 M) of some modules (M, M) that lies within modules."""
    size = which.shape[0]
    inside = cells.reshape(size, _CELLS, size, _CELLS).transpose(0, 2, 1, 3)[which].reshape(-1, _CELLS * _CELLS)
    return float(inside.var(axis=1).mean() / max(float(inside.var()), 1e-6))
