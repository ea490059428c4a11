"""Losses, and the error figures that logs follow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from app.models.contract import CORNER_UNIT
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.qrcode.patterns import QUIET_ZONE
from training.data.crops import CropBatch
from training.data.scene_batches import SceneBatch
from training.data.scenes import MAX_CODES

Loss = Callable[[Tensor, Any], Tensor]
"""(network's output, batch) -> scalar."""
_SHARPNESS = 8.0  # difference in log-odds between a module restored to black and one restored to white
_GREYNESS = 10.0  # slope of the sigmoid whose derivative weights greys; black and white have 0.027 of mid-grey's weight
_ORDERS = [[(2 * ((start + i) % 4) + axis) for i in range(4) for axis in (0, 1)] for start in range(4)]
_BETA = 0.05  # of a code's side, where the corner loss changes from quadratic to linear
_CORNER_WEIGHT = 2.0
_SIZE_WEIGHT = 0.2


def pixel_loss(restored: Tensor, batch: CropBatch) -> Tensor:
    """Mean absolute error of the pixels, as for Restormer and LENet."""
    return functional.l1_loss(restored, batch.clean)


def mean_squared_loss(restored: Tensor, batch: CropBatch) -> Tensor:
    """Mean squared error of the pixels, as for SRResNet-MSE (Ledig et al., CVPR 2017, Eq. 4)."""
    return functional.mse_loss(restored, batch.clean)


def binary_pattern_loss(restored: Tensor, batch: CropBatch) -> Tensor:
    """QR-ESRGAN's binary pattern constraint: the squared error of pixels that are grey.

    The mean of w(x) (x - y)^2 over the pixels, where x is the output, y the truth and w(x) = 4 s(t) (1 - s(t)) with the
    sigmoid s and t = 10 (x - 1/2), the sigmoid's derivative scaled to 1 at mid-grey. The source gives the kind of the
    weight and the norm. Our choices are the slope and that the weight has no gradient, which would reward a pixel for
    leaving grey towards the wrong side. A pixel that is wrong but not grey is left to the other losses.
    """
    side = (_GREYNESS * (restored.detach() - 0.5)).sigmoid()
    return (4 * side * (1 - side) * (restored - batch.clean).square()).mean()


@dataclass(frozen=True)
class WeightedSum:
    """A weighted sum of losses; ``terms`` are (name, weight, loss).

    Its ``__name__``, which goes into a checkpoint's provenance, lists all terms. Raises ValueError if there is no term
    or two have the same name.
    """

    terms: tuple[tuple[str, float, Loss], ...]

    def __post_init__(self) -> None:
        names = [name for name, _, _ in self.terms]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"a sum needs at least one term, each with a different name; got {names}")

    @property
    def __name__(self) -> str:
        return " + ".join(f"{weight:g} {name} ({loss_name(loss)})" for name, weight, loss in self.terms)

    def parts(self, restored: Tensor, batch: Any) -> dict[str, Tensor]:
        """Each weighted term by its name."""
        return {name: weight * loss(restored, batch) for name, weight, loss in self.terms}

    def __call__(self, restored: Tensor, batch: Any) -> Tensor:
        first, *others = self.parts(restored, batch).values()
        return sum(others, start=first)


def loss_name(loss: Loss) -> str:
    """A loss's name, which a checkpoint's provenance states."""
    return str(getattr(loss, "__name__", type(loss).__name__))


def module_logits(restored: Tensor, modules: int) -> Tensor:
    """Log-odds for losses on modules, that each is dark: (N, 1, H, W) crops in [0, 1] -> (N, 1, modules, modules).

    ``modules``: the crop's modules per side, quiet zone included.
    """
    side = modules * PIXELS_PER_MODULE
    light = functional.avg_pool2d(restored[..., :side, :side], PIXELS_PER_MODULE)
    return _SHARPNESS * (0.5 - light)


