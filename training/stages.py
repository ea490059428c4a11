"""What a run begins with: weights from a file, or those of a run before it."""

from pathlib import Path

import torch

from app.models import NETWORKS, checkpoint
from app.models.checkpoint import Checkpoint
from training.config import TrainConfig
from training.gopro import pretraining


def starting_weights(path: Path, config: TrainConfig) -> Checkpoint:
    """A checkpoint to begin with. Raises InvalidCheckpoint, and ValueError for weights of another network."""
    start = checkpoint.load(path)
    with torch.device("meta"):  # shapes only
        network = NETWORKS[config.architecture](**config.network)
    wanted, given = ({key: value.shape for key, value in n.state_dict().items()} for n in (network, start.network))
    if start.architecture != config.architecture or wanted != given:
        raise ValueError(f"{path} holds other weights than those of {config.name}")
    return start


def first_stage(
    config: TrainConfig, *, gopro: Path | None, started: bool, minutes: float | None, steps: int | None
) -> TrainConfig | None:
    """The run before this one: on GoPro's frames where their folder is given, else the recipe's own, which weights that
    are given (``started``) take the place of; fitted to the same length. Raises ValueError as `pretraining` does."""
    if gopro:
        return pretraining(config, gopro)
    if config.first and not started:
        return config.first().fitted(minutes=minutes, steps=steps)
    return None
