"""The format of weights files, read without torch: what a file's header says, and a fingerprint of what it holds.

A file is a safetensors file. Its metadata name the format, the architecture, the arguments of its constructor, where
the weights come from, and what was measured with them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from app.errors import InvalidCheckpoint

FORMAT: Final = "qrestore-1"
SUFFIX: Final = ".safetensors"
UNSTATED: Final[Mapping[str, Mapping[str, object]]] = {"EGRestormer": {"edge_source": "normalised"}}
"""By architecture, arguments that files written before these existed do not state, and the values that they had. Later
files state them."""
_LENGTH_BYTES: Final = 8  # of the number, little-endian, with which a safetensors file begins


@dataclass(frozen=True)
class Header:
    """What the header of a checkpoint's file states; the attributes are those of a `Checkpoint`."""

    architecture: str
    config: Mapping[str, object]
    provenance: Mapping[str, object]
    measured: Mapping[str, object]


def name_of(path: Path) -> str:
    """The name under which the checkpoint of this file is served."""
    return path.name.removesuffix(SUFFIX)


def file_of(directory: Path, name: str) -> Path:
    """The file of the checkpoint with this name."""
    return directory / f"{name}{SUFFIX}"


def checkpoint_files(directory: Path) -> list[Path]:
    """The file of every checkpoint of a directory, sorted. Raises InvalidCheckpoint if there is none."""
    paths = sorted(directory.glob(f"*{SUFFIX}"))
    if not paths:
        raise InvalidCheckpoint(directory, f"it holds no *{SUFFIX} file")
    return paths


def parse_header(path: Path, metadata: Mapping[str, str]) -> Header:
    """The header of a file with this safetensors metadata. Raises InvalidCheckpoint if it is none of ours."""
    if metadata.get("format") != FORMAT:
        raise InvalidCheckpoint(path, f"its header does not say format {FORMAT!r}")
    try:
        config, provenance, measured = (dict(json.loads(metadata[key])) for key in ("config", "provenance", "measured"))
    except (LookupError, ValueError, TypeError) as error:
        raise InvalidCheckpoint(path, "its header does not describe a network that can be built") from error
    architecture = metadata.get("architecture", "")
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
    return Header(architecture, {**UNSTATED.get(architecture, {}), **arguments}, provenance, measured)


def read_header(path: Path) -> Header:
    """The header of a checkpoint's file. Raises InvalidCheckpoint."""
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise _incomplete(path) from error
    return parse_header(path, metadata)


def file_fingerprint(path: Path) -> str:
    """The `fingerprint` of a file's network, the same that its `Checkpoint` has. Raises InvalidCheckpoint."""
    header = read_header(path)
    try:
        with safe_open(path, framework="np") as file:
            keys = sorted(file.keys())
            return fingerprint(header.architecture, header.config, ((key, file.get_tensor(key)) for key in keys))
    except (SafetensorError, OSError, TypeError) as error:
        raise _incomplete(path) from error


def fingerprint(
    architecture: str, config: Mapping[str, object], tensors: Iterable[tuple[str, NDArray[np.generic]]]
) -> str:
    """SHA-256 of architecture, configuration and weights, which are hashed as float32 and come sorted by name: of
    everything that determines a network's output. A value of ``UNSTATED`` counts as not stated, so that files from
    before and after have one fingerprint."""
    former = UNSTATED.get(architecture, {})
    stated = {key: value for key, value in config.items() if key not in former or value != former[key]}
    digest = hashlib.sha256(json.dumps([architecture, stated], sort_keys=True).encode())
    for key, values in tensors:
        digest.update(key.encode())
        exact = values.astype(np.float32) if np.issubdtype(values.dtype, np.floating) else values
        digest.update(exact.tobytes())
    return digest.hexdigest()


def data_start(path: Path) -> int:
    """Where the first tensor of a safetensors file begins, in bytes from its start. A longer header moves it."""
    with path.open("rb") as file:
        return _LENGTH_BYTES + int.from_bytes(file.read(_LENGTH_BYTES), "little")


def _incomplete(path: Path) -> InvalidCheckpoint:
    return InvalidCheckpoint(path, "it is not a complete safetensors file")
