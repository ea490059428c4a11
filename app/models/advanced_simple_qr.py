"""AdvancedSimpleQR, a student project's residual network for QR codes; no paper about it is available.

What is known of it, and fixed here: a convolutional network of residual blocks with skips enlarges 64 to 256 pixels and
is trained by the mean squared error alone. Everything else is this project's choice: blocks without batch normalisation
(Lim et al., EDSR, CVPR workshops 2017), in groups that each have a skip (residual in residual: Zhang et al., RCAN, ECCV
2018), one more skip over all groups, and one from the enlarged input to the output.
"""

from torch import Tensor, nn

from app.models.contract import Kind
from app.models.layers import ResidualBlock, bicubic, pixel_shuffle_step


class ResidualGroup(nn.Module):
    """AdvancedSimpleQR's group of residual blocks: ``x + conv3x3(blocks(x))``, (N, C, H, W) -> same."""

    def __init__(self, *, channels: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(ResidualBlock(channels=channels, batch_norm=False) for _ in range(blocks)))
        self.merge = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.merge(self.blocks(x))
        return out


class AdvancedSimpleQR(nn.Module):
    """Four-times super-resolution: groups of residual blocks at input resolution, two PixelShuffle steps.

    ``forward``: (N, ``channels``, H, W) in [0, 1] -> (N, ``channels``, 4H, 4W), not clamped.
    Each of the ``groups`` has ``blocks`` blocks. ``bicubic_skip`` adds the enlarged input, which leaves only the detail
    to learn.
    """

    kind = Kind.RESTORER
    scale = 4
    size_multiple = 1

    def __init__(
        self, *, channels: int = 1, width: int = 64, groups: int = 4, blocks: int = 2, bicubic_skip: bool = True
    ) -> None:
        super().__init__()
        self.channels = channels
        self.bicubic_skip = bicubic_skip
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualGroup(channels=width, blocks=blocks) for _ in range(groups)))
        self.merge = nn.Conv2d(width, width, 3, padding=1)
        self.upscale = nn.Sequential(*(pixel_shuffle_step(channels=width) for _ in range(2)))
        self.tail = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        shallow = self.head(image)
        out: Tensor = self.tail(self.upscale(shallow + self.merge(self.body(shallow))))
        return out + bicubic(image, scale=self.scale) if self.bicubic_skip else out
