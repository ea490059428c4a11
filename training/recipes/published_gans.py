"""Recipes for the published systems with perceptual losses, SRGAN and QR-ESRGAN; see `training.recipes.published`.

The perceptual loss uses VGG19 if the path of torchvision's weights is given (``vgg19``), otherwise the project's small
feature network, `training.objectives.features`.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from training.data.pairs import pair_batch, pair_provenance
from training.data.published_degradations import Augmentation, SecondOrderDegradation
from training.objectives.adversarial import Adversary, relativistic_average, standard
from training.objectives.discriminators import UNetDiscriminator, VGGDiscriminator
from training.objectives.losses import Loss, WeightedSum, binary_pattern_loss, mean_squared_loss, pixel_loss
from training.objectives.perceptual import Distance, PerceptualLoss, feature_loss
from training.run.config import MakeBatch, TrainConfig

_VERSIONS = 10  # version 10 has 2 px per module at 128 px, quiet zone included
_SMALL_SQUARED, _SMALL_ABSOLUTE = 0.02, 0.1  # of the small network's term; its gradient is 3 and 2 times the pixels'
_SECOND_ORDER = (
    "unsharp mask, then Real-ESRGAN's two rounds of blur (also sinc), resize, noise (gaussian, Poisson) and JPEG 30-95 "
    "with its published ranges, grey; 128 px"
)


def _perceptual(
    vgg19: Path | None, *, layer: str, distance: Distance, weight: float, small_weight: float
) -> tuple[str, float, Loss]:
    """A perceptual term: on VGG19's ``layer`` with ``weight``, or on the small network with ``small_weight``."""
    if vgg19 is None:
        return "perceptual", small_weight, PerceptualLoss(feature_loss(None, distance=distance))
    return "perceptual", weight, PerceptualLoss(feature_loss(vgg19, layer=layer, distance=distance))


# --- SRGAN, 32 -> 128 px -------------------------------------------------------------------------------------------


def srgan(*, vgg19: Path | None = None) -> TrainConfig:
    """SRGAN with its published networks, x4 on whole codes, rotated and sheared.

    ``python -m training srgan``: 30 minutes on two cores are about 10,700 samples (0.2 s of CPU time each, 0.8 s after
    the discriminator has joined halfway). The bicubic skip and the rate of 5e-4 instead of 1e-4 suit so short a run.
    The pixels' MSE with weight 1 replaces the published start from an MSE-trained generator. The perceptual loss is on
    VGG19's relu5_4 (squared, times 0.006, as published) if its file is given, else on the project's small feature
    network.
    """
    batch_size, low, versions = 8, 32, 2
    return TrainConfig(
        name="srgan",
        architecture="SRGANGenerator",
        network={"channels": 1, "width": 64, "blocks": 16, "bicubic_skip": True},
        make_batch=partial(
            pair_batch, size=batch_size, low=low, scale=4, degradation=Augmentation(), max_version=versions
        ),
        loss=WeightedSum(
            (
                ("pixels", 1.0, mean_squared_loss),
                _perceptual(vgg19, layer="relu5_4", distance="l2", weight=0.006, small_weight=_SMALL_SQUARED),
            )
        ),
        data=pair_provenance(
            low=low,
            max_version=versions,
            degradation="turned by 40 degrees, sheared by 0.2, zoomed by 0.2 on each axis, flipped, brightness 0.5-1.5 "
            "(undone by normalisation but for what is clipped), then 32 px by area",
        ),
        minutes=30,
        batch_size=batch_size,
        learning_rate=5e-4,
        weight_decay=0.0,
        warmup_steps=50,
        adversary=Adversary(
            make=partial(VGGDiscriminator, side=4 * low, channels=1),
            losses=standard,
            weight=1e-3,
            learning_rate=1e-4,
            start_share=0.5,
        ),
        seed=34,
    )


# --- QR-ESRGAN, 128 -> 512 px --------------------------------------------------------------------------------------


