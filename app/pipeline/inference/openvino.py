"""Runs exported networks with OpenVINO on the CPU."""

import contextlib
import ctypes
import importlib
import queue
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidCheckpoint
from app.models.header import file_of
from app.pipeline.inference.exported import START_KEY, check_export, damaged, statements

PACKAGE: Final = "openvino"
FLOAT32: Final = "f32"
BFLOAT16: Final = "bf16"

MACHINE_FILES: Final = tuple(
    map(Path, ("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/sys/devices/system/node"))
)
"""What the package reads of the machine. A process that cannot hangs when it loads a network."""

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

    ``name`` and ``fingerprint`` are those of the checkpoint that the file must be made from. A call spreads its samples
    evenly over the slots that are free, at most ``batch`` at once in each. ``precision`` is the number format, FLOAT32
    or BFLOAT16. Raises InvalidCheckpoint for a missing, damaged or outdated file, for links of whose ends one is not
    beside the other, and if the package openvino is not installed.
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
            "ENABLE_CPU_PINNING": False,  # every process would pin its first thread to the same processor
        }
        core, file = load_package(path), _at_end_of_links(path, name)
        try:
            self._model = core.compile_model(str(file), "CPU", options)
        except RuntimeError as error:
            raise damaged(path, name) from error
        self._inputs = len(self._model.inputs)
        self._slots = slots
        self._holds_much = False
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()  # a request serves one thread at a time
        for _ in range(slots):
            self._requests.put(self._model.create_infer_request())

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The output (N, ...) for inputs (N, ...). Raises ValueError unless there are as many as the network takes."""
        if len(inputs) != self._inputs:
            raise ValueError(f"the network takes {self._inputs} inputs, not {len(inputs)}")
        samples = len(inputs[0])
        requests = self._take(samples)
        try:
            parts: list[NDArray[np.float32]] = []
            size = min(self._batch, -(-samples // len(requests)))  # so that no slot is idle while another has several
            starts = range(0, samples, size)
            for first in range(0, len(starts), len(requests)):
                batches = ([values[at : at + size] for values in inputs] for at in starts[first:])
                parts += _infer_together(requests, batches)
            self._holds_much |= max(inputs[0][0].size, parts[0][0].size) > _KEPT_PIXELS
        finally:
            self._put_back(requests)
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _take(self, most: int) -> list[Any]:
        """A request as soon as one is free, and up to ``most`` if others are free as well."""
        requests = [self._requests.get()]
        with contextlib.suppress(queue.Empty):
            while len(requests) < most:
                requests.append(self._requests.get_nowait())
        return requests

    def _put_back(self, requests: list[Any]) -> None:
        """Makes requests free for others; before that, has the network give memory back if it holds much and no call
        runs, without which it cannot."""
        free = list(requests)
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


def _at_end_of_links(path: Path, name: str) -> Path:
    """The exported file ``path``, or what it leads to: OpenVINO takes its weights from no file outside its folder.

    Raises InvalidCheckpoint if the weights are beside neither.
    """
    weights, file = file_of(path.parent, name), path.resolve()
    end = weights.resolve()
    if end.parent == path.parent.resolve() or START_KEY not in statements(path, name):
        return path
    if end == file.parent / weights.name:
        return file
    reason = f"OpenVINO does not follow the link {weights.name}; copy both files, or set QRESTORE_BACKEND=onnx"
    raise InvalidCheckpoint(path, reason)


def return_memory() -> None:
    """Has the C library give freed memory back to the system, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def _infer_together(requests: list[Any], batches: Iterable[list[NDArray[np.float32]]]) -> Iterator[NDArray[np.float32]]:
    """The outputs of the first batches, one for each request, which run at the same time."""
    pairs = list(zip(requests, batches, strict=False))
    for request, batch in pairs:
        request.start_async(batch, share_inputs=True)
    for request, _ in pairs:
        request.wait()
    for request, _ in pairs:
        yield np.array(request.get_output_tensor(0).data, dtype=np.float32)


@cache
def core() -> Any:
    """OpenVINO's core, which compiles networks; one for this process. Raises ImportError."""
    return importlib.import_module(PACKAGE).Core()
