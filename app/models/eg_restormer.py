"""EG-Restormer, the heavy network of ADNet (Li et al., arXiv 2510.12098, section 2.2), and Restormer, which it extends
(Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration", CVPR 2022)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.layers import LayerNorm2d

# Sobel derivatives along 0, 45, 90 and 135 degrees.
_SOBEL = (
    ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    ((0, 1, 2), (-1, 0, 1), (-2, -1, 0)),
    ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    ((-2, -1, 0), (-1, 0, 1), (0, 1, 2)),
)


class EdgeMap(nn.Module):
    """Largest absolute Sobel response of the channel mean over four directions: (N, C, H, W) -> (N, 1, H, W)."""

    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernels", torch.tensor(_SOBEL, dtype=torch.float32).unsqueeze(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=1, keepdim=True)
        responses = functional.conv2d(functional.pad(mean, (1, 1, 1, 1), mode="replicate"), self.kernels.to(mean.dtype))
        return responses.abs().amax(dim=1, keepdim=True)


class MDTA(nn.Module):
    """Multi-Dconv head transposed attention (Restormer, Eq. 1): attention between channels, (N, C, H, W) -> same.

    With ``edge_guidance`` it is the edge-guided attention of EGAB: Q and K are multiplied by ``1 + W_E * E``, E being
    the edge map of the input and W_E one learned weight a channel, zero at the start (so it begins as Restormer).
    """

    def __init__(self, *, channels: int, heads: int, edge_guidance: bool) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.qkv_depthwise = nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=False)
        self.project = nn.Conv2d(channels, channels, 1, bias=False)
        self.edges = EdgeMap() if edge_guidance else None
        if edge_guidance:
            self.edge_weight = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        q, k, v = self.qkv_depthwise(self.qkv(x)).chunk(3, dim=1)
        if self.edges is not None:
            guide = 1 + self.edge_weight * self.edges(x)
            q, k = q * guide, k * guide
        q, k, v = (t.reshape(n, self.heads, c // self.heads, h * w) for t in (q, k, v))
        q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
        attention = ((q @ k.transpose(-2, -1)) * self.temperature).softmax(dim=-1)
        out: Tensor = self.project((attention @ v).reshape(n, c, h, w))
        return out


class GDFN(nn.Module):
    """Gated-Dconv feed-forward network (Restormer, Eq. 2), (N, C, H, W) -> same."""

    def __init__(self, *, channels: int, expansion: float) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.expand = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.depthwise = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.contract = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.depthwise(self.expand(x)).chunk(2, dim=1)
        out: Tensor = self.contract(functional.gelu(gate) * value)
        return out


class TransformerBlock(nn.Module):
    """``x + MDTA(norm(x))``, then ``x + GDFN(norm(x))``, (N, C, H, W) -> same; with ``edge_guidance`` an EGAB."""

    def __init__(self, *, channels: int, heads: int, expansion: float, edge_guidance: bool) -> None:
        super().__init__()
        self.norm1 = LayerNorm2d(channels=channels)
        self.attention = MDTA(channels=channels, heads=heads, edge_guidance=edge_guidance)
        self.norm2 = LayerNorm2d(channels=channels)
        self.feed_forward = GDFN(channels=channels, expansion=expansion)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.feed_forward(self.norm2(x))
        return out


def _down(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2))


def _up(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False), nn.PixelShuffle(2))


class EGRestormer(nn.Module):
    """Restormer with edge-guided attention blocks; ``edge_guidance=False`` is Restormer itself.

    ``forward``: (N, ``channels``, H, W) in [0, 1] -> the same shape, not clamped; H and W are multiples of
    ``size_multiple``.
    ``blocks`` and ``heads`` run over the four levels; encoder and decoder levels have the same; ``width`` is the first
    level's, doubled at each level; the last decoder level and the refinement work at twice ``width``, as in Restormer.
    ``stem`` folds stem x stem pixels into channels first (pixel-unshuffle) and unfolds them last; 1 is the paper's.
    The defaults with ``channels=3`` have 26.13 M parameters and 565 GMAC at 512 x 512 (paper, Table 1).
    """

    scale = 1

    def __init__(
        self,
        *,
        channels: int = 1,
        width: int = 48,
        blocks: tuple[int, int, int, int] = (4, 6, 6, 8),
        heads: tuple[int, int, int, int] = (1, 2, 4, 8),
        refinement: int = 4,
        expansion: float = 2.66,
        edge_guidance: bool = True,
        stem: int = 1,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.stem = stem
        self.size_multiple = 8 * stem
        folded = channels * stem * stem
        widths = (width, 2 * width, 4 * width, 8 * width)

        def stage(count: int, channels: int, heads: int) -> nn.Sequential:
            return nn.Sequential(
                *(
                    TransformerBlock(channels=channels, heads=heads, expansion=expansion, edge_guidance=edge_guidance)
                    for _ in range(count)
                )
            )

        self.embed = nn.Conv2d(folded, width, 3, padding=1, bias=False)
        self.encoders = nn.ModuleList(stage(blocks[i], widths[i], heads[i]) for i in range(3))
        self.downs = nn.ModuleList(_down(widths[i]) for i in range(3))
        self.latent = stage(blocks[3], widths[3], heads[3])
        self.ups = nn.ModuleList(_up(widths[i + 1]) for i in (2, 1, 0))
        self.reduces = nn.ModuleList(
            [nn.Conv2d(2 * widths[i], widths[i], 1, bias=False) for i in (2, 1)] + [nn.Identity()]
        )
        self.decoders = nn.ModuleList(
            [stage(blocks[i], widths[i], heads[i]) for i in (2, 1)] + [stage(blocks[0], widths[1], heads[0])]
        )
        self.refinement = stage(refinement, widths[1], heads[0])
        self.outro = nn.Conv2d(widths[1], folded, 3, padding=1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        x = self.embed(functional.pixel_unshuffle(image, self.stem))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(x)
        x = self.latent(x)
        for up, reduce, decoder in zip(self.ups, self.reduces, self.decoders, strict=True):
            x = decoder(reduce(torch.cat((up(x), skips.pop()), dim=1)))
        x = self.outro(self.refinement(x))
        return image + functional.pixel_shuffle(x, self.stem)
