"""Recipes for ADNet's own networks, on aligned crops; see `training.recipes.registry`."""

from dataclasses import replace
from functools import partial

from training.data.crops import aligned_batch
from training.objectives.losses import decoding_loss
from training.run.config import TrainConfig

_STEM = 4  # one position of the networks' first level is one module of the canonical crop
ALIGNED_DATA = {
    "sample": "canonical crop at 4 px a module, rectified as in service from corners off by up to 0.35 module",
    "symbols": "function patterns of versions 1-10 (weight 1 / (version + 4)), fair random bits elsewhere",
    "blur": "modules: motion 6.5 (55 %), shake 4.5 (10), defocus 2 (11), gaussian 1.15 (8), two (6); if coarse 0.4x",
    "resolution": "1.0-2.6 px a module (35 %, coarse), else 2.6-8",
    "sensor": "noise 0.1 u^2.5 (coarse 0.3) for 75 %, JPEG 10-95 for 67 %",
    "light": "contrast, gradients, shadows, glare 20 %, occlusion 20 %, bends of up to 1.2 modules 40 %",
}
"""Describes the aligned crops in checkpoints' provenance."""


def lenet() -> TrainConfig:
    """LENet, the light network, on aligned crops.

    ``python -m training lenet --threads 1``: 97 minutes on one of two virtual cores (AVX2) shared with two other runs,
    3,288 steps. Decodes 79.0 % of qrdata (n = 200, 73-84). The data changed during the shipped run: its first 840 steps
    had motion kernels that were not centred, its first 1,660 a third less motion, fewer bends and more noise. A new run
    has the same mixture throughout.
    """
    batch_size = 16
    return TrainConfig(
        name="lenet",
        architecture="LENet",
        network={"channels": 1, "base": 40, "blocks": (2, 2, 2, 2), "stem": _STEM, "residual_init": 0.1},
        make_batch=partial(aligned_batch, size=batch_size, max_version=10, size_multiple=8 * _STEM),
        loss=decoding_loss,
        data=dict(ALIGNED_DATA),
        minutes=100,
        batch_size=batch_size,
        learning_rate=1.5e-3,
        seed=11,
    )


def lenet_paper() -> TrainConfig:
    """LENet at the paper's size (0.28 M parameters, no stem), on aligned crops.

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


def eg_restormer_small() -> TrainConfig:
    """EG-Restormer in a size that a CPU can train, on aligned crops.

    ``python -m training eg-restormer-small --threads 1``: 98 minutes on one of two virtual cores (AVX2) shared with two
    other runs, 1,674 steps, still improving. Decodes 72.5 % of qrdata (n = 200, 66-78). The data changed during the
    shipped run: its first 480 steps had motion kernels that were not centred, its first 940 an easier mixture of motion
    and bends. A new run has the same mixture throughout.
    """
    batch_size = 12
    return TrainConfig(
        name="eg-restormer-small",
        architecture="EGRestormer",
        network={
            "channels": 1,
            "width": 24,
            "blocks": (1, 2, 2, 3),
            "heads": (1, 2, 4, 8),
            "refinement": 1,
            "stem": _STEM,
        },
        make_batch=partial(aligned_batch, size=batch_size, max_version=10, size_multiple=8 * _STEM),
        loss=decoding_loss,
        data=dict(ALIGNED_DATA),
        minutes=100,
        batch_size=batch_size,
        learning_rate=1e-3,
        seed=12,
    )


def eg_restormer() -> TrainConfig:
    """EG-Restormer at the paper's size (26 M parameters, no stem): needs a GPU.

    ``python -m training eg-restormer --device cuda``, with ``--gopro DIR`` for the paper's first stage. Not trained
    yet. AdamW from 3e-4 to 1e-6 on a cosine, betas 0.9 and 0.999, as published. The paper's growing patches belong to
    the first stage; here a batch holds whole crops of one version. There are no flips: a mirrored symbol is not valid.
    """
    batch_size = 16
    return TrainConfig(
        name="eg-restormer",
        architecture="EGRestormer",
        network={"channels": 1},
        make_batch=partial(aligned_batch, size=batch_size, max_version=10, size_multiple=8),
        loss=decoding_loss,
        data=dict(ALIGNED_DATA),
        minutes=600,
        batch_size=batch_size,
        learning_rate=3e-4,
        final_learning_rate=1e-6,
        betas=(0.9, 0.999),
        seed=13,
    )
