"""Losses, and the error figures that logs follow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.qrcode.patterns import QUIET_ZONE
from training.data.crops import CropBatch

Loss = Callable[[Tensor, Any], Tensor]
"""(network's output, batch) -> scalar."""

_SHARPNESS = 8.0  # difference in log-odds between a module restored to black and one restored to white
_GREYNESS = 10.0  # slope of the sigmoid whose derivative weights greys; black and white have 0.027 of mid-grey's weight


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
    """The name of a loss in a checkpoint's provenance."""
    return str(getattr(loss, "__name__", type(loss).__name__))


def module_logits(restored: Tensor, modules: int) -> Tensor:
    """Log-odds that each module of a canonical crop is dark: (N, 1, H, W) in [0, 1] -> (N, 1, modules, modules).

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
    """Share of the symbol's modules whose mean is on the wrong side of mid-grey; NaN for crops off the module grid."""
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
    """Share of wrong modules among those that the standard does not fix. Raises ValueError as `reading_loss` does."""
    dark, unknown = _to_read(batch)
    return float((((log_odds > 0).float() != dark) * unknown).sum() / unknown.sum())


def _to_read(batch: CropBatch) -> tuple[Tensor, Tensor]:
    if batch.dark is None or batch.planes is None:
        raise ValueError("this loss needs crops that lie on the module grid, with planes")
    return batch.dark, 1 - batch.planes[:, :1]
