"""Recipe for AdvancedSimpleQR, a student project's network that upscales by four."""

from training.data.pairs import WHOLE_CODES, whole_codes
from training.objectives.losses import mean_squared_loss
from training.run.config import TrainConfig


def advanced_simple_qr() -> TrainConfig:
    """Trains AdvancedSimpleQR, a student project's residual CNN, x4 on whole codes by MSE alone.

    ``python -m training advanced-simple-qr``: 30 minutes on two cores are about 23,000 samples (0.16 s of CPU time
    each). Eight blocks of width 32, as in papergen. The project's degradation is unknown; this is PaperGen's.
    """
    batch_size = 8
    return TrainConfig(
        name="advanced-simple-qr",
        architecture="AdvancedSimpleQR",
        network={"channels": 1, "width": 32, "groups": 4, "blocks": 2, "bicubic_skip": True},
        make_batch=whole_codes(batch_size),
        loss=mean_squared_loss,
        data=dict(WHOLE_CODES),
        minutes=30,
        batch_size=batch_size,
        learning_rate=1e-3,
        weight_decay=0.0,
        warmup_steps=50,
        seed=32,
    )
