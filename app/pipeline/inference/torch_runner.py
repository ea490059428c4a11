"""Runs networks with torch, on the CPU or a GPU."""

from contextlib import nullcontext
from functools import cache
from time import perf_counter
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from app.models.checkpoint import Checkpoint
from app.models.contract import Kind

_DENSE: Final = (Kind.MODULE_READER, Kind.QUAD_LOCATOR)
"""Kinds whose networks consist of dense convolutions."""


def dense_autocast(device: torch.device) -> torch.autocast:
    """The number format in which torch runs dense convolutions fastest: bfloat16 on CUDA, and on processors that gain
    by it.

    On CPUs bfloat16 makes depthwise convolutions slower, so networks that consist of these stay in float32.
    """
    pays = device.type == "cuda" or (device.type == "cpu" and _bfloat16_pays())
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=pays)


@cache
@torch.inference_mode()
def _bfloat16_pays() -> bool:
    """Whether bfloat16 is faster on this processor; times a convolution in both formats, once.

    Support alone does not decide: of two processors with bfloat16 units, one ran bfloat16 twice as fast as float32 and
    the other half as fast.
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


class TorchRunner:
    """Runs a network with torch on one device; a ``dense`` one in the number format of ``dense_autocast``."""

    def __init__(self, network: nn.Module, *, device: str = "cpu", dense: bool = False) -> None:
        self._device = torch.device(device)
        self._network = network.to(self._device).eval()
        self._dense = dense

    @classmethod
    def of(cls, checkpoint: Checkpoint, *, device: str = "cpu") -> "TorchRunner":
        """The runner of a checkpoint's network, in the number format for its kind."""
        return cls(checkpoint.network, device=device, dense=checkpoint.card.kind in _DENSE)

    @torch.inference_mode()
    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        tensors = [torch.from_numpy(values).to(self._device) for values in inputs]
        with dense_autocast(self._device) if self._dense else nullcontext():
            output = self._network(*tensors)
        return np.asarray(output.float().cpu().numpy(), dtype=np.float32)
