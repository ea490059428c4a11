"""The state of a run, from which it resumes without a difference, in one safetensors file.

Tensors are named ``PART.KEY``; the header holds text. Every run has the parts ``network``, ``average`` and
``optimizer``; an adversarial run also ``discriminator`` and ``discriminator_optimizer``; a run that stops early also
``best``.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from app.models import checkpoint
from app.models.checkpoint import Checkpoint
from app.models.eg_restormer import EdgeSource, forget_guidance
from training.run.config import TrainConfig

Parts = dict[str, dict[str, Tensor]]
"""Tensors by part and key."""


def write_state(path: Path, parts: Mapping[str, Mapping[str, Tensor]], header: Mapping[str, str]) -> None:
    """Replaces the file of a run's state atomically: a process killed meanwhile leaves the previous file."""
    tensors = {
        f"{part}.{key}": value.detach().cpu().contiguous().clone()
        for part, values in parts.items()
        for key, value in values.items()
    }
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata=dict(header))
    partial.replace(path)


def read_state(path: Path) -> tuple[Parts, dict[str, str]]:
    """The parts of a run's state in the file, on the CPU, and its header."""
    parts: Parts = {}
    with safe_open(path, framework="pt") as file:
        header = dict(file.metadata())
        for name in file.keys():  # noqa: SIM118 - not a mapping
            part, key = name.split(".", 1)
            parts.setdefault(part, {})[key] = file.get_tensor(name)
    return parts, header


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's part of a run's state: its tensors for each parameter, by ``INDEX.KEY``."""
    return {
        f"{index}.{key}": torch.as_tensor(value)
        for index, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restores an optimizer from a run's state: loads tensors as `optimizer_state` returns them."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def starting_weights(path: Path, config: TrainConfig) -> Checkpoint:
    """Loads the checkpoint whose weights a new run starts from.

    Edge guidance that was trained on other edges than the run's (``edge_source``) starts neutral.

    Raises InvalidCheckpoint, and ValueError for weights of another network.
    """
    start = checkpoint.load(path)
    networks = (config.network_without_weights(), start.network)
    wanted, given = ({key: value.shape for key, value in network.state_dict().items()} for network in networks)
    if start.architecture != config.architecture or wanted != given:
        raise ValueError(f"{path} holds weights of another network than that of {config.name}")
    if start.config.get("edge_source") != config.network.get("edge_source", EdgeSource.INPUT):
        forget_guidance(start.network)
    return start
