"""Draws a batch beside the network's output, one sample per column, for the pictures that a run saves."""

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.data.crops import CropBatch
from training.data.degrade import to_uint8

_COLUMNS = 8
_SIDE = 192


def _grid(rows: list[Tensor]) -> NDArray[np.uint8]:
    """Arranges rows of pictures (N, 1, H, W) in [0, 1], resized to ``_SIDE`` pixels, in one 8-bit image."""
    drawn = [
        np.hstack(
            [
                cv2.resize(picture[0].float().cpu().numpy(), (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)
                for picture in row[:_COLUMNS]
            ]
        )
        for row in rows
    ]
    return to_uint8(np.vstack(drawn))


def restoration_picture(restored: Tensor, batch: CropBatch) -> NDArray[np.uint8]:
    """Rows from the top: degraded, restored and clean."""
    return _grid([batch.degraded, restored, batch.clean])


def reading_picture(log_odds: Tensor, batch: CropBatch) -> NDArray[np.uint8]:
    """Rows from the top: degraded, the probability that each module is light, and clean."""
    return _grid([batch.degraded, (-log_odds).sigmoid(), batch.clean])
