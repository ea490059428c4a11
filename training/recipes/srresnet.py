"""Recipes for SRResNet (Ledig et al., CVPR 2017), which upscales by four."""

from dataclasses import replace
from functools import partial

from training.data.crops import upscaling_batch
from training.data.pairs import WHOLE_CODES, whole_codes
from training.objectives.losses import mean_squared_loss, pixel_loss
from training.run.config import TrainConfig


def srresnet_l1() -> TrainConfig:
    """Trains SRResNet of 8 blocks with an L1 loss, x4 on whole codes; for comparison with srresnet-mse.

    ``python -m training srresnet-l1``: 30 minutes on two cores are about 19,000 samples (0.19 s of CPU time each). Adam
    on a cosine; ends early after 8 consecutive validations, one every 100 steps, without improvement.
    """
    batch_size = 8
    return TrainConfig(
        name="srresnet-l1",
        architecture="SRResNet",
        network={"channels": 1, "width": 32, "blocks": 8},
        make_batch=whole_codes(batch_size),
        loss=pixel_loss,
        data=dict(WHOLE_CODES),
        minutes=30,
        batch_size=batch_size,
        learning_rate=1e-3,
        weight_decay=0.0,
        warmup_steps=50,
        patience=8,
        validate_every=100,
        seed=33,
    )


def srresnet_mse() -> TrainConfig:
    """Trains SRResNet with an MSE loss, otherwise the same as srresnet-l1, on the same batches.

    ``python -m training srresnet-mse``.
    """
    return replace(srresnet_l1(), name="srresnet-mse", loss=mean_squared_loss)


def srresnet() -> TrainConfig:
    """Trains SRResNet x4 on low-resolution patches of any rotation.

    ``python -m training srresnet-x4 --threads 1``: 30 minutes on one of two virtual cores (AVX2) shared with two other
    runs, 471 steps. The engines read 96 % of noise64 from its output (n = 100, 90-98); zxing-cpp alone reads 32 %.
    """
    batch_size = 16
    return TrainConfig(
        name="srresnet-x4",
        architecture="SRResNet",
        network={"channels": 1, "width": 24, "blocks": 8},
        make_batch=partial(upscaling_batch, size=batch_size, patch=40),
        loss=pixel_loss,
        data={
            "sample": "40 px patches at 1-3.2 px a module, any turn (40 %) or a multiple of 90 degrees",
            "symbols": "function patterns of versions 1-8, fair random bits elsewhere",
            "degradation": "gaussian 0.2-0.8 modules (50 %), noise 0.25 u^2, JPEG 10-95 (50 %), contrast",
        },
        minutes=32,
        batch_size=batch_size,
        learning_rate=1e-3,
        seed=14,
    )
