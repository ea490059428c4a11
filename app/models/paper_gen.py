"""PaperGen, the generator of a student project's GAN for QR codes; no paper about it is available.

What is known of it, and fixed here: a convolution, residual blocks and PixelShuffle enlarge grey pictures four times,
64 to 256 pixels. Everything else is this project's choice, after SRGAN's generator (Ledig et al., CVPR 2017, figure 4),
which has the same structure: kernel sizes, width, number of blocks, batch normalisation, PReLU, the skip over the
blocks.
"""

from typing import Literal

from torch import Tensor, nn

from app.models.contract import Kind
from app.models.layers import ResidualBlock, bicubic, pixel_shuffle_step

Upsampling = Literal["pixelshuffle", "transposed"]


def transposed_step(*, channels: int) -> nn.Sequential:
    """PaperGen's step "transposed": doubles height and width by a transposed convolution, then PReLU:
    (N, C, H, W) -> (N, C, 2H, 2W).

    The kernel of 4 is a multiple of the stride of 2, so that all output pixels have equally many inputs (Odena et al.,
    "Deconvolution and Checkerboard Artifacts", Distill 2016).
    """
    return nn.Sequential(nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1), nn.PReLU())


_STEPS = {"pixelshuffle": pixel_shuffle_step, "transposed": transposed_step}


class PaperGen(nn.Module):
    """Four-times super-resolution: residual blocks at input resolution, two doublings.

    ``forward``: (N, ``channels``, H, W) in [0, 1] -> (N, ``channels``, 4H, 4W), not clamped.
    ``upsampling``: "pixelshuffle" is the student project's, 3 x 3 from ``width`` to 4 ``width`` channels; "transposed"
    replaces it by a transposed convolution of 4 x 4, with 4/9 of the weights. Raises ValueError for any other value.
    ``bicubic_skip`` adds the enlarged input, which leaves only the detail to learn.
    """

    kind = Kind.RESTORER
    scale = 4
    size_multiple = 1

    def __init__(
        self,
        *,
        channels: int = 1,
        width: int = 64,
        blocks: int = 8,
        batch_norm: bool = True,
        upsampling: Upsampling = "pixelshuffle",
        bicubic_skip: bool = False,
    ) -> None:
        super().__init__()
        if upsampling not in _STEPS:
            raise ValueError(f"upsampling must be one of {', '.join(_STEPS)}, not {upsampling!r}")
        self.channels = channels
        self.bicubic_skip = bicubic_skip
        self.head = nn.Sequential(nn.Conv2d(channels, width, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*(ResidualBlock(channels=width, batch_norm=batch_norm) for _ in range(blocks)))
        self.merge = nn.Conv2d(width, width, 3, padding=1)
        self.upscale = nn.Sequential(*(_STEPS[upsampling](channels=width) for _ in range(2)))
        self.tail = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        shallow = self.head(image)
        out: Tensor = self.tail(self.upscale(shallow + self.merge(self.body(shallow))))
        return out + bicubic(image, scale=self.scale) if self.bicubic_skip else out
