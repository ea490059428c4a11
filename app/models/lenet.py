"""LENet, the light network of ADNet (Li et al., "An Adaptive Edge-Guided Dual-Network Framework for Fast QR Code Motion
Deblurring", arXiv 2510.12098, section 2.3)."""

from torch import Tensor, nn
from torch.nn import functional

from app.models.contract import Kind
from app.models.layers import LayerNorm2d, SimpleGate


class SGDB(nn.Module):
    """LENet's simple-gate depthwise block: ``x + beta * contract(gate(depthwise(expand(norm(x)))))``, (N, C, H, W) ->
    same.

    ``beta`` is a learned residual weight per channel. It starts at ``residual_init``, in the paper at zero.
    """

    def __init__(self, *, channels: int, residual_init: float = 0.0) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels=channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.gate = SimpleGate()
        self.contract = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(nn.init.constant_(self.norm.weight.new_empty(1, channels, 1, 1), residual_init))

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.contract(self.gate(self.depthwise(self.expand(self.norm(x)))))
        return x + self.beta * residual


class EdgeSharpening(nn.Module):
    """LENet's edge-sharpening attention: ``x * (1 + sigmoid(conv3x3(conv1x1(x))))``, (N, C, H, W) -> same."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // 2, 1)
        self.weigh = nn.Conv2d(channels // 2, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = self.weigh(self.squeeze(x)).sigmoid()
        return x * (1 + weight)


def _blocks(*, count: int, channels: int, residual_init: float) -> nn.Sequential:
    return nn.Sequential(*(SGDB(channels=channels, residual_init=residual_init) for _ in range(count)))


class LENet(nn.Module):
    """Four-level U-shape of SGDB blocks, edge sharpening before the output, global residual.

    ``forward``: (N, ``channels``, H, W) in [0, 1] -> the same shape, not clamped; H and W are multiples of
    ``size_multiple``.
    ``blocks`` counts the SGDBs of the four levels, the last of which is the bottleneck; encoder and decoder have the
    same.
    ``stem`` folds stem x stem pixels into channels first (pixel-unshuffle) and unfolds them last; the paper's is 1.
    With ``channels=3, base=16`` it has 0.28 M parameters and 3.87 GMAC at 512 x 512 (paper, Table 1).
    """

    kind = Kind.RESTORER
    scale = 1

    def __init__(
        self,
        *,
        channels: int = 1,
        base: int = 16,
        blocks: tuple[int, int, int, int] = (1, 1, 1, 2),
        stem: int = 1,
        residual_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.stem = stem
        self.size_multiple = 8 * stem
        folded = channels * stem * stem
        widths = (base, 2 * base, 4 * base, 8 * base)

        def level(index: int) -> nn.Sequential:
            return _blocks(count=blocks[index], channels=widths[index], residual_init=residual_init)

        self.intro = nn.Conv2d(folded, base, 3, padding=1)
        self.encoders = nn.ModuleList(level(i) for i in range(3))
        self.downs = nn.ModuleList(nn.Conv2d(widths[i], widths[i + 1], 3, stride=2, padding=1) for i in range(3))
        self.bottleneck = level(3)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(widths[i + 1], 4 * widths[i], 1), nn.PixelShuffle(2)) for i in (2, 1, 0)
        )
        self.decoders = nn.ModuleList(level(i) for i in (2, 1, 0))
        self.sharpen = EdgeSharpening(channels=base)
        self.outro = nn.Conv2d(base, folded, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.intro(functional.pixel_unshuffle(image, self.stem))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(x)
        x = self.bottleneck(x)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            x = decoder(up(x) + skips.pop())
        x = self.outro(self.sharpen(x))
        return image + functional.pixel_shuffle(x, self.stem)
