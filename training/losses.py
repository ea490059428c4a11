"""What training minimises."""

from torch import Tensor
from torch.nn import functional

from app.pipeline.rectifying import PIXELS_PER_MODULE
from app.pipeline.symbology import QUIET_ZONE
from training.data import CropBatch

_SHARPNESS = 8.0  # log-odds between a module restored to full black and one restored to full white


def pixel_loss(restored: Tensor, batch: CropBatch) -> Tensor:
    """Mean absolute error of the pixels (the loss of Restormer and of LENet), scalar."""
    return functional.l1_loss(restored, batch.clean)


def module_logits(restored: Tensor, modules: int) -> Tensor:
    """Log-odds that each module of a canonical crop is dark: (N, 1, H, W) in [0, 1] -> (N, 1, modules, modules).

    ``modules`` counts the crop's modules a side, quiet zone included.
    """
    side = modules * PIXELS_PER_MODULE
    light = functional.avg_pool2d(restored[..., :side, :side], PIXELS_PER_MODULE)
    return _SHARPNESS * (0.5 - light)


def decoding_loss(restored: Tensor, batch: CropBatch) -> Tensor:
    """``pixel_loss`` plus half the binary cross-entropy of the symbol's modules: decoders count modules, not pixels."""
    if batch.dark is None:
        raise ValueError("this loss needs crops that lie on the module grid")
    inner = slice(QUIET_ZONE, -QUIET_ZONE)
    logits = module_logits(restored, batch.dark.shape[-1])[..., inner, inner]
    return pixel_loss(restored, batch) + 0.5 * functional.binary_cross_entropy_with_logits(
        logits, batch.dark[..., inner, inner]
    )


def module_error(restored: Tensor, batch: CropBatch) -> float:
    """Share of the symbol's modules whose mean is on the wrong side of mid-grey; NaN where there is no grid."""
    if batch.dark is None:
        return float("nan")
    inner = slice(QUIET_ZONE, -QUIET_ZONE)
    logits = module_logits(restored, batch.dark.shape[-1])[..., inner, inner]
    return float(((logits > 0).float() != batch.dark[..., inner, inner]).float().mean())


def reading_loss(log_odds: Tensor, batch: CropBatch) -> Tensor:
    """Binary cross-entropy of the modules that no standard fixes; takes the module reader's (N, 1, M, M) log-odds."""
    dark, unknown = _to_read(batch)
    loss = functional.binary_cross_entropy_with_logits(log_odds, dark, reduction="none")
    return (loss * unknown).sum() / unknown.sum()


def reading_error(log_odds: Tensor, batch: CropBatch) -> float:
    """Share of the modules that no standard fixes which the module reader has on the wrong side."""
    dark, unknown = _to_read(batch)
    return float((((log_odds > 0).float() != dark) * unknown).sum() / unknown.sum())


def _to_read(batch: CropBatch) -> tuple[Tensor, Tensor]:
    if batch.dark is None or batch.planes is None:
        raise ValueError("this loss needs crops that lie on the module grid, with what is known of it")
    return batch.dark, 1 - batch.planes[:, :1]
