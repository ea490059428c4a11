"""Reads and writes weights, the only module that does: safetensors files with constructor arguments and provenance in
the header.

The reader guesses nothing from tensor shapes and unpickles nothing. A file states its architecture, how to build it,
where the weights come from, and what was measured with them; a file that does not match its network is refused.
"""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from app.errors import InvalidCheckpoint
from app.models import header
from app.models.contract import Card, Kind
from app.models.header import FORMAT, SUFFIX, UNSTATED, checkpoint_files, name_of, parse_header
from app.models.registry import NETWORKS

__all__ = ["FORMAT", "SUFFIX", "Checkpoint", "add_measured", "fingerprint", "load", "load_checkpoints", "save"]


@dataclass(frozen=True)
class Checkpoint:
    """A network and everything known about its weights.

    ``config``: keyword arguments of the architecture's constructor. ``provenance``: recipe, seed, data, training time.
    ``measured``: figures that commands of this project measured with these weights.
    """

    name: str
    architecture: str
    network: nn.Module
    config: Mapping[str, object]
    provenance: Mapping[str, object] = field(default_factory=dict)
    measured: Mapping[str, object] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """Number of learned values."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @cached_property
    def card(self) -> Card:
        """Everything but the weights. Raises TypeError if the network breaks the contract."""
        kind, scale, multiple = (_contract_value(self.network, name) for name in ("kind", "scale", "size_multiple"))
        if not isinstance(kind, Kind):
            raise TypeError(f"{type(self.network).__name__}.kind is no Kind")
        if not (isinstance(scale, int) and isinstance(multiple, int) and min(scale, multiple) >= 1):
            raise TypeError(f"{type(self.network).__name__}.scale and .size_multiple must be whole numbers from 1")
        return Card(
            name=self.name,
            architecture=self.architecture,
            kind=kind,
            scale=scale,
            size_multiple=multiple,
            parameters=self.parameters,
            config=dict(self.config),
            provenance=dict(self.provenance),
            measured=dict(self.measured),
        )


def _contract_value(network: nn.Module, name: str) -> object:
    """An attribute that every network in service has; see `app.models.contract.Card`. Raises TypeError if absent."""
    value: object = getattr(network, name, None)
    if value is None:
        raise TypeError(f"{type(network).__name__} has no attribute {name!r}")
    return value


def add_measured(checkpoint: Checkpoint, figures: Mapping[str, object]) -> Checkpoint:
    """Returns a checkpoint with ``figures`` added to the measured ones; equal keys are replaced."""
    return replace(checkpoint, measured={**checkpoint.measured, **figures})


def fingerprint(checkpoint: Checkpoint) -> str:
    """SHA-256 of architecture, configuration and float32 weights: everything that determines the network's output.
    `app.models.header.file_fingerprint` computes the same from the file."""
    tensors = sorted(checkpoint.network.state_dict().items())
    arrays = ((key, tensor.cpu().numpy()) for key, tensor in tensors)
    return header.fingerprint(checkpoint.architecture, _stated(checkpoint), arrays)


def _stated(checkpoint: Checkpoint) -> dict[str, object]:
    """The configuration that a file states: the checkpoint's, with the constructor's default of each argument that
    earlier files leave out (``UNSTATED``), so that no reader takes it for that of an earlier file."""
    if checkpoint.architecture not in UNSTATED:
        return dict(checkpoint.config)
    parameters = inspect.signature(NETWORKS[checkpoint.architecture]).parameters
    return {key: parameters[key].default for key in UNSTATED[checkpoint.architecture]} | dict(checkpoint.config)


def save(checkpoint: Checkpoint, path: Path, *, half: bool = False) -> None:
    """Writes a checkpoint, with ``half`` as 16-bit floats. Replaces an existing file atomically."""
    dtype = torch.float16 if half else torch.float32
    tensors = {
        key: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for key, tensor in checkpoint.network.state_dict().items()
    }
    metadata = {
        "format": FORMAT,
        "architecture": checkpoint.architecture,
        "config": json.dumps(_stated(checkpoint), sort_keys=True),
        "provenance": json.dumps(dict(checkpoint.provenance), sort_keys=True),
        "measured": json.dumps(dict(checkpoint.measured), sort_keys=True),
    }
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata=metadata)
    partial.chmod(0o644)  # safetensors lets only the owner read; a container reads as another user
    partial.replace(path)


def load(path: Path) -> Checkpoint:
    """Reads a checkpoint onto the CPU as float32, in evaluation mode, named after its file.

    Raises InvalidCheckpoint, with the file and the reason, for anything that ``save`` did not write completely, and for
    networks that break the contract of `app.models.contract`.
    """

    def refuse(reason: str) -> InvalidCheckpoint:
        return InvalidCheckpoint(path, reason)

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise refuse("it is not a complete safetensors file") from error
    stated = parse_header(path, metadata)
    if stated.architecture not in NETWORKS:
        raise refuse(f"its architecture {stated.architecture!r} is none of {', '.join(NETWORKS)}")
    try:
        network = NETWORKS[stated.architecture](**stated.config)
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise refuse("its header does not describe a network that can be built") from error
    if mismatch := _mismatch(network.state_dict(), tensors):
        raise refuse(mismatch)
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    loaded = Checkpoint(
        name=name_of(path),
        architecture=stated.architecture,
        network=network,
        config=stated.config,
        provenance=stated.provenance,
        measured=stated.measured,
    )
    try:
        _ = loaded.card
    except TypeError as error:
        raise refuse(f"its network breaks the contract: {error}") from error
    return loaded


def _mismatch(expected: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor]) -> str:
    """Why these tensors are not the weights of a network; empty if they are."""
    missing, unexpected = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if missing or unexpected:
        return f"its tensors do not match: missing {missing[:3]}, unexpected {unexpected[:3]}"
    misshapen = [key for key, tensor in expected.items() if tensor.shape != tensors[key].shape]
    if misshapen:
        return f"the shape of {misshapen[0]!r} does not match"
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        return "it holds values that are not finite"
    return ""


def load_checkpoints(directory: Path) -> dict[str, Checkpoint]:
    """Loads every checkpoint of a directory, by name. Raises InvalidCheckpoint for a bad one, and if there is none."""
    return {each.name: each for each in map(load, checkpoint_files(directory))}
