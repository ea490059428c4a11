"""Recipes for LENet, ADNet's light network (Li et al., arXiv 2510.12098)."""

from dataclasses import replace
from functools import partial

from training.data.crops import ALIGNED_DATA, aligned_batch
from training.objectives.losses import decoding_loss
from training.run.config import TrainConfig

STEM = 4  # one position of the networks' first level is one module of the canonical crop


def lenet() -> TrainConfig:
    """Trains LENet, the light network, on aligned crops.

    ``python -m training lenet --threads 1``: 97 minutes on one of two virtual cores (AVX2) shared with two other runs,
    3,288 steps. The data changed during the shipped run: its first 840 steps
    had motion kernels that were not centred, its first 1,660 a third less motion, fewer bends and more noise. A new run
    has the same mixture throughout.
    """
    batch_size = 16
    return TrainConfig(
        name="lenet",
        architecture="LENet",
        network={"channels": 1, "base": 40, "blocks": (2, 2, 2, 2), "stem": STEM, "residual_init": 0.1},
        make_batch=partial(aligned_batch, size=batch_size, max_version=10, size_multiple=8 * STEM),
        loss=decoding_loss,
        data=dict(ALIGNED_DATA),
        minutes=100,
        batch_size=batch_size,
        learning_rate=1.5e-3,
        seed=11,
    )


def lenet_paper() -> TrainConfig:
    """Trains LENet at the paper's size (0.28 M parameters, no stem), on aligned crops.

    ``python -m training lenet-paper``. Not trained yet. Its depthwise convolutions run at full resolution, so a step
    takes about five times as long on a CPU as a step of lenet, which has seven times the parameters.
    """
    plain = lenet()
    return replace(
        plain,
        name="lenet-paper",
        network={"channels": 1, "base": 16, "residual_init": 0.1},
        make_batch=partial(aligned_batch, size=plain.batch_size, max_version=10, size_multiple=8),
        seed=15,
    )
