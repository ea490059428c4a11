"""Discriminators: networks that distinguish clean pictures from restored ones. Their logits are high for clean ones."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

_SLOPE = 0.2  # of every leaky ReLU


def _convolution(before: int, after: int, *, kernel: int, stride: int, batch_norm: bool) -> list[nn.Module]:
    """A convolution, optionally batch normalisation, and a leaky ReLU; stride 1 keeps the size, stride 2 halves it."""
    norm = [nn.BatchNorm2d(after)] if batch_norm else []
    convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=(kernel - 1) // 2, bias=not batch_norm)
    return [convolution, *norm, nn.LeakyReLU(_SLOPE)]


class ConvDiscriminator(nn.Module):
    """PaperGen's discriminator: strided convolutions, the mean over all positions, one logit per picture.

    ``forward``: (N, ``channels``, H, W) in [0, 1] -> (N, 1); H and W are at least 2 ** ``halvings`` pixels.

    The source says only that it is convolutional. The rest follows DCGAN (Radford et al., ICLR 2016, section 3): 4 x 4
    kernels with stride 2, each doubling the channels, no pooling in between, and a single dense layer. DCGAN's batch
    normalisation is omitted: clean and restored pictures come in separate batches, and normalising each by its own
    statistics would remove much of the difference between them.
    """

    def __init__(self, *, channels: int = 1, width: int = 64, halvings: int = 4) -> None:
        super().__init__()
        widths = [channels, *(width * 2**i for i in range(halvings))]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += _convolution(before, after, kernel=4, stride=2, batch_norm=False)
        self.features = nn.Sequential(*layers)
        self.judge = nn.Linear(widths[-1], 1)

    def forward(self, picture: Tensor) -> Tensor:
        logits: Tensor = self.judge(self.features(picture).mean(dim=(2, 3)))
        return logits


class VGGDiscriminator(nn.Module):
    """SRGAN's discriminator (Ledig et al., CVPR 2017, arXiv 1609.04802, section 2.1.1 and figure 4): eight 3x3
    convolutions from 64 to 512 channels, every second with stride 2, then dense layers of 1024 and 1.

    ``forward``: (N, ``channels``, ``side``, ``side``) in [0, 1] -> (N, 1), without the paper's sigmoid, which the loss
    applies. Raises ValueError if ``side`` is not a multiple of 16, and for pictures of another size. For
    ``channels=3, side=96``, the paper's training crops, it has 23.56 M parameters (counted from figure 4).
    """

    def __init__(self, *, side: int = 128, channels: int = 1, width: int = 64, dense: int = 1024) -> None:
        super().__init__()
        if side < 16 or side % 16:
            raise ValueError(f"side must be a multiple of 16, not {side}")
        self.side = side
        layers = _convolution(channels, width, kernel=3, stride=1, batch_norm=False)
        layers += _convolution(width, width, kernel=3, stride=2, batch_norm=True)
        for before in (width, 2 * width, 4 * width):
            layers += _convolution(before, 2 * before, kernel=3, stride=1, batch_norm=True)
            layers += _convolution(2 * before, 2 * before, kernel=3, stride=2, batch_norm=True)
        self.features = nn.Sequential(*layers)
        self.judge = nn.Sequential(
            nn.Linear(8 * width * (side // 16) ** 2, dense), nn.LeakyReLU(_SLOPE), nn.Linear(dense, 1)
        )

    def forward(self, picture: Tensor) -> Tensor:
        if picture.shape[2:] != (self.side, self.side):
            raise ValueError(f"pictures must be {self.side} px a side, not {tuple(picture.shape[2:])}")
        logits: Tensor = self.judge(self.features(picture).flatten(1))
        return logits


class UNetDiscriminator(nn.Module):
    """Real-ESRGAN's discriminator: a U-Net with skips that gives one logit per pixel, with spectral normalisation.

    Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCV workshops
    2021, arXiv 2107.10833, section 3.4; spectral normalisation of the inner convolutions: Miyato et al., ICLR 2018.

    ``forward``: (N, ``channels``, H, W) in [0, 1], H and W multiples of 8 -> (N, 1, H, W). The defaults with
    ``channels=3`` have 4.38 M parameters. In training mode each forward pass takes one step of the power iteration,
    which changes buffers.
    """

    def __init__(self, *, channels: int = 1, width: int = 64) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 8 * width)

        def normalised(before: int, after: int, *, kernel: int = 3, stride: int = 1) -> nn.Module:
            return spectral_norm(nn.Conv2d(before, after, kernel, stride=stride, padding=1, bias=False))

        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.downs = nn.ModuleList(normalised(widths[i], widths[i + 1], kernel=4, stride=2) for i in range(3))
        self.ups = nn.ModuleList(normalised(widths[i + 1], widths[i]) for i in (2, 1, 0))
        self.refine = nn.ModuleList(normalised(width, width) for _ in range(2))
        self.judge = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        x = functional.leaky_relu(self.head(picture), _SLOPE)
        skips = []
        for down in self.downs:
            skips.append(x)
            x = functional.leaky_relu(down(x), _SLOPE)
        for up in self.ups:
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = functional.leaky_relu(up(x), _SLOPE) + skips.pop()
        for convolution in self.refine:
            x = functional.leaky_relu(convolution(x), _SLOPE)
        logits: Tensor = self.judge(x)
        return logits