def decoding_loss(restored: Tensor, batch: CropBatch) -> Tensor:
    """``pixel_loss`` plus half the binary cross-entropy of the symbol's modules: decoders count modules, not pixels.

    Raises ValueError for crops off the module grid.
    """
    if batch.dark is None:
        raise ValueError("this loss needs crops that lie on the module grid")
    inner = slice(QUIET_ZONE, -QUIET_ZONE)
    logits = module_logits(restored, batch.dark.shape[-1])[..., inner, inner]
    return pixel_loss(restored, batch) + 0.5 * functional.binary_cross_entropy_with_logits(
        logits, batch.dark[..., inner, inner]
    )


def module_error(restored: Tensor, batch: CropBatch) -> float:
    """The error that logs state beside a restorer's loss: the share of the symbol's modules that are wrong.

    Their mean is on the wrong side of mid-grey. NaN for crops off the module grid.
    """
    if batch.dark is None:
        return float("nan")
    inner = slice(QUIET_ZONE, -QUIET_ZONE)
    logits = module_logits(restored, batch.dark.shape[-1])[..., inner, inner]
    return float(((logits > 0).float() != batch.dark[..., inner, inner]).float().mean())


def reading_loss(log_odds: Tensor, batch: CropBatch) -> Tensor:
    """Binary cross-entropy of the modules that the standard does not fix, from the module reader's (N, 1, M, M)
    log-odds.

    Raises ValueError for batches without module grid and planes.
    """
    dark, unknown = _to_read(batch)
    loss = functional.binary_cross_entropy_with_logits(log_odds, dark, reduction="none")
    return (loss * unknown).sum() / unknown.sum()


def reading_error(log_odds: Tensor, batch: CropBatch) -> float:
    """The error that logs state beside `reading_loss`: the share of wrong modules among those that the standard leaves
    open.

    Raises ValueError as `reading_loss` does.
    """
    dark, unknown = _to_read(batch)
    return float((((log_odds > 0).float() != dark) * unknown).sum() / unknown.sum())


def _to_read(batch: CropBatch) -> tuple[Tensor, Tensor]:
    if batch.dark is None or batch.planes is None:
        raise ValueError("this loss needs crops that lie on the module grid, with planes")
    return batch.dark, 1 - batch.planes[:, :1]


def _corner_losses(answer: Tensor, batch: SceneBatch) -> Tensor:
    """Corner loss of every code, (codes,), for the cyclic order of its corners that fits the answer best."""
    code_side = batch.code_side.clamp(min=1)
    orders = []
    for order in _ORDERS:
        errors = (answer[:, 1:9] - batch.corners[:, order]) * (CORNER_UNIT / code_side)
        orders.append(functional.smooth_l1_loss(errors, torch.zeros_like(errors), beta=_BETA, reduction="none").mean(1))
    losses = torch.stack(orders, dim=1)
    owned = (batch.owner == torch.arange(MAX_CODES, device=answer.device).view(1, -1, 1, 1)).float()
    count = owned.sum(dim=(2, 3))
    sums = torch.einsum("nohw,nkhw->nko", losses, owned)
    return (sums.amin(dim=2) / count.clamp(min=1))[count > 0]


def quad_loss(answer: Tensor, batch: SceneBatch) -> Tensor:
    """Binary cross-entropy of the code map, plus twice the corner error and 0.2 times the error of log2(modules).

    The corner error is smooth L1 in units of a code's side, the least over the four cyclic orders of the corners.
    """
    found = functional.binary_cross_entropy_with_logits(answer[:, :1], batch.code, reduction="none")
    loss = (found * batch.supervised).mean()
    if batch.code.any():
        size = (answer[:, 9:] - batch.log_size).abs()
        loss = loss + _SIZE_WEIGHT * (size * batch.code).sum() / batch.code.sum()
        loss = loss + _CORNER_WEIGHT * _corner_losses(answer, batch).mean()
    return loss


def quad_error(answer: Tensor, batch: SceneBatch) -> float:
    """The error that logs state beside `quad_loss`: the mean corner loss in units of a code's side; 0 without a
    code."""
    losses = _corner_losses(answer, batch)
    return float(losses.mean()) if len(losses) else 0.0
