"""The only reader and writer of weights: safetensors, constructor arguments and provenance in the header.

Nothing is guessed from tensor shapes and nothing is unpickled. A file says which architecture it is for, how to build
it, where the weights come from and what was measured of them; one that does not match is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from app.errors import InvalidCheckpoint
from app.models import NETWORKS

FORMAT = "qrestore-1"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A network with everything known about its weights.

    ``config``: keyword arguments of the architecture's constructor. ``provenance``: recipe, seed, data, training time.
    ``measured``: figures that commands of this project measured of these weights.
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


def with_measured(checkpoint: Checkpoint, figures: Mapping[str, object]) -> Checkpoint:
    """The checkpoint with ``figures`` added to, or in place of, what was measured before."""
    return replace(checkpoint, measured={**checkpoint.measured, **figures})


def save(checkpoint: Checkpoint, path: Path, *, half: bool = False) -> None:
    """Writes a checkpoint, as 16-bit floats if ``half``; the file is replaced in one step."""
    dtype = torch.float16 if half else torch.float32
    tensors = {
        key: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for key, tensor in checkpoint.network.state_dict().items()
    }
    header = {
        "format": FORMAT,
        "architecture": checkpoint.architecture,
        "config": json.dumps(dict(checkpoint.config), sort_keys=True),
        "provenance": json.dumps(dict(checkpoint.provenance), sort_keys=True),
        "measured": json.dumps(dict(checkpoint.measured), sort_keys=True),
    }
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata=header)
    partial.chmod(0o644)  # safetensors writes for the owner alone; a container reads as somebody else
    partial.replace(path)


def load(path: Path) -> Checkpoint:
    """Reads a checkpoint onto the CPU as float32, in evaluation mode, named after its file.

    Raises InvalidCheckpoint, naming the file and the reason, for anything that ``save`` did not write whole.
    """

    def refuse(reason: str) -> InvalidCheckpoint:
        return InvalidCheckpoint(path, reason)

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise refuse("it is not a complete safetensors file") from error
    if header.get("format") != FORMAT:
        raise refuse(f"its header does not say format {FORMAT!r}")
    architecture = header.get("architecture", "")
    if architecture not in NETWORKS:
        raise refuse(f"its architecture {architecture!r} is none of {', '.join(NETWORKS)}")
    try:
        config, provenance, measured = (json.loads(header[key]) for key in ("config", "provenance", "measured"))
        arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
        network = NETWORKS[architecture](**arguments)
        provenance, measured = dict(provenance), dict(measured)
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise refuse("its header does not describe a network that can be built") from error
    expected = network.state_dict()
    missing, unexpected = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if missing or unexpected:
        raise refuse(f"its tensors do not match: missing {missing[:3]}, unexpected {unexpected[:3]}")
    misshapen = [key for key, tensor in expected.items() if tensor.shape != tensors[key].shape]
    if misshapen:
        raise refuse(f"the shape of {misshapen[0]!r} does not match")
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise refuse("it holds values that are not finite")
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    return Checkpoint(
        name=path.name.removesuffix(SUFFIX),
        architecture=architecture,
        network=network,
        config=arguments,
        provenance=provenance,
        measured=measured,
    )
