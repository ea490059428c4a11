"""The module reader: estimates the log-odds that each module of a canonical crop is dark.

Residual blocks after NAFNet (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022: simple gate, simplified
channel attention) with dense 3x3 convolutions at one position per module, which processors run fastest.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.contract import PLANES, Kind
from app.models.layers import SimpleGate


class ReadingBlock(nn.Module):
    """The module reader's block: ``x + contract(attend(gate(expand(norm(x)))))``, (N, C, H, W) -> same, with dense 3x3
    convolutions."""

    def __init__(self, *, channels: int, residual_init: float) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.gate = SimpleGate()
        self.attend = nn.Conv2d(channels, channels, 1)
        self.contract = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.contract.weight.mul_(residual_init)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.gate(self.expand(self.norm(x)))
        attention = self.attend(inner.mean(dim=(2, 3), keepdim=True))
        out: Tensor = x + self.contract(inner * attention)
        return out


class ModuleReader(nn.Module):
    """The module reader's torch network: log-odds that each module of a canonical crop is dark, quiet zone included.

    ``forward``: crop (N, 1, P M, P M) in [0, 1] and planes (N, ``PLANES``, M, M) -> (N, 1, M, M) natural log-odds, with
    P = ``pixels`` a module. A crop may be any window of the module grid.
    """

    kind = Kind.MODULE_READER
    scale = 1

    def __init__(self, *, pixels: int = 4, width: int = 64, blocks: int = 10, residual_init: float = 0.1) -> None:
        super().__init__()
        self.pixels = pixels
        self.size_multiple = pixels
        self.head = nn.Conv2d(pixels * pixels + PLANES, width, 3, padding=1)
        self.body = nn.Sequential(*(ReadingBlock(channels=width, residual_init=residual_init) for _ in range(blocks)))
        self.tail = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, crop: Tensor, planes: Tensor) -> Tensor:
        x = torch.cat((functional.pixel_unshuffle(crop, self.pixels), planes), dim=1)
        out: Tensor = self.tail(self.body(self.head(x)))
        return out
