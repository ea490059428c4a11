"""Training data of the quad locator: scenes with their target maps, the loss, and pictures of the network's output."""

from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from app.models.contract import CORNER_UNIT, STRIDE
from app.pipeline.imaging import standardise
from training.data.degrade import to_uint8
from training.data.scenes import SceneCode, scene

_MAX_CODES = 4  # per scene
_ORDERS = [[(2 * ((start + i) % 4) + axis) for i in range(4) for axis in (0, 1)] for start in range(4)]
_BETA = 0.05  # of a code's side, where the corner loss changes from quadratic to linear
_CORNER_WEIGHT = 2.0
_SIZE_WEIGHT = 0.2


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


def _maps(codes: list[SceneCode], side: int) -> dict[str, NDArray[np.float32]]:
    cells = side // STRIDE
    at = np.stack(np.meshgrid(*(np.arange(cells) * STRIDE + STRIDE / 2,) * 2), axis=-1)
    maps = {name: np.zeros((1, cells, cells), dtype=np.float32) for name in ("code", "code_side", "log_size")}
    maps["supervised"] = np.ones((1, cells, cells), dtype=np.float32)
    maps["owner"] = np.full((1, cells, cells), -1, dtype=np.float32)
    maps["corners"] = np.zeros((8, cells, cells), dtype=np.float32)
    for index, code in enumerate(codes[:_MAX_CODES]):
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


def scene_batch(rng: Generator, *, size: int, side: int) -> SceneBatch:
    """A batch of ``size`` scenes of ``side`` x ``side`` pixels."""
    windows, maps = [], []
    for _ in range(size):
        image, codes = scene(rng, side)
        windows.append(standardise(to_uint8(image)))
        maps.append(_maps(codes, side))
    stacked = {name: torch.from_numpy(np.stack([one[name] for one in maps])) for name in maps[0]}
    return SceneBatch(window=torch.from_numpy(np.stack(windows))[:, None], **stacked)


def _corner_losses(answer: Tensor, batch: SceneBatch) -> Tensor:
    """Corner loss of every code, (codes,), for the cyclic order of its corners that fits the answer best."""
    code_side = batch.code_side.clamp(min=1)
    orders = []
    for order in _ORDERS:
        errors = (answer[:, 1:9] - batch.corners[:, order]) * (CORNER_UNIT / code_side)
        orders.append(functional.smooth_l1_loss(errors, torch.zeros_like(errors), beta=_BETA, reduction="none").mean(1))
    losses = torch.stack(orders, dim=1)
    owned = (batch.owner == torch.arange(_MAX_CODES, device=answer.device).view(1, -1, 1, 1)).float()
    count = owned.sum(dim=(2, 3))
    sums = torch.einsum("nohw,nkhw->nko", losses, owned)
    return (sums.amin(dim=2) / count.clamp(min=1))[count > 0]


def quad_loss(answer: Tensor, batch: SceneBatch) -> Tensor:
    """Binary cross-entropy of the code map, plus twice the corner error and 0.2 times the error of log2(modules).

    The corner error is smooth L1 in units of a code's side, the least over the four cyclic orders of the corners.
    """
    found = functional.binary_cross_entropy_with_logits(answer[:, :1], batch.code, reduction="none")
    loss = (found * batch.supervised).mean()
    if batch.code.any():
        size = (answer[:, 9:] - batch.log_size).abs()
        loss = loss + _SIZE_WEIGHT * (size * batch.code).sum() / batch.code.sum()
        loss = loss + _CORNER_WEIGHT * _corner_losses(answer, batch).mean()
    return loss


def quad_error(answer: Tensor, batch: SceneBatch) -> float:
    """Mean corner loss in units of a code's side; 0 if no scene has a code."""
    losses = _corner_losses(answer, batch)
    return float(losses.mean()) if len(losses) else 0.0


def quad_picture(answer: Tensor, batch: SceneBatch) -> NDArray[np.uint8]:
    """Draws each window, with the quad that its most probable position votes for, above the map of probabilities."""
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
