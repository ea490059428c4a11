"""Recipes for QR-ESRGAN, which upscales by four, in its two stages.

The perceptual loss uses VGG19 if the path of torchvision's weights is given (``vgg19``), otherwise the project's small
feature network, `training.objectives.features`.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from training.data.pairs import pair_batch, pair_provenance
from training.data.published_degradations import SecondOrderDegradation
from training.objectives.adversarial import Adversary, relativistic_average
from training.objectives.discriminators import UNetDiscriminator
from training.objectives.losses import Loss, WeightedSum, binary_pattern_loss, pixel_loss
from training.recipes.srgan import SMALL_ABSOLUTE, perceptual_term
from training.run.config import MakeBatch, TrainConfig

_VERSIONS = 10  # version 10 has 2 px per module at 128 px, quiet zone included
_SECOND_ORDER = (
    "unsharp mask, then Real-ESRGAN's two rounds of blur (also sinc), resize, noise (gaussian, Poisson) and JPEG 30-95 "
    "with its published ranges, grey; 128 px"
)


def qr_esrgan_psnr() -> TrainConfig:
    """Trains QR-ESRGAN's first stage, L1 alone, x4 on parts of codes with Real-ESRGAN's degradation.

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
    """Trains QR-ESRGAN's second stage, a relativistic GAN that starts from the weights of the first.

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
    """Trains QR-ESRGAN's first stage at the published size (16.7 M parameters): needs a GPU.

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
    """Trains QR-ESRGAN's second stage at the published size: needs a GPU.

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
            perceptual_term(vgg19, layer="conv5_4", distance="l1", weight=1.0, small_weight=SMALL_ABSOLUTE),
            ("binary", 0.5, binary_pattern_loss),
        )
    )


def _esrgan_adversary(*, width: int) -> Adversary:
    make = partial(UNetDiscriminator, channels=1, width=width)
    return Adversary(make=make, losses=relativistic_average, weight=0.1, learning_rate=1e-4)
