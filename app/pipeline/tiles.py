"""Maps of tiles: what a picture shows in each of its small squares, and whether these make up a larger one, as the
modules of a code do."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_LEAST_SQUARE: Final = 3.9  # tiles a side
_LONGEST_SQUARE: Final = 1.4  # times as long as wide


def means(values: NDArray[np.float32], tile: int) -> NDArray[np.float32]:
    """The mean of (H, W) or (H, W, C) over tiles of ``tile`` pixels a side: (H // tile, W // tile) or with C. What is
    left over at the right and at the bottom is ignored; H and W are at least ``tile``."""
    height, width = (side // tile for side in values.shape[:2])
    whole = values[: height * tile, : width * tile]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def variances(planes: NDArray[np.uint8], tile: int) -> NDArray[np.float32]:
    """The variance of each plane in each tile; see `means`."""
    values = planes.astype(np.float32)
    mean = means(values, tile)
    return np.asarray(np.maximum(means(values * values, tile) - mean * mean, 0), np.float32)


def blocks(tiles: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those of the tiles (H, W) that lie in blocks of four: along the edge of a thing there are none."""
    opened = cv2.morphologyEx(tiles.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8), borderValue=0)
    return np.asarray(opened, np.bool_)


def shows_square(tiles: NDArray[np.bool_], *, least_filled: float) -> bool:
    """Whether connected tiles of (H, W) make up a square, however turned: about 4 tiles a side or more, at most 1.4
    times as long as wide, of which they fill ``least_filled``, 0 to 1."""
    count, areas = cv2.connectedComponents(tiles.astype(np.uint8))
    for area in range(1, count):
        inside = areas == area
        _, sides, _ = cv2.minAreaRect(np.argwhere(inside).astype(np.float32))
        width, height = sorted(side + 1 for side in sides)
        is_square = width >= _LEAST_SQUARE and height <= _LONGEST_SQUARE * width
        if is_square and np.count_nonzero(inside) >= least_filled * width * height:
            return True
    return False
