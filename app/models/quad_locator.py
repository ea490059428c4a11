"""The quad locator: detects QR codes in a window of a picture and votes for their outer corners."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.contract import MAPS, Kind


class LocatorBlock(nn.Module):
    """The quad locator's block: ``x + conv3x3(gelu(conv3x3(norm(x))))``, (N, C, H, W) -> same."""

    def __init__(self, *, channels: int, residual_init: float) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(residual_init)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(functional.gelu(self.first(self.norm(x))))
        return out


class QuadLocator(nn.Module):
    """U-shape from a window to maps of ``MAPS`` channels at an eighth of its size.

    ``forward``: (N, 1, H, W), zero mean and unit deviation, H and W multiples of ``size_multiple`` ->
    (N, ``MAPS``, H / 8, W / 8). Position (i, j) stands for the point x = 8 j + 4, y = 8 i + 4; its offsets are relative
    to that point, in units of ``CORNER_UNIT``. Corners are clockwise as seen and may start anywhere.
    """

    kind = Kind.QUAD_LOCATOR
    scale = 1

    def __init__(
        self,
        *,
        widths: tuple[int, int, int, int] = (32, 48, 80, 128),
        blocks: tuple[int, int, int, int] = (1, 1, 2, 3),
        residual_init: float = 0.1,
    ) -> None:
        super().__init__()
        self.size_multiple = 4 * 2 ** (len(widths) - 1)

        def stage(channels: int, count: int) -> nn.Sequential:
            return nn.Sequential(*(LocatorBlock(channels=channels, residual_init=residual_init) for _ in range(count)))

        self.head = nn.Conv2d(16, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(stage(width, count) for width, count in zip(widths, blocks, strict=True))
        self.downs = nn.ModuleList(nn.Conv2d(before, after, 2, stride=2) for before, after in pairwise(widths))
        self.ups = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i], 1) for i in (2, 1))
        self.decoders = nn.ModuleList(stage(widths[i], blocks[i]) for i in (2, 1))
        self.tail = nn.Conv2d(widths[1], MAPS, 3, padding=1)

    def forward(self, window: Tensor) -> Tensor:
        x = self.head(functional.pixel_unshuffle(window, 4))
        skips = []
        for index, encoder in enumerate(self.encoders):
            x = encoder(x if index == 0 else self.downs[index - 1](x))
            skips.append(x)
        for up, decoder, skip in zip(self.ups, self.decoders, (skips[2], skips[1]), strict=True):
            x = decoder(functional.interpolate(up(x), scale_factor=2.0, mode="nearest") + skip)
        out: Tensor = self.tail(x)
        return out
