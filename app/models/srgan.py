"""The generator of SRGAN (Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
Network", CVPR 2017, arXiv 1609.04802, figure 4), as in the paper; `app.models.srresnet` is this project's variant."""

from torch import Tensor, nn

from app.models.contract import Kind
from app.models.layers import ResidualBlock, bicubic, pixel_shuffle_step


class SRGANGenerator(nn.Module):
    """Four-times super-resolution: residual blocks with batch normalisation at input resolution, a skip over all of
    them, two PixelShuffle steps; the first and the last convolution are 9 x 9.

    ``forward``: (N, ``channels``, H, W) in [0, 1] -> (N, ``channels``, 4H, 4W), not clamped.
    ``bicubic_skip`` adds the enlarged input, which leaves only the detail to learn; the paper has none.
    The defaults with ``channels=3`` have 1.55 M parameters (counted from figure 4).
    """

    kind = Kind.RESTORER
    scale = 4
    size_multiple = 1

    def __init__(self, *, channels: int = 1, width: int = 64, blocks: int = 16, bicubic_skip: bool = False) -> None:
        super().__init__()
        self.channels = channels
        self.bicubic_skip = bicubic_skip
        self.head = nn.Sequential(nn.Conv2d(channels, width, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*(ResidualBlock(channels=width, batch_norm=True) for _ in range(blocks)))
        self.merge = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))
        self.upscale = nn.Sequential(*(pixel_shuffle_step(channels=width) for _ in range(2)))
        self.tail = nn.Conv2d(width, channels, 9, padding=4)

    def forward(self, image: Tensor) -> Tensor:
        shallow = self.head(image)
        out: Tensor = self.tail(self.upscale(shallow + self.merge(self.body(shallow))))
        return out + bicubic(image, scale=self.scale) if self.bicubic_skip else out
