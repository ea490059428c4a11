"""Checkpoints as the service has them: each on torch, on the CPU."""

from app.models.checkpoint import Checkpoint
from app.pipeline.inference.module_reader import NetworkModuleReader
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.torch_runner import TorchRunner
from app.pipeline.inference.window_locator import WindowLocator


def restorer_of(checkpoint: Checkpoint) -> NetworkRestorer:
    return NetworkRestorer(checkpoint.card, TorchRunner.of(checkpoint))


def reader_of(checkpoint: Checkpoint) -> NetworkModuleReader:
    return NetworkModuleReader(checkpoint.card, TorchRunner.of(checkpoint))


def locator_of(checkpoint: Checkpoint, **more: object) -> WindowLocator:
    return WindowLocator(checkpoint.card, TorchRunner.of(checkpoint), **more)  # type: ignore[arg-type]
