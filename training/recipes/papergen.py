"""Recipes for PaperGen, a student project's GAN that upscales by four."""

from dataclasses import replace
from functools import partial

from training.data.pairs import STAGED_CODES, WHOLE_CODES, BlurThenNoise, whole_codes
from training.objectives.adversarial import Adversary, standard
from training.objectives.discriminators import ConvDiscriminator
from training.objectives.losses import mean_squared_loss
from training.run.config import TrainConfig


def papergen() -> TrainConfig:
    """Trains PaperGen, a student project's GAN, x4 on whole codes.

    ``python -m training papergen``: 30 minutes on two cores are about 13,500 samples (0.27 s of CPU time each). MSE
    plus 1e-3 times the adversarial loss; the project's weight is unknown, this is SRGAN's.
    """
    batch_size = 16
    return TrainConfig(
        name="papergen",
        architecture="PaperGen",
        network={"channels": 1, "width": 32, "blocks": 8, "upsampling": "pixelshuffle", "bicubic_skip": True},
        make_batch=whole_codes(batch_size),
        loss=mean_squared_loss,
        data=dict(WHOLE_CODES),
        minutes=30,
        batch_size=batch_size,
        learning_rate=2e-4,
        weight_decay=0.0,
        warmup_steps=20,
        adversary=Adversary(
            make=partial(ConvDiscriminator, channels=1, width=32), losses=standard, weight=1e-3, learning_rate=2e-4
        ),
        seed=31,
        picture_every=50,
    )


def papergen_transposed() -> TrainConfig:
    """Trains PaperGen with transposed convolutions instead of PixelShuffle, otherwise unchanged.

    ``python -m training papergen-transposed``: as papergen, 0.25 s of CPU time per sample.
    """
    plain = papergen()
    return replace(plain, name="papergen-transposed", network={**plain.network, "upsampling": "transposed"})


def papergen_staged() -> TrainConfig:
    """Trains PaperGen in its two stages as published, first on blur and then on noise, otherwise unchanged.

    ``python -m training papergen-staged --steps 677 --threads 1``: 107 minutes on one of two virtual cores (AVX-512,
    bfloat16) shared with other runs, 10,832 samples; noise64 and blur64 then read 60 of 60. One schedule of the
    learning rate spans both stages; the project's is unknown.
    """
    plain = papergen()
    return replace(plain, name="papergen-staged", make_batch=BlurThenNoise(plain.batch_size), data=dict(STAGED_CODES))
