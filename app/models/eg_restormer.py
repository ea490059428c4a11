"""EG-Restormer, the heavy network of ADNet (Li et al., arXiv 2510.12098, section 2.2): Restormer with edge-guided
attention."""

from enum import StrEnum
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.restormer import MDTA, TransformerBlock, TransformerUShape, restormer_block

# Sobel derivatives along 0, 45, 90 and 135 degrees.
_SOBEL = (
    ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    ((0, 1, 2), (-1, 0, 1), (-2, -1, 0)),
    ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    ((-2, -1, 0), (-1, 0, 1), (0, 1, 2)),
)

# In the blocks of the shipped network E is 0.07 to 0.16 on average, so that W_E matters from about 1 on: drawn with a
# deviation of 1 it moves the output by 0.008 at most, with 10 by 0.2 (four crops). A rate of 1e-3, made for weights of
# some hundredths, takes thousands of steps to get there: without a gain W_E was 0.02 after 200 steps.
_GAIN = 20.0


class EdgeMap(nn.Module):
    """EG-Restormer's edge map: largest absolute Sobel response of the channel mean over four directions,
    (N, C, H, W) -> (N, 1, H, W)."""

    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernels", torch.tensor(_SOBEL, dtype=torch.float32).unsqueeze(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=1, keepdim=True)
        responses = functional.conv2d(functional.pad(mean, (1, 1, 1, 1), mode="replicate"), self.kernels.to(mean.dtype))
        return responses.abs().amax(dim=1, keepdim=True)


class EdgeSource(StrEnum):
    """Which picture a block of EG-Restormer takes its edge map from.

    ``INPUT``: the block's input before normalisation, which the residual adds to, as Eq. (2) of the paper states.
    ``NORMALISED``: the layer-normalised input, as the authors' code computes it. Its mean over the channels is zero
    where all channels weigh alike, and so is the edge map: such a network is Restormer.

    How much the output of 32 training crops, in [0, 1], changes at most (on average) if edges no longer guide: by 0.34
    (0.010) in the shipped network, trained for 3,348 steps with ``INPUT``; by 1.4e-3 (5.4e-5) in the one trained on the
    same samples with ``NORMALISED``. What that gains: docs/measurements.md, Edge guidance.
    """

    INPUT = "input"
    NORMALISED = "normalised"


class EdgeGuidedMDTA(MDTA):
    """The attention of EGAB: multiplies Q and K by ``1 + W_E * E``, (N, C, H, W) -> same.

    E is the edge map of ``guide`` (N, C, H, W) and W_E a learned weight per channel, initially zero, so that training
    starts from Restormer; its gradient is not zero there wherever E is not flat. W_E is ``gain`` times the parameter
    ``edge_weight``, an equalised learning rate (Karras et al., ICLR 2018, section 4.1).
    """

    def __init__(self, *, channels: int, heads: int, gain: float = 1.0) -> None:
        super().__init__(channels=channels, heads=heads)
        self.gain = gain
        self.edges = EdgeMap()
        self.edge_weight = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor, guide: Tensor | None = None) -> Tensor:
        """Without ``guide``, the edges are those of ``x``."""
        q, k, v = self.queries_keys_values(x)
        factor = 1 + self.gain * self.edge_weight * self.edges(x if guide is None else guide)
        return self.attend(q * factor, k * factor, v)


class EGAB(TransformerBlock):
    """The edge-guided attention block (section 2.2): Restormer's block with `EdgeGuidedMDTA`, (N, C, H, W) -> same."""

    attention: EdgeGuidedMDTA

    def __init__(self, *, channels: int, heads: int, expansion: float, edge_source: EdgeSource) -> None:
        gain = _GAIN if edge_source is EdgeSource.INPUT else 1.0
        attention = EdgeGuidedMDTA(channels=channels, heads=heads, gain=gain)
        super().__init__(channels=channels, attention=attention, expansion=expansion)
        self.edge_source = edge_source

    def mix(self, x: Tensor) -> Tensor:
        normalised = self.norm1(x)
        out: Tensor = self.attention(normalised, x if self.edge_source is EdgeSource.INPUT else normalised)
        return out


def forget_guidance(network: nn.Module) -> None:
    """Sets W_E of every block of a network to zero: it is Restormer then, and learns other edges from there."""
    for module in network.modules():
        if isinstance(module, EdgeGuidedMDTA):
            with torch.no_grad():
                module.edge_weight.zero_()


class EGRestormer(TransformerUShape):
    """Restormer with edge-guided attention blocks; ``edge_guidance=False`` is Restormer itself.

    ``edge_source``: a value of `EdgeSource`. Raises ValueError for another.
    ``forward``: (N, ``channels``, H, W) in [0, 1] -> the same shape, not clamped; H and W are multiples of
    ``size_multiple``. The other arguments are those of `Restormer`.
    The defaults with ``channels=3`` have 26.13 M parameters and 565.14 GMAC at 512 x 512 (paper, Table 1).
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
        edge_guidance: bool = True,
        edge_source: str = EdgeSource.INPUT,
        stem: int = 1,
    ) -> None:
        guided = partial(EGAB, edge_source=EdgeSource(edge_source))
        super().__init__(
            block=guided if edge_guidance else restormer_block,
            channels=channels,
            width=width,
            blocks=blocks,
            heads=heads,
            refinement=refinement,
            expansion=expansion,
            stem=stem,
        )
