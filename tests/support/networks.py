"""Tiny configurations of every network, and checkpoints as the service runs them: on torch, on the CPU."""

import torch
from torch import Tensor

from app.models.checkpoint import Checkpoint
from app.models.contract import PLANES
from app.pipeline.inference.module_reader import NetworkModuleReader
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.torch_runner import TorchRunner
from app.pipeline.inference.window_locator import WindowLocator

RESTORERS: dict[str, dict[str, object]] = {
    "LENet": {"channels": 1, "base": 4, "blocks": (1, 1, 1, 1), "residual_init": 0.1},
    "EGRestormer": {"channels": 1, "width": 8, "blocks": (1, 1, 1, 1), "refinement": 1},
    "Restormer": {"channels": 1, "width": 8, "blocks": (1, 1, 1, 1), "refinement": 1},
    "NAFNet": {"channels": 1, "width": 4, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1), "residual_init": 0.1},
    "SRResNet": {"channels": 1, "width": 4, "blocks": 1},
    "PaperGen": {"channels": 1, "width": 4, "blocks": 1},
    "AdvancedSimpleQR": {"channels": 1, "width": 4, "groups": 1, "blocks": 1},
    "SRGANGenerator": {"channels": 1, "width": 4, "blocks": 1},
    "RRDBNet": {"channels": 1, "width": 4, "blocks": 1, "growth": 4},
}
"""Networks that turn a picture (N, C, H, W) into one (N, C, sH, sW), in tiny configurations."""
TINY: dict[str, dict[str, object]] = {
    **RESTORERS,
    "ModuleReader": {"pixels": 4, "width": 8, "blocks": 1},
    "QuadLocator": {"widths": (4, 4, 8, 8), "blocks": (1, 1, 1, 1)},
}
"""Every network in a tiny configuration."""


def random_inputs(architecture: str, *, count: int = 1) -> tuple[Tensor, ...]:
    """Random inputs for a network of ``TINY``: ``count`` samples, the same ones for the same torch seed."""
    if architecture == "ModuleReader":
        return torch.rand(count, 1, 24, 24), torch.rand(count, PLANES, 6, 6)
    side = 64 if architecture == "QuadLocator" else 16
    return (torch.rand(count, 1, side, side),)


def restorer_of(checkpoint: Checkpoint) -> NetworkRestorer:
    return NetworkRestorer(checkpoint.card, TorchRunner.of(checkpoint))


def reader_of(checkpoint: Checkpoint) -> NetworkModuleReader:
    return NetworkModuleReader(checkpoint.card, TorchRunner.of(checkpoint))


def locator_of(checkpoint: Checkpoint, **more: object) -> WindowLocator:
    return WindowLocator(checkpoint.card, TorchRunner.of(checkpoint), **more)  # type: ignore[arg-type]
