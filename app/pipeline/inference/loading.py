"""Loads what a weights folder holds and runs each network once."""

from pathlib import Path

import torch

from app.errors import InvalidCheckpoint
from app.models import checkpoint
from app.models.checkpoint import Checkpoint, fingerprint
from app.models.contract import Card
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.onnx import OnnxRunner, exported_file
from app.pipeline.inference.runners import Backend, Runner
from app.pipeline.inference.torch_runner import TorchRunner


def load_networks(directory: Path, device: str, *, backend: Backend = Backend.TORCH) -> Networks:
    """Every checkpoint of a directory on the device, each having run once, so that no request pays for that.

    With another backend than torch they run on the CPU with as many threads as torch has, each from the exported file
    beside its checkpoint. Raises InvalidCheckpoint for a bad one, an absent export, and where there is none.
    """
    checkpoints = load_checkpoints(directory)

    def runner(card: Card) -> Runner:
        if backend is Backend.TORCH:
            return TorchRunner.of(checkpoints[card.name], device=device)
        file = exported_file(directory, card.name, int8=backend is Backend.ONNX_INT8)
        wanted = fingerprint(checkpoints[card.name])
        return OnnxRunner(file, card.name, fingerprint=wanted, threads=torch.get_num_threads())

    networks = Networks.of((each.card for each in checkpoints.values()), runner)
    for network in networks.every:
        try:
            network.warm_up()
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            path = directory / f"{network.card.name}{checkpoint.SUFFIX}"
            reason = str(error).partition("\n")[0]
            raise InvalidCheckpoint(path, f"its network breaks the contract: {reason}") from error
    return networks


def load_checkpoints(directory: Path) -> dict[str, Checkpoint]:
    """Every checkpoint of a directory by name. Raises InvalidCheckpoint for a bad one and where there is none."""
    paths = sorted(directory.glob(f"*{checkpoint.SUFFIX}"))
    if not paths:
        raise InvalidCheckpoint(directory, f"it holds no *{checkpoint.SUFFIX} file")
    return {each.name: each for each in map(checkpoint.load, paths)}
