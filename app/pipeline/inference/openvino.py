"""Runs exported networks with OpenVINO on the CPU."""

import ctypes
import importlib
import queue
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidCheckpoint
from app.pipeline.inference.exported import check_export, damaged

PACKAGE: Final = "openvino"
FLOAT32: Final = "f32"
BFLOAT16: Final = "bf16"

_KEPT_PIXELS: Final = 1 << 16  # the memory of larger samples is given back at once: an upscaler's tile takes 150 MB
_KEPT_SHAPES: Final = 256  # compiled operators that each network keeps: 5,000, the default, are 100 MB more, no faster


def version() -> str:
    """The release that is installed. Raises PackageNotFoundError."""
    return metadata.version(PACKAGE)


def has_bfloat16() -> bool:
    """Whether this processor calculates in bfloat16. False also where the package does not work."""
    try:
        return BFLOAT16.upper() in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except (ImportError, RuntimeError):
        return False


def load_package(path: Path) -> Any:
    """OpenVINO's core. Raises InvalidCheckpoint for the exported file ``path`` if the package is not installed."""
    try:
        return core()
    except ImportError as error:
        reason = "it needs the package openvino, which `pip install openvino` brings"
        raise InvalidCheckpoint(path, reason) from error


class OpenVinoRunner:
    """Runs the network of an exported file, ``slots`` calls at once with ``threads`` threads each; further calls wait.

    ``name`` and ``fingerprint`` are those of the checkpoint that the file must be made from. A call runs at most
    ``batch`` samples at once. ``precision`` is the number format, FLOAT32 or BFLOAT16. Raises InvalidCheckpoint for a
    missing, damaged or outdated file, and if the package openvino is not installed.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        fingerprint: str,
        threads: int = 1,
        slots: int = 1,
        batch: int = 1,
        precision: str = FLOAT32,
    ) -> None:
        check_export(path, name, fingerprint=fingerprint)
        self._batch = batch
        options = {
            "INFERENCE_PRECISION_HINT": precision,  # without it the processor's shortest format is taken
            "INFERENCE_NUM_THREADS": threads * slots,
            "NUM_STREAMS": slots,
            "CPU_RUNTIME_CACHE_CAPACITY": _KEPT_SHAPES,
        }
        core = load_package(path)
        try:
            self._model = core.compile_model(str(path), "CPU", options)
        except RuntimeError as error:
            raise damaged(path, name) from error
        self._inputs = len(self._model.inputs)
        self._slots = slots
        self._holds_much = False
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()  # a request serves one thread at a time
        for _ in range(slots):
            self._requests.put(self._model.create_infer_request())

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(inputs) != self._inputs:
            raise ValueError(f"the network takes {self._inputs} inputs, not {len(inputs)}")
        request = self._requests.get()
        try:
            starts = range(0, len(inputs[0]), self._batch)
            parts = [_infer(request, [values[at : at + self._batch] for values in inputs]) for at in starts]
            self._holds_much |= max(inputs[0][0].size, parts[0][0].size) > _KEPT_PIXELS
        finally:
            self._put_back(request)
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _put_back(self, request: Any) -> None:
        """Makes a request free for others; before that, has the network give memory back if it holds much and no call
        runs, without which it cannot."""
        free = [request]
        try:
            while self._holds_much and len(free) < self._slots:
                free.append(self._requests.get_nowait())
            if self._holds_much:
                self._model.release_memory()
                return_memory()
                self._holds_much = False
        except queue.Empty:
            pass  # another call runs; whichever ends last does it
        finally:
            for each in free:
                self._requests.put(each)


def return_memory() -> None:
    """Has the C library give freed memory back to the system, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def _infer(request: Any, inputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    request.infer(inputs, share_inputs=True)
    return np.array(request.get_output_tensor(0).data, dtype=np.float32)


@cache
def core() -> Any:
    """What compiles networks, one for this process. Raises ImportError."""
    return importlib.import_module(PACKAGE).Core()
