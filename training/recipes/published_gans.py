"""Recipes for the published systems with perceptual losses, SRGAN and QR-ESRGAN; see `training.recipes.published`.

The perceptual loss uses VGG19 if the path of torchvision's weights is given (``vgg19``), otherwise the project's small
feature network, `training.objectives.features`.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from training.data.pairs import pair_batch, told
from training.data.published_degradations import Augmented, SecondOrder
from training.objectives.adversarial import Adversary, relativistic_average, standard
from training.objectives.discriminators import UNetDiscriminator, VGGDiscriminator
from training.objectives.losses import Loss, WeightedSum, binary_pattern_loss, mean_squared_loss, pixel_loss
from training.objectives.perceptual import Distance, PerceptualLoss, feature_loss
from training.run.config import MakeBatch, TrainConfig

_VERSIONS = 10  # the last still has 2 px a module at 128 px, quiet zone included
_SMALL_SQUARED, _SMALL_ABSOLUTE = 0.02, 0.1  # weights on the small network: 3 and 2 times the pixels' gradient
_SECOND_ORDER = (
    "unsharp mask, then Real-ESRGAN's two rounds of blur (also sinc), resize, noise (gaussian, Poisson) and JPEG 30-95 "
    "with its published ranges, grey; 128 px"
)


def _perceptual(
    vgg19: Path | None, *, layer: str, distance: Distance, weight: float, small_weight: float
) -> tuple[str, float, Loss]:
    """The term of a perceptual loss: on VGG19's ``layer`` with ``weight``, or on the small network with its own."""
    if vgg19 is None:
        return "perceptual", small_weight, PerceptualLoss(feature_loss(None, distance=distance))
    return "perceptual", weight, PerceptualLoss(feature_loss(vgg19, layer=layer, distance=distance))


# --- SRGAN, 32 -> 128 px -------------------------------------------------------------------------------------------


def srgan(*, vgg19: Path | None = None) -> TrainConfig:
    """SRGAN with its published networks, x4 on whole codes turned and stretched.

    ``python -m training srgan``: 30 minutes on two cores are about 10,700 samples (0.2 s of CPU each, 0.8 s once the
    discriminator has joined, half-way). A bicubic skip and a rate of 5e-4, not 1e-4, are for so short a run; the
    pixels' MSE, with weight 1 throughout, stands in for the published start from an MSE-trained generator. Perceptual
    loss on VGG19's relu5_4 (squared, times 0.006, as published) where its file is given, else on the project's small
    feature network.
    """
    batch_size, low, versions = 8, 32, 2
    return TrainConfig(
        name="srgan",
        architecture="SRGANGenerator",
        network={"channels": 1, "width": 64, "blocks": 16, "bicubic_skip": True},
        make_batch=partial(
            pair_batch, size=batch_size, low=low, scale=4, degradation=Augmented(), max_version=versions
        ),
        loss=WeightedSum(
            (
                ("pixels", 1.0, mean_squared_loss),
                _perceptual(vgg19, layer="relu5_4", distance="l2", weight=0.006, small_weight=_SMALL_SQUARED),
            )
        ),
        data=told(
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
            after_minutes_share=0.5,
        ),
        seed=34,
    )


# --- QR-ESRGAN, 128 -> 512 px --------------------------------------------------------------------------------------


def qr_esrgan_psnr() -> TrainConfig:
    """QR-ESRGAN's first stage, by L1 alone, x4 on parts of codes after Real-ESRGAN's degradation.

    ``python -m training qr-esrgan-psnr``: 30 minutes on two cores are about 33,000 samples (0.11 s of CPU each). Four
    blocks of width 32 and growth 16, not 23 of 64 and 32, and parts of 32 -> 128 px of the codes of 128 -> 512 px: a
    CPU cannot move the whole (qr-esrgan-psnr-full). Targets are unsharp-masked, which on black and white moves only
    the grey pixels of edges.
    """
    batch_size = 8
    return TrainConfig(
        name="qr-esrgan-psnr",
        architecture="RRDBNet",
        network={"channels": 1, "width": 32, "blocks": 4, "growth": 16, "bicubic_skip": True},
        make_batch=_esrgan_batches(batch_size, crop=32),
        loss=pixel_loss,
        data=told(low=128, max_version=_VERSIONS, degradation=_SECOND_ORDER, crop=32),
        minutes=30,
        batch_size=batch_size,
        learning_rate=5e-4,
        weight_decay=0.0,
        warmup_steps=50,
        seed=35,
    )


def qr_esrgan(*, vgg19: Path | None = None) -> TrainConfig:
    """QR-ESRGAN's second stage, the relativistic GAN, begun with the weights of the first.

    ``python -m training qr-esrgan``, which trains qr-esrgan-psnr before where its run is not finished: 30 minutes on
    two cores are about 14,000 samples (0.25 s of CPU each) against a U-Net discriminator of a quarter of the published
    width. L1 + perceptual + 0.1 adversarial (weights of Real-ESRGAN, whose perceptual loss sums several layers where
    this takes one) + 0.5 of the binary pattern constraint (the published weights are not known). Perceptual loss on
    VGG19's conv5_4 before activation where its file is given, else on the project's small feature network.
    """
    return replace(
        qr_esrgan_psnr(),
        name="qr-esrgan",
        loss=_esrgan_loss(vgg19),
        learning_rate=1e-4,
        adversary=_esrgan_adversary(width=16),
        first=qr_esrgan_psnr,
        seed=36,
    )


def qr_esrgan_psnr_full() -> TrainConfig:
    """QR-ESRGAN's first stage at the published size (16.7 M parameters): needs a GPU.

    ``python -m training qr-esrgan-psnr-full --device cuda``. Not trained yet, so nothing is measured of it.
    """
    batch_size = 16
    return replace(
        qr_esrgan_psnr(),
        name="qr-esrgan-psnr-full",
        network={"channels": 1},
        make_batch=_esrgan_batches(batch_size, crop=64),
        data=told(low=128, max_version=_VERSIONS, degradation=_SECOND_ORDER, crop=64),
        minutes=300,
        batch_size=batch_size,
        learning_rate=2e-4,
    )


def qr_esrgan_full(*, vgg19: Path | None = None) -> TrainConfig:
    """QR-ESRGAN's second stage at the published size: needs a GPU.

    ``python -m training qr-esrgan-full --device cuda``, which trains qr-esrgan-psnr-full before. Not trained yet, so
    nothing is measured of it.
    """
    return replace(
        qr_esrgan_psnr_full(),
        name="qr-esrgan-full",
        loss=_esrgan_loss(vgg19),
        learning_rate=1e-4,
        adversary=_esrgan_adversary(width=64),
        first=qr_esrgan_psnr_full,
        seed=36,
    )


def _esrgan_batches(size: int, *, crop: int) -> MakeBatch:
    return partial(pair_batch, size=size, low=128, scale=4, degradation=SecondOrder(), max_version=_VERSIONS, crop=crop)


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


class OnVGG19(Protocol):
    """A recipe whose perceptual loss may look through VGG19."""

    def __call__(self, *, vgg19: Path | None = None) -> TrainConfig: ...


ON_VGG19: dict[str, OnVGG19] = {
    "srgan": srgan,
    "qr-esrgan": qr_esrgan,
    "qr-esrgan-full": qr_esrgan_full,
}
"""By name, the recipes that take torchvision's file of VGG19's weights."""
