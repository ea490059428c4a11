"""Loads the checkpoints of a weights folder and runs each network once."""

from pathlib import Path

import torch

from app.errors import InvalidCheckpoint
from app.models import checkpoint
from app.models.checkpoint import fingerprint, load_checkpoints
from app.models.contract import Card
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.onnx import OnnxRunner, exported_file
from app.pipeline.inference.runners import Backend, Runner
from app.pipeline.inference.torch_runner import TorchRunner


def load_networks(directory: Path, device: str, *, backend: Backend = Backend.TORCH) -> Networks:
    """Loads every checkpoint of a directory onto a device and runs each network once, so that no request pays for lazy
    initialisation.

    With another backend than torch, networks run on the CPU from the exported files beside the checkpoints, with as
    many threads as torch has. Raises InvalidCheckpoint for a bad checkpoint, a missing export, or an empty directory.
    """
    checkpoints = load_checkpoints(directory)

    def runner(card: Card) -> Runner:
        if backend is Backend.TORCH:
            return TorchRunner.of(checkpoints[card.name], device=device)
        file = exported_file(directory, card.name, int8=backend is Backend.ONNX_INT8)
        expected = fingerprint(checkpoints[card.name])
        return OnnxRunner(file, card.name, fingerprint=expected, threads=torch.get_num_threads())

    networks = Networks.of((each.card for each in checkpoints.values()), runner)
    for network in networks.every:
        try:
            network.warm_up()
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            path = directory / f"{network.card.name}{checkpoint.SUFFIX}"
            reason = str(error).partition("\n")[0]
            raise InvalidCheckpoint(path, f"its network breaks the contract: {reason}") from error
    return networks


def pick_device(preference: str) -> str:
    """The torch device to load networks onto: ``preference`` itself or, for "auto", CUDA, else MPS, else the CPU."""
    if preference != "auto":
        return preference
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
