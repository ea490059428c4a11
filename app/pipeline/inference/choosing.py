"""Chooses what runs the networks: torch where a GPU is, else the engine for the CPU that runs a network fastest."""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidConfiguration
from app.pipeline.inference import onnx, openvino
from app.pipeline.inference.openvino import BFLOAT16, FLOAT32
from app.pipeline.inference.runners import Backend, Runner

_GPU_NODES: Final = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
_WORTHWHILE: Final = 0.9  # of another engine's time: what is hardly faster is not worth its inexactness
_TURNS: Final = 3


@dataclass(frozen=True)
class Engine:
    """What runs networks, and in which number format networks of dense convolutions."""

    backend: Backend
    dense: str = FLOAT32

    def __str__(self) -> str:
        """The engine with its release, for people."""
        match self.backend:
            case Backend.OPENVINO:
                dense = f" ({BFLOAT16} for reader and locator)" if self.dense == BFLOAT16 else ""
                return f"openvino {openvino.version()}, {FLOAT32}{dense}"
            case Backend.ONNX | Backend.ONNX_INT8:
                return f"onnxruntime {onnx.version()}, {'int8' if self.backend is Backend.ONNX_INT8 else FLOAT32}"
            case _:
                return f"torch {torch().__version__}"


def choose_backend(device: str) -> tuple[tuple[Backend, ...], str]:
    """The backends that may be fastest for a setting of the device, and the device that they run on. Where nothing is
    measured the first is best.

    Raises InvalidConfiguration where a GPU is asked for, but torch is not installed.
    """
    if device != "cpu" and _may_have_gpu(device):
        if is_installed(Backend.TORCH):
            picked = pick_device(device)
            if picked != "cpu":
                return (Backend.TORCH,), picked
        elif device != "auto":
            raise InvalidConfiguration(f"The device {device} needs torch: pip install 'qrestore[gpu]'.")
    exported = tuple(each for each in (Backend.OPENVINO, Backend.ONNX) if is_installed(each))
    return exported or ((Backend.TORCH,) if is_installed(Backend.TORCH) else (Backend.OPENVINO,)), "cpu"


def pick_device(preference: str) -> str:
    """The torch device to load networks onto: ``preference`` itself or, for "auto", CUDA, else MPS, else the CPU."""
    if preference != "auto":
        return preference
    if torch().cuda.is_available():
        return "cuda"
    return "mps" if torch().backends.mps.is_available() else "cpu"


def is_installed(backend: Backend) -> bool:
    """Whether the package of a backend is installed. Imports nothing."""
    packages = {Backend.TORCH: "torch", Backend.OPENVINO: openvino.PACKAGE}
    name = packages.get(backend, onnx.PACKAGE)
    if name in sys.modules:
        return sys.modules[name] is not None
    return find_spec(name) is not None


def candidates(backends: tuple[Backend, ...]) -> list[Engine]:
    """The engines to choose from, the most exact first."""
    found = [Engine(backend) for backend in backends]
    if Backend.OPENVINO in backends and openvino.has_bfloat16():
        found.append(Engine(Backend.OPENVINO, BFLOAT16))
    return found


def probe(runners: Mapping[Engine, Runner], picture: NDArray[np.float32]) -> dict[Engine, float]:
    """Least milliseconds of processors that each engine takes to run a network on a picture, after a first run.

    Other work on the machine hardly lengthens them: where it took both processors, two of five probes by the clock
    chose an engine that takes twice as long.
    """
    taken: dict[Engine, list[float]] = {engine: [] for engine in runners}
    for _ in range(1 + _TURNS):
        for engine, run in runners.items():
            began = process_time()
            run(picture)
            taken[engine].append(1000 * (process_time() - began))
    return {engine: min(times[1:]) for engine, times in taken.items()}


def fastest(taken: Mapping[Engine, float]) -> Engine:
    """The first engine of a probe that no later one beats by more than a tenth."""
    chosen, *others = taken
    for other in others:
        if taken[other] < _WORTHWHILE * taken[chosen]:
            chosen = other
    return chosen


def torch() -> Any:
    """The module torch, which is imported only where it runs networks. Raises ImportError."""
    return importlib.import_module("torch")


def _may_have_gpu(device: str) -> bool:
    """Whether torch, whose import takes seconds, is worth asking."""
    return device != "auto" or sys.platform == "darwin" or any(map(Path.exists, _GPU_NODES))
