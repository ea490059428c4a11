"""Restormer (Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration", CVPR 2022,
arXiv 2111.09881, section 3), and the blocks that EG-Restormer shares with it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.contract import Kind
from app.models.layers import LayerNorm2d


class MDTA(nn.Module):
    """Restormer's multi-Dconv head transposed attention (Eq. 1): attention between channels, (N, C, H, W) -> same."""

    def __init__(self, *, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.qkv_depthwise = nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=False)
        self.project = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.queries_keys_values(x)
        return self.attend(q, k, v)

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, C, H, W) -> three of the same shape."""
        q, k, v = self.qkv_depthwise(self.qkv(x)).chunk(3, dim=1)
        return q, k, v

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Mixes the channels of ``v`` by the cosines between those of ``q`` and ``k``; all (N, C, H, W) -> same."""
        n, c, h, w = v.shape
        q, k, v = (t.reshape(n, self.heads, c // self.heads, h * w) for t in (q, k, v))
        q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
        attention = ((q @ k.transpose(-2, -1)) * self.temperature).softmax(dim=-1)
        out: Tensor = self.project((attention @ v).reshape(n, c, h, w))
        return out


class GDFN(nn.Module):
    """Restormer's gated-Dconv feed-forward network (Eq. 2), (N, C, H, W) -> same."""

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
    """Restormer's block: ``x + attention(norm(x))``, then ``x + GDFN(norm(x))``, (N, C, H, W) -> same."""

    attention: MDTA

    def __init__(self, *, channels: int, attention: MDTA, expansion: float) -> None:
        super().__init__()
        self.norm1 = LayerNorm2d(channels=channels)
        self.attention = attention
        self.norm2 = LayerNorm2d(channels=channels)
        self.feed_forward = GDFN(channels=channels, expansion=expansion)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mix(x)
        out: Tensor = x + self.feed_forward(self.norm2(x))
        return out

    def mix(self, x: Tensor) -> Tensor:
        """The first branch: attention after normalisation, (N, C, H, W) -> same."""
        out: Tensor = self.attention(self.norm1(x))
        return out


def restormer_block(*, channels: int, heads: int, expansion: float) -> TransformerBlock:
    """Makes Restormer's own block."""
    attention = MDTA(channels=channels, heads=heads)
    return TransformerBlock(channels=channels, attention=attention, expansion=expansion)


def _down(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2))


def _up(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False), nn.PixelShuffle(2))


class TransformerUShape(nn.Module):
    """Four-level U-shape of transformer blocks, global residual: the common part of Restormer and EG-Restormer.

    ``block`` makes a block of so many ``channels`` and ``heads``.
    ``forward``: (N, ``channels``, H, W) in [0, 1] -> the same shape, not clamped; H and W are multiples of
    ``size_multiple``. The other arguments are those of `Restormer`.
    """

    kind = Kind.RESTORER
    scale = 1

    def __init__(
        self,
        *,
        block: Callable[..., TransformerBlock],
        channels: int,
        width: int,
        blocks: tuple[int, int, int, int],
        heads: tuple[int, int, int, int],
        refinement: int,
        expansion: float,
        stem: int,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.stem = stem
        self.size_multiple = 8 * stem
        folded = channels * stem * stem
        widths = (width, 2 * width, 4 * width, 8 * width)

        def stage(count: int, channels: int, heads: int) -> nn.Sequential:
            return nn.Sequential(*(block(channels=channels, heads=heads, expansion=expansion) for _ in range(count)))

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


class Restormer(TransformerUShape):
    """Four-level U-shape of MDTA and GDFN blocks, refinement blocks, global residual.

    ``forward``: (N, ``channels``, H, W) in [0, 1] -> the same shape, not clamped; H and W are multiples of
    ``size_multiple``.
    ``blocks`` and ``heads`` have a number for each of the four levels; encoder and decoder levels have the same.
    ``width`` is that of the first level and doubles at each level; the last decoder level and the refinement have twice
    ``width``.
    ``stem`` folds stem x stem pixels into channels first (pixel-unshuffle) and unfolds them last; the paper's is 1.
    The defaults with ``channels=3`` have 26.13 M parameters and 564.96 GMAC at 512 x 512 (ADNet, Li et al., arXiv
    2510.12098, Table 1); 564.0 of these are convolutions, and the products inside attention are 55.6 more.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        width: int = 48,
        blocks: tuple[int, int, int, int] = (4, 6, 6, 8),
        heads: tuple[int, int, int, int] = (1, 2, 4, 8),
        refinement: int = 4,
        expansion: float = 2.66,
        stem: int = 1,
    ) -> None:
        super().__init__(
            block=restormer_block,
            channels=channels,
            width=width,
            blocks=blocks,
            heads=heads,
            refinement=refinement,
            expansion=expansion,
            stem=stem,
        )
