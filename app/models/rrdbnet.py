"""RRDBNet, the generator of ESRGAN (Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks",
ECCV workshops 2018, arXiv 1809.00219, section 3.1) and of QR-ESRGAN, which follows it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.contract import Kind
from app.models.layers import bicubic

_SLOPE = 0.2  # of every leaky ReLU
_CONVOLUTIONS = 5  # of a dense block


class DenseBlock(nn.Module):
    """The dense block of an RRDB: ``x + 0.2 * d(x)``, (N, C, H, W) -> same, where d is five 3x3 convolutions that each
    see x and the output of all previous ones.

    Weights start as in He et al. (ICCV 2015), times ``residual_init`` (ESRGAN's "smaller initialization"); biases start
    at zero.
    """

    def __init__(self, *, channels: int, growth: int, residual_init: float) -> None:
        super().__init__()
        outputs = [growth] * (_CONVOLUTIONS - 1) + [channels]
        layers = [nn.Conv2d(channels + i * growth, output, 3, padding=1) for i, output in enumerate(outputs)]
        for convolution in layers:
            nn.init.kaiming_normal_(convolution.weight, a=_SLOPE)
            nn.init.zeros_(convolution.get_parameter("bias"))
            with torch.no_grad():
                convolution.weight.mul_(residual_init)
        self.convolutions = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        known = [x]
        for convolution in self.convolutions[:-1]:
            known.append(functional.leaky_relu(convolution(torch.cat(known, dim=1)), _SLOPE))
        out: Tensor = x + 0.2 * self.convolutions[-1](torch.cat(known, dim=1))
        return out


class RRDB(nn.Module):
    """RRDBNet's residual-in-residual dense block: ``x + 0.2 * r(x)``, where r is three dense blocks, (N, C, H, W) ->
    same."""

    def __init__(self, *, channels: int, growth: int, residual_init: float) -> None:
        super().__init__()
        self.dense = nn.Sequential(
            *(DenseBlock(channels=channels, growth=growth, residual_init=residual_init) for _ in range(3))
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + 0.2 * self.dense(x)
        return out


class RRDBNet(nn.Module):
    """Four-times super-resolution: RRDBs at input resolution, a skip over all of them, two doublings (nearest
    neighbour, then 3x3 convolution), no normalisation.

    ``forward``: (N, ``channels``, H, W) in [0, 1] -> (N, ``channels``, 4H, 4W), not clamped; H and W are multiples of
    ``size_multiple``.
    ``growth``: channels that each convolution of a dense block adds. ``stem`` folds stem x stem pixels into channels
    first (pixel-unshuffle) and unfolds them after the blocks; the paper's is 1. ``bicubic_skip`` adds the enlarged
    input, which leaves only the detail to learn; the paper has none.
    The defaults with ``channels=3`` have 16.70 M parameters.
    """

    kind = Kind.RESTORER
    scale = 4

    def __init__(
        self,
        *,
        channels: int = 1,
        width: int = 64,
        blocks: int = 23,
        growth: int = 32,
        residual_init: float = 0.1,
        stem: int = 1,
        bicubic_skip: bool = False,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.stem = stem
        self.size_multiple = stem
        self.bicubic_skip = bicubic_skip
        self.head = nn.Conv2d(channels * stem * stem, width, 3, padding=1)
        self.body = nn.Sequential(
            *(RRDB(channels=width, growth=growth, residual_init=residual_init) for _ in range(blocks))
        )
        self.merge = nn.Conv2d(width, width, 3, padding=1)
        self.unfold = nn.Sequential(
            *((nn.Conv2d(width, width * stem * stem, 1), nn.PixelShuffle(stem)) if stem > 1 else ())
        )
        self.upscale = nn.Sequential(
            *(
                layer
                for _ in range(2)
                for layer in (nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(_SLOPE))
            )
        )
        self.tail = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(_SLOPE), nn.Conv2d(width, channels, 3, padding=1)
        )

    def forward(self, image: Tensor) -> Tensor:
        shallow = self.head(functional.pixel_unshuffle(image, self.stem))
        x = shallow + self.merge(self.body(shallow))
        out: Tensor = self.tail(self.upscale(self.unfold(x)))
        return out + bicubic(image, scale=self.scale) if self.bicubic_skip else out
