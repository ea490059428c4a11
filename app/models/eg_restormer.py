"""EG-Restormer, the heavy network of ADNet (Li et al., arXiv 2510.12098, section 2.2): Restormer with edge-guided
attention."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.restormer import MDTA, TransformerUShape

# Sobel derivatives along 0, 45, 90 and 135 degrees.
_SOBEL = (
    ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    ((0, 1, 2), (-1, 0, 1), (-2, -1, 0)),
    ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    ((-2, -1, 0), (-1, 0, 1), (0, 1, 2)),
)


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


class EdgeGuidedMDTA(MDTA):
    """The attention of EGAB: multiplies Q and K by ``1 + W_E * E``, (N, C, H, W) -> same.

    E is the edge map of the input and W_E a learned weight per channel, initially zero, so that training starts from
    Restormer. In a block the input is layer-normalised, so its channel mean, and with it E, is near zero as long as the
    normalisation weighs all channels alike.
    """

    def __init__(self, *, channels: int, heads: int) -> None:
        super().__init__(channels=channels, heads=heads)
        self.edges = EdgeMap()
        self.edge_weight = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.queries_keys_values(x)
        guide = 1 + self.edge_weight * self.edges(x)
        return self.attend(q * guide, k * guide, v)


class EGRestormer(TransformerUShape):
    """Restormer with edge-guided attention blocks; ``edge_guidance=False`` is Restormer itself.

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
        stem: int = 1,
    ) -> None:
        super().__init__(
            attention=EdgeGuidedMDTA if edge_guidance else MDTA,
            channels=channels,
            width=width,
            blocks=blocks,
            heads=heads,
            refinement=refinement,
            expansion=expansion,
            stem=stem,
        )