def qr_esrgan_psnr() -> TrainConfig:
    """QR-ESRGAN's first stage, L1 alone, x4 on parts of codes with Real-ESRGAN's degradation.

    ``python -m training qr-esrgan-psnr``: 30 minutes on two cores are about 33,000 samples (0.11 s of CPU time each).
    Four blocks of width 32 and growth 16 instead of 23 of 64 and 32, and parts of 32 -> 128 px of codes of 128 -> 512
    px, because the published size needs a GPU (qr-esrgan-psnr-full). Targets are unsharp-masked, which in black and
    white pictures changes only the grey pixels of edges.
    """
    batch_size = 8
    return TrainConfig(
        name="qr-esrgan-psnr",
        architecture="RRDBNet",
        network={"channels": 1, "width": 32, "blocks": 4, "growth": 16, "bicubic_skip": True},
        make_batch=_esrgan_batches(batch_size, crop=32),
        loss=pixel_loss,
        data=pair_provenance(low=128, max_version=_VERSIONS, degradation=_SECOND_ORDER, crop=32),
        minutes=30,
        batch_size=batch_size,
        learning_rate=5e-4,
        weight_decay=0.0,
        warmup_steps=50,
        seed=35,
    )


def qr_esrgan(*, vgg19: Path | None = None) -> TrainConfig:
    """QR-ESRGAN's second stage, a relativistic GAN that starts from the weights of the first.

    ``python -m training qr-esrgan``, which first finishes qr-esrgan-psnr: 30 minutes on two cores are about 14,000
    samples (0.25 s of CPU time each) against a U-Net discriminator of a quarter of the published width. The loss is
    L1 + perceptual + 0.1 adversarial + 0.5 binary pattern constraint. The published weights are unknown; the first
    three are Real-ESRGAN's, whose perceptual loss sums several layers where this uses one. The perceptual loss is on
    VGG19's conv5_4 before activation if its file is given, else on the project's small feature network.
    """
    return replace(
        qr_esrgan_psnr(),
        name="qr-esrgan",
        loss=_esrgan_loss(vgg19),
        learning_rate=1e-4,
        adversary=_esrgan_adversary(width=16),
        previous=qr_esrgan_psnr,
        seed=36,
    )


def qr_esrgan_psnr_full() -> TrainConfig:
    """QR-ESRGAN's first stage at the published size (16.7 M parameters): needs a GPU.

    ``python -m training qr-esrgan-psnr-full --device cuda``. Not trained yet.
    """
    batch_size = 16
    return replace(
        qr_esrgan_psnr(),
        name="qr-esrgan-psnr-full",
        network={"channels": 1},
        make_batch=_esrgan_batches(batch_size, crop=64),
        data=pair_provenance(low=128, max_version=_VERSIONS, degradation=_SECOND_ORDER, crop=64),
        minutes=300,
        batch_size=batch_size,
        learning_rate=2e-4,
    )


def qr_esrgan_full(*, vgg19: Path | None = None) -> TrainConfig:
    """QR-ESRGAN's second stage at the published size: needs a GPU.

    ``python -m training qr-esrgan-full --device cuda``, which first finishes qr-esrgan-psnr-full. Not trained yet.
    """
    return replace(
        qr_esrgan_psnr_full(),
        name="qr-esrgan-full",
        loss=_esrgan_loss(vgg19),
        learning_rate=1e-4,
        adversary=_esrgan_adversary(width=64),
        previous=qr_esrgan_psnr_full,
        seed=36,
    )


def _esrgan_batches(size: int, *, crop: int) -> MakeBatch:
    return partial(
        pair_batch, size=size, low=128, scale=4, degradation=SecondOrderDegradation(), max_version=_VERSIONS, crop=crop
    )


def _esrgan_loss(vgg19: Path | None) -> Loss:
    return WeightedSum(
        (
            ("pixels", 1.0, pixel_loss),
            _perceptual(vgg19, layer="conv5_4", distance="l1", weight=1.0, small_weight=_SMALL_ABSOLUTE),
            ("binary", 0.5, binary_pattern_loss),
        )
    )


def _esrgan_adversary(*, width: int) -> Adversary:
    make = partial(UNetDiscriminator, channels=1, width=width)
    return Adversary(make=make, losses=relativistic_average, weight=0.1, learning_rate=1e-4)


class VGG19Recipe(Protocol):
    """A recipe whose perceptual loss can use VGG19."""

    def __call__(self, *, vgg19: Path | None = None) -> TrainConfig: ...


VGG19_RECIPES: dict[str, VGG19Recipe] = {
    "srgan": srgan,
    "qr-esrgan": qr_esrgan,
    "qr-esrgan-full": qr_esrgan_full,
}
"""Recipes that take torchvision's file of VGG19's weights, by name."""
