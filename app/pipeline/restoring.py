"""Runs networks on crops. The only place that normalises, pads, picks number formats, clamps and crops."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from time import perf_counter
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from app.models.checkpoint import Checkpoint
from app.pipeline.imaging import GreyImage

_TILE = 192  # pixels a side of what an enlarging network sees at once
_OVERLAP = 24  # pixels that neighbouring tiles share: about the reach of SRResNet's convolutions


def normalise(crop: GreyImage) -> NDArray[np.float32]:
    """Stretches the 2nd to 98th percentile of an 8-bit crop over [0, 1], clipped; a flat crop becomes 0.5."""
    low, high = np.percentile(crop, (2, 98))
    if high - low < 1:
        return np.full(crop.shape, 0.5, dtype=np.float32)
    stretched = (crop.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.asarray(np.clip(stretched, 0, 1), dtype=np.float32)


def standardise(picture: GreyImage) -> NDArray[np.float32]:
    """Zero mean and unit deviation; a flat picture becomes 0."""
    values = picture.astype(np.float32)
    values -= values.mean()
    return np.asarray(values / max(float(values.std()), 1.0), dtype=np.float32)


def pad(crop: NDArray[np.float32], multiple: int) -> NDArray[np.float32]:
    """Repeats the right and bottom border until both sides are multiples of ``multiple``."""
    height, width = crop.shape
    return np.pad(crop, ((0, -height % multiple), (0, -width % multiple)), mode="edge")


def dense_autocast(device: torch.device) -> torch.autocast:
    """The number format in which dense convolutions run fastest: bfloat16 on CUDA and where the processor gains by it.

    Depthwise convolutions become slower in it on CPUs, so networks made of these stay in float32.
    """
    pays = device.type == "cuda" or (device.type == "cpu" and _bfloat16_pays())
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=pays)


@cache
@torch.inference_mode()
def _bfloat16_pays() -> bool:
    """Times a convolution on the processor either way, once.

    Its word does not suffice: of two processors that both have units for bfloat16, one ran it twice as fast as float32
    and the other half as fast.
    """
    cpu = torch.cpu.get_capabilities()
    if not (cpu.get("avx512_bf16") or cpu.get("amx_bf16")):
        return False
    convolution, picture = nn.Conv2d(64, 128, 3, padding=1), torch.zeros(1, 64, 40, 40)

    def seconds(*, bfloat16: bool) -> float:
        began = perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            convolution(picture)
        return perf_counter() - began

    pairs = [(seconds(bfloat16=True), seconds(bfloat16=False)) for _ in range(8)][1:]  # the first pair warms up
    return min(pair[0] for pair in pairs) < 0.9 * min(pair[1] for pair in pairs)


class Runner(Protocol):
    """Runs a network: its inputs in the order of its ``forward``, float32 with the batch first -> its output, float32.

    May be called by several threads at once.
    """

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]: ...


class TorchRunner:
    """Runs a network with torch on one device; ``dense`` ones in the number format of ``dense_autocast``."""

    def __init__(self, network: nn.Module, *, device: str = "cpu", dense: bool = False) -> None:
        self._device = torch.device(device)
        self._network = network.to(self._device).eval()
        self._dense = dense

    @torch.inference_mode()
    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        tensors = [torch.from_numpy(values).to(self._device) for values in inputs]
        with dense_autocast(self._device) if self._dense else nullcontext():
            output = self._network(*tensors)
        return np.asarray(output.float().cpu().numpy(), dtype=np.float32)


class Restorer(Protocol):
    """Turns degraded crops into restored ones ``scale`` times as large, both (H, W) uint8."""

    @property
    def name(self) -> str: ...

    @property
    def scale(self) -> int: ...

    def restore(self, crops: Sequence[GreyImage]) -> list[GreyImage]: ...


class TorchRestorer:
    """A restorer that runs a checkpoint's network with torch on one device, or with the ``runner`` given."""

    def __init__(self, card: Checkpoint, *, device: str = "cpu", runner: Runner | None = None) -> None:
        self.card = card
        self.runner = runner or TorchRunner(card.network, device=device)
        self._multiple = int(getattr(card.network, "size_multiple"))  # noqa: B009 - an attribute of every network
        self._scale = int(getattr(card.network, "scale"))  # noqa: B009

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def scale(self) -> int:
        return self._scale

    def restore(self, crops: Sequence[GreyImage]) -> list[GreyImage]:
        """Restores crops of one common size in one batch; the answer is clamped and has no padding left.

        Networks that enlarge see large crops in overlapping tiles, which bounds their memory.
        """
        inputs = np.stack([normalise(crop) for crop in crops])
        if self._scale == 1 or max(inputs.shape[1:]) <= _TILE:
            return list(self._run(inputs))
        height, width = inputs.shape[1:]
        whole = np.empty((len(crops), height * self._scale, width * self._scale), dtype=np.uint8)
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                above, before = min(top, _OVERLAP), min(left, _OVERLAP)
                reach = np.s_[:, top - above : top + _TILE + _OVERLAP, left - before : left + _TILE + _OVERLAP]
                tile = self._run(inputs[reach])[:, above * self._scale :, before * self._scale :]
                target = whole[:, top * self._scale :, left * self._scale :][
                    :, : _TILE * self._scale, : _TILE * self._scale
                ]
                target[:] = tile[:, : target.shape[1], : target.shape[2]]
        return list(whole)

    def _run(self, inputs: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(N, H, W) in [0, 1] -> (N, scale H, scale W) as 8 bits."""
        height, width = inputs.shape[1:]
        stack = np.stack([pad(picture, self._multiple) for picture in inputs])[:, None]
        whole = self.runner(stack)[:, 0, : height * self._scale, : width * self._scale]
        return np.asarray(np.rint(np.clip(whole, 0, 1) * 255), dtype=np.uint8)

    def warm_up(self) -> None:
        """Runs one inference, so that the first request does not pay for lazy initialisation."""
        self.restore([np.zeros((64, 64), dtype=np.uint8)])


def pick_device(wanted: str) -> str:
    """The torch device to use: ``wanted`` itself, or for "auto" CUDA, else MPS, else the CPU."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
