"""Batches of scenes for the locator, with the maps that it should predict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.models.contract import CORNER_UNIT, STRIDE
from training.data.scenes import MAX_CODES, SceneCode


@dataclass(frozen=True)
class SceneBatch:
    """A batch of scenes and the maps that the network should predict.

    ``window``: (N, 1, S, S), zero mean and unit deviation. The maps are (N, 1, S / 8, S / 8) each: ``code``, 1 inside a
    code; ``supervised``, 0 inside codes of which too little is visible; ``owner``, the code's index or -1;
    ``code_side``, its side in pixels; ``log_size``, log2(modules / 32). ``corners``: (N, 8, S / 8, S / 8), the code's
    corners relative to the position, in units of ``CORNER_UNIT``.
    """

    window: Tensor
    code: Tensor
    supervised: Tensor
    owner: Tensor
    code_side: Tensor
    log_size: Tensor
    corners: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return (self.window,)

    def to(self, device: torch.device) -> Self:
        return replace(self, **{name: value.to(device) for name, value in vars(self).items()})


def target_maps(codes: list[SceneCode], side: int) -> dict[str, NDArray[np.float32]]:
    """The maps of a `SceneBatch` for one window, by name."""
    cells = side // STRIDE
    at = np.stack(np.meshgrid(*(np.arange(cells) * STRIDE + STRIDE / 2,) * 2), axis=-1)
    maps = {name: np.zeros((1, cells, cells), dtype=np.float32) for name in ("code", "code_side", "log_size")}
    maps["supervised"] = np.ones((1, cells, cells), dtype=np.float32)
    maps["owner"] = np.full((1, cells, cells), -1, dtype=np.float32)
    maps["corners"] = np.zeros((8, cells, cells), dtype=np.float32)
    for index, code in enumerate(codes[:MAX_CODES]):
        mask = np.zeros((cells, cells), dtype=np.uint8)
        on_grid = np.rint((code.corners / STRIDE - 0.5) * 16).astype(np.int32)
        cv2.fillConvexPoly(mask, on_grid, 1, shift=4)
        inside = mask > 0
        if not code.visible:
            maps["supervised"][0, inside] = 0
            continue
        maps["code"][0, inside] = 1
        maps["owner"][0, inside] = index
        maps["code_side"][0, inside] = cv2.contourArea(code.corners.astype(np.float32)) ** 0.5
        maps["log_size"][0, inside] = np.log2(code.modules / 32)
        offsets = (code.corners.reshape(1, 1, 4, 2) - at[:, :, None]) / CORNER_UNIT
        maps["corners"][:, inside] = offsets.reshape(cells, cells, 8)[inside].T
    return maps


def stack_scenes(scenes: Sequence[tuple[NDArray[np.float32], list[SceneCode]]]) -> SceneBatch:
    """A batch of windows (S, S), as the locator sees them, and the codes in them."""
    windows = [window for window, _ in scenes]
    maps = [target_maps(codes, window.shape[0]) for window, codes in scenes]
    stacked = {name: torch.from_numpy(np.stack([one[name] for one in maps])) for name in maps[0]}
    return SceneBatch(window=torch.from_numpy(np.stack(windows))[:, None], **stacked)
