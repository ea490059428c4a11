"""Recipes for NAFNet (Chen et al., ECCV 2022)."""

from dataclasses import replace
from functools import partial

from training.data.crops import aligned_batch
from training.recipes.restormer import eg_restormer, eg_restormer_small
from training.run.config import TrainConfig


def nafnet_small() -> TrainConfig:
    """Trains NAFNet in a size that a CPU can train, on aligned crops.

    ``python -m training nafnet-small``: 30 minutes on two cores are about 50,000 samples (0.06 s of CPU time each).
    Most blocks are in the last encoder level, as in the paper.
    """
    plain = eg_restormer_small()
    return replace(
        plain,
        name="nafnet-small",
        architecture="NAFNet",
        network={
            "channels": 1,
            "width": 32,
            "encoder_blocks": (1, 1, 12),
            "middle_blocks": 1,
            "decoder_blocks": (1, 1, 1),
            "stem": plain.network["stem"],
            "residual_init": 0.1,
        },
    )


def nafnet_32() -> TrainConfig:
    """Trains NAFNet-32 at the paper's size (17 M parameters, no stem): needs a GPU.

    ``python -m training nafnet-32 --device cuda``. Not trained yet. Learning rate, betas and weight decay are the
    paper's for GoPro.
    """
    plain = eg_restormer()
    return replace(
        plain,
        name="nafnet-32",
        architecture="NAFNet",
        network={"channels": 1},
        make_batch=partial(aligned_batch, size=plain.batch_size, max_version=10, size_multiple=16),
        learning_rate=1e-3,
        betas=(0.9, 0.9),
        weight_decay=0.0,
    )
