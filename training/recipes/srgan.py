"""Recipe for SRGAN (Ledig et al., CVPR 2017), which upscales by four.

The perceptual loss uses VGG19 if the path of torchvision's weights is given (``vgg19``), otherwise the project's small
feature network, `training.objectives.features`.
"""

from functools import partial
from pathlib import Path

from training.data.pairs import pair_batch, pair_provenance
from training.data.published_degradations import Augmentation
from training.objectives.adversarial import Adversary, standard
from training.objectives.discriminators import VGGDiscriminator
from training.objectives.losses import Loss, WeightedSum, mean_squared_loss
from training.objectives.perceptual import Distance, PerceptualLoss, feature_loss
from training.run.config import TrainConfig

SMALL_SQUARED, SMALL_ABSOLUTE = 0.02, 0.1  # of the small network's term; its gradient is 3 and 2 times the pixels'


def perceptual_term(
    vgg19: Path | None, *, layer: str, distance: Distance, weight: float, small_weight: float
) -> tuple[str, float, Loss]:
    """The perceptual term of SRGAN's loss: on VGG19's ``layer`` with ``weight``, or on the small network with
    ``small_weight``."""
    if vgg19 is None:
        return "perceptual", small_weight, PerceptualLoss(feature_loss(None, distance=distance))
    return "perceptual", weight, PerceptualLoss(feature_loss(vgg19, layer=layer, distance=distance))


def srgan(*, vgg19: Path | None = None) -> TrainConfig:
    """Trains SRGAN with its published networks, x4 on whole codes, rotated and sheared.

    ``python -m training srgan`` takes 30 minutes unless told otherwise: 0.15 s of a core with bfloat16 for each sample,
    three times as long once the discriminator has joined, for the last 15 % of the time. The shipped weights took three
    runs, 196 minutes in all; in the first two the discriminator joined halfway. The bicubic skip and the rate of
    5e-4 instead of 1e-4 suit short runs. The pixels' MSE with weight 1 replaces the published start from an MSE-trained
    generator. The perceptual loss is on VGG19's relu5_4 (squared, times 0.006, as published) if its file is given, else
    on the project's small feature network.
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
                perceptual_term(vgg19, layer="relu5_4", distance="l2", weight=0.006, small_weight=SMALL_SQUARED),
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
            start_share=0.85,
        ),
        seed=34,
    )
