"""Layers that more than one network uses."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class LayerNorm2d(nn.Module):
    """Layer that networks share: normalises each position over its channels (Ba et al., 2016), (N, C, H, W) -> same."""

    def __init__(self, *, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x = functional.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class SimpleGate(nn.Module):
    """Layer that networks share: multiplies the two halves of the channels (Chen et al., NAFNet, ECCV 2022),
    (N, 2C, H, W) -> (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=1)
        return a * b


class ResidualBlock(nn.Module):
    """Layers that enlarging networks share: ``x + conv3x3(prelu(conv3x3(x)))``, (N, C, H, W) -> same.

    ``batch_norm`` normalises after each convolution. Without it, the branch is scaled by 0.1 (Lim et al., EDSR,
    CVPR workshops 2017).
    """

    def __init__(self, *, channels: int, batch_norm: bool) -> None:
        super().__init__()

        def norm() -> nn.Module:
            return nn.BatchNorm2d(channels) if batch_norm else nn.Identity()

        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            norm(),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            norm(),
        )
        self.residual_scale = 1.0 if batch_norm else 0.1

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.residual_scale * self.body(x)
        return out


def bicubic(image: Tensor, *, scale: int) -> Tensor:
    """Layer that enlarging networks share: bicubic interpolation, (N, C, H, W) -> (N, C, scale H, scale W); overshoots
    [0, 1] at edges."""
    return functional.interpolate(image, scale_factor=scale, mode="bicubic", align_corners=False)


def pixel_shuffle_step(*, channels: int) -> nn.Sequential:
    """Layers that enlarging networks share: double height and width by a sub-pixel convolution (Shi et al., CVPR 2016),
    then PReLU: (N, C, H, W) -> (N, C, 2H, 2W)."""
    return nn.Sequential(nn.Conv2d(channels, 4 * channels, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())
