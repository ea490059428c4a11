"""Draws a batch beside the network's output, one sample per column, for the pictures that a run saves."""

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from app.models.contract import CORNER_UNIT, STRIDE
from training.data.crops import CropBatch
from training.data.degrade import to_uint8
from training.data.scene_batches import SceneBatch

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


def restoration_sheet(restored: Tensor, batch: CropBatch) -> NDArray[np.uint8]:
    """Sample sheet of a restorer's run; rows from the top: degraded, restored and clean."""
    return _grid([batch.degraded, restored, batch.clean])


def reading_sheet(log_odds: Tensor, batch: CropBatch) -> NDArray[np.uint8]:
    """Sample sheet of a module reader's run; rows from the top: degraded, the probability that each module is light,
    and clean."""
    return _grid([batch.degraded, (-log_odds).sigmoid(), batch.clean])


def quad_sheet(answer: Tensor, batch: SceneBatch) -> NDArray[np.uint8]:
    """Sample sheet of a locator's run: each window with the quad that its likeliest position votes for, above the
    map."""
    columns = []
    for window, maps in zip(batch.window[:8, 0].cpu().numpy(), answer[:8].float().cpu().numpy(), strict=False):
        grey = np.clip(window * 48 + 128, 0, 255).astype(np.uint8)
        chance = np.rint(255 / (1 + np.exp(-maps[0]))).astype(np.uint8)
        row, column = np.unravel_index(int(maps[0].argmax()), maps[0].shape)
        if maps[0, row, column] > 0:
            place = np.array([column, row]) * STRIDE + STRIDE / 2
            quad = maps[1:9, row, column].reshape(4, 2) * CORNER_UNIT + place
            cv2.polylines(grey, [np.rint(quad).astype(np.int32)], True, 255, 2)
        columns.append(np.vstack([grey, cv2.resize(chance, grey.shape[::-1], interpolation=cv2.INTER_NEAREST)]))
    return np.hstack(columns)
