"""SRResNet, the generator of SRGAN trained without its discriminator (Ledig et al., "Photo-Realistic Single Image
Super-Resolution Using a Generative Adversarial Network", CVPR 2017, section 2.1 and figure 4)."""

from torch import Tensor, nn
from torch.nn import functional

from app.models.contract import Kind
from app.models.layers import ResidualBlock, bicubic


class SRResNet(nn.Module):
    """Four-times super-resolution: residual blocks at input resolution, two PixelShuffle steps, bicubic global skip.

    ``forward``: (N, ``channels``, H, W) in [0, 1] -> (N, ``channels``, 4H, 4W), not clamped; H and W are multiples of
    ``stem``.
    ``stem`` folds stem x stem pixels into channels first (pixel-unshuffle) and unfolds them after the blocks.
    The bicubic skip is not in the paper: it leaves the network only the detail to learn.
    """

    kind = Kind.RESTORER
    scale = 4

    def __init__(
        self, *, channels: int = 1, width: int = 64, blocks: int = 8, batch_norm: bool = False, stem: int = 1
    ) -> None:
        super().__init__()
        self.channels = channels
        self.stem = stem
        self.size_multiple = stem
        self.head = nn.Sequential(nn.Conv2d(channels * stem * stem, width, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*(ResidualBlock(channels=width, batch_norm=batch_norm) for _ in range(blocks)))
        self.merge = nn.Conv2d(width, width, 3, padding=1)
        self.unfold = nn.Sequential(nn.Conv2d(width, width * stem * stem, 1), nn.PixelShuffle(stem))
        self.upscale = nn.Sequential(
            *(
                layer
                for _ in range(2)
                for layer in (nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())
            )
        )
        self.tail = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        shallow = self.head(functional.pixel_unshuffle(image, self.stem))
        x = shallow + self.merge(self.body(shallow))
        x = self.tail(self.upscale(self.unfold(x)))
        out: Tensor = bicubic(image, scale=self.scale) + x
        return out
