import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.crops import CropBatch
from training.run.sample_sheets import reading_sheet, restoration_sheet

SIDE = 192
"""Pixels a side of each picture shown."""


def batch(count: int, *, modules: int = 6) -> CropBatch:
    dark = (torch.rand(count, 1, modules, modules, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    clean = (1 - dark).repeat_interleave(4, 2).repeat_interleave(4, 3)
    return CropBatch(
        degraded=0.25 + 0.5 * clean, clean=clean, dark=dark, planes=torch.zeros(count, 4, modules, modules)
    )


def cell(picture: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    return picture[SIDE * row : SIDE * (row + 1), SIDE * column : SIDE * (column + 1)]


def shown(picture: Tensor) -> NDArray[np.uint8]:
    """(1, H, W) in [0, 1] as it should be drawn."""
    values = np.rint(picture[0].clamp(0, 1).numpy() * 255).astype(np.uint8)
    return np.asarray(cv2.resize(values, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST))


def test_restorations_stand_between_what_was_given_and_what_is_true() -> None:
    made = batch(3)
    restored = 1.5 * made.clean - 0.2  # beyond black and white
    picture = restoration_sheet(restored, made)
    assert picture.shape == (3 * SIDE, 3 * SIDE)
    assert picture.dtype == np.uint8
    for column in range(3):
        for row, part in enumerate((made.degraded, restored, made.clean)):
            assert np.array_equal(cell(picture, row, column), shown(part[column]))


def test_readings_are_shown_light_where_they_are_light() -> None:
    made = batch(2)
    assert made.dark is not None
    light = CropBatch(made.degraded, 1 - made.dark, made.dark, made.planes)
    log_odds = torch.where(made.dark == 1, 2.0, -2.0)
    picture = reading_sheet(log_odds, light)
    assert picture.shape == (3 * SIDE, 2 * SIDE)
    for column in range(2):
        assert np.array_equal(cell(picture, 0, column), shown(made.degraded[column]))
        assert np.array_equal(cell(picture, 1, column), shown((-log_odds[column]).sigmoid()))
        assert np.array_equal(cell(picture, 2, column), shown(light.clean[column]))
    assert set(np.unique(picture[SIDE : 2 * SIDE])) == {30, 225}


def test_no_more_than_eight_columns_are_drawn_of_pictures_of_any_size() -> None:
    made = batch(11)
    enlarged = CropBatch(made.degraded[..., :9, :7], made.clean, None)
    picture = restoration_sheet(made.clean.bfloat16(), enlarged)
    assert picture.shape == (3 * SIDE, 8 * SIDE)
