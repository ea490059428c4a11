"""NAFNet (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022, arXiv 2204.04676, section 4 and figure 3c).

Test-time local statistics (TLC, from a separate paper) are left out: the channel attention covers the whole picture, in
training and in service.
"""

from torch import Tensor, nn
from torch.nn import functional

from app.models.contract import Kind
from app.models.layers import LayerNorm2d, SimpleGate

_EPS = 1e-6  # of the layer normalisation


class NAFBlock(nn.Module):
    """NAFNet's block: ``x + beta * contract(attend(gate(depthwise(expand(norm1(x))))))``, then ``x + gamma * ...`` of a
    gated feed-forward part without depthwise convolution and attention, (N, C, H, W) -> same.

    The simplified channel attention multiplies by a 1x1 convolution of the channels' means over the picture. ``beta``
    and ``gamma`` are learned weights per channel. They start at ``residual_init``, in the paper at zero.
    """

    def __init__(self, *, channels: int, residual_init: float) -> None:
        super().__init__()
        self.norm1 = LayerNorm2d(channels=channels, eps=_EPS)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.gate = SimpleGate()
        self.attend = nn.Conv2d(channels, channels, 1)
        self.contract = nn.Conv2d(channels, channels, 1)
        self.norm2 = LayerNorm2d(channels=channels, eps=_EPS)
        self.feed_expand = nn.Conv2d(channels, 2 * channels, 1)
        self.feed_contract = nn.Conv2d(channels, channels, 1)
        start = self.norm1.weight.new_empty(1, channels, 1, 1)
        self.beta = nn.Parameter(nn.init.constant_(start.clone(), residual_init))
        self.gamma = nn.Parameter(nn.init.constant_(start.clone(), residual_init))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.gate(self.depthwise(self.expand(self.norm1(x))))
        attention = self.attend(inner.mean(dim=(2, 3), keepdim=True))
        x = x + self.beta * self.contract(inner * attention)
        out: Tensor = x + self.gamma * self.feed_contract(self.gate(self.feed_expand(self.norm2(x))))
        return out


class NAFNet(nn.Module):
    """U-shape of NAFBlocks without any activation function, global residual.

    ``forward``: (N, ``channels``, H, W) in [0, 1] -> the same shape, not clamped; H and W are multiples of
    ``size_multiple``.
    ``encoder_blocks`` and ``decoder_blocks`` count the blocks of the levels, the finest first for the encoder and last
    for the decoder; raises ValueError unless both have equally many levels. ``width`` is that of the first level and
    doubles at each level.
    ``stem`` folds stem x stem pixels into channels first (pixel-unshuffle) and unfolds them last; the paper's is 1.
    The defaults, the paper's GoPro configuration of width 32, have 17.11 M parameters and 64.44 GMAC at 512 x 512 with
    ``channels=3`` (ADNet, Li et al., arXiv 2510.12098, Table 1); 63.8 of these are convolutions.
    """

    kind = Kind.RESTORER
    scale = 1

    def __init__(
        self,
        *,
        channels: int = 1,
        width: int = 32,
        encoder_blocks: tuple[int, ...] = (1, 1, 1, 28),
        middle_blocks: int = 1,
        decoder_blocks: tuple[int, ...] = (1, 1, 1, 1),
        stem: int = 1,
        residual_init: float = 0.0,
    ) -> None:
        super().__init__()
        levels = len(encoder_blocks)
        if len(decoder_blocks) != levels:
            raise ValueError(f"the encoder has {levels} levels and the decoder {len(decoder_blocks)}")
        self.channels = channels
        self.stem = stem
        self.size_multiple = 2**levels * stem
        folded = channels * stem * stem
        widths = [width * 2**level for level in range(levels + 1)]

        def stage(count: int, channels: int) -> nn.Sequential:
            return nn.Sequential(*(NAFBlock(channels=channels, residual_init=residual_init) for _ in range(count)))

        self.intro = nn.Conv2d(folded, width, 3, padding=1)
        self.encoders = nn.ModuleList(stage(encoder_blocks[i], widths[i]) for i in range(levels))
        self.downs = nn.ModuleList(nn.Conv2d(widths[i], widths[i + 1], 2, stride=2) for i in range(levels))
        self.middle = stage(middle_blocks, widths[-1])
        finest_last = list(reversed(range(levels)))
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(widths[i + 1], 2 * widths[i + 1], 1, bias=False), nn.PixelShuffle(2))
            for i in finest_last
        )
        self.decoders = nn.ModuleList(
            stage(count, widths[i]) for count, i in zip(decoder_blocks, finest_last, strict=True)
        )
        self.outro = nn.Conv2d(width, folded, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.intro(functional.pixel_unshuffle(image, self.stem))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(x)
        x = self.middle(x)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            x = decoder(up(x) + skips.pop())
        return image + functional.pixel_shuffle(self.outro(x), self.stem)
