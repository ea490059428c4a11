"""Runs exported networks with ONNX Runtime on the CPU: an optional engine, whose package only its users install."""

import importlib
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidCheckpoint
from app.pipeline.inference.exported import check_export, damaged

PACKAGE = "onnxruntime"

MACHINE_FILES: Final = tuple(map(Path, ("/sys/bus/pci/devices", "/sys/class/accel", "/sys/class/drm")))
"""Where the package looks for GPUs when it is imported. A process that cannot list them is warned about."""
_LEAST_SEVERE_LOGGED = 3  # errors


def version() -> str:
    """The release that is installed. Raises PackageNotFoundError."""
    return metadata.version(PACKAGE)


def load_package(path: Path) -> Any:
    """The package. Raises InvalidCheckpoint for the exported file ``path`` if it is not installed."""
    try:
        return importlib.import_module(PACKAGE)
    except ImportError as error:
        reason = "it needs the package onnxruntime, which `pip install 'qrestore[onnx]'` brings"
        raise InvalidCheckpoint(path, reason) from error


class OnnxRunner:
    """Runs the network of an exported file, with ``threads`` threads a call.

    ``name`` and ``fingerprint`` are those of the checkpoint that the file must be made from. Raises InvalidCheckpoint
    for a missing, damaged or outdated file, and if the package onnxruntime is not installed.
    """

    def __init__(self, path: Path, name: str, *, fingerprint: str, threads: int = 1) -> None:
        check_export(path, name, fingerprint=fingerprint)
        runtime = load_package(path)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False  # it keeps the memory of the largest picture, and saves no time
        options.log_severity_level = _LEAST_SEVERE_LOGGED
        errors = runtime.capi.onnxruntime_pybind11_state
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except (errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf) as error:
            raise damaged(path, name) from error
        self._inputs = [given.name for given in self._session.get_inputs()]

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        (output,) = self._session.run(None, dict(zip(self._inputs, inputs, strict=True)))
        return np.asarray(output, dtype=np.float32)
