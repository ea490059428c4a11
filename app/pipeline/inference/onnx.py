"""Runs exported networks with ONNX Runtime on the CPU: an optional backend, whose package only its users install."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidCheckpoint

SUFFIX = ".onnx"
INT8_SUFFIX = ".int8.onnx"
FINGERPRINT_KEY = "fingerprint"
"""Key in the metadata of an exported file: the fingerprint of the checkpoint that it was made from."""
_LEAST_SEVERE_LOGGED = 3  # errors


def exported_file(folder: Path, name: str, *, int8: bool = False) -> Path:
    """Path of the ONNX file that a checkpoint was exported to; with ``int8``, of the 8-bit one if it exists."""
    quantised = folder / f"{name}{INT8_SUFFIX}"
    return quantised if int8 and quantised.exists() else folder / f"{name}{SUFFIX}"


class OnnxRunner:
    """Runs the network of an exported file, with ``threads`` threads a call.

    ``name`` and ``fingerprint`` are those of the checkpoint that the file must be made from. Raises InvalidCheckpoint
    for a missing, damaged or outdated file, and if the package onnxruntime is not installed.
    """

    def __init__(self, path: Path, name: str, *, fingerprint: str, threads: int = 1) -> None:
        export = f"make it with `python -m training.release.export {name} --weights {path.parent} --out {path.parent}`"
        if not path.is_file():
            raise InvalidCheckpoint(path, f"it does not exist; {export}")
        runtime = _runtime(path)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False  # it keeps the memory of the largest picture, and saves no time
        options.log_severity_level = _LEAST_SEVERE_LOGGED
        errors = runtime.capi.onnxruntime_pybind11_state
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except (errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf) as error:
            raise InvalidCheckpoint(path, f"it is not a complete ONNX file; {export}") from error
        if self._session.get_modelmeta().custom_metadata_map.get(FINGERPRINT_KEY) != fingerprint:
            raise InvalidCheckpoint(path, f"it was made from other weights than {name}'s; {export}")
        self._inputs = [given.name for given in self._session.get_inputs()]

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        (output,) = self._session.run(None, dict(zip(self._inputs, inputs, strict=True)))
        return np.asarray(output, dtype=np.float32)


def _runtime(path: Path) -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        reason = "it needs the package onnxruntime, which `pip install 'qrestore[onnx]'` brings"
        raise InvalidCheckpoint(path, reason) from error
