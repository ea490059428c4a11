"""What runs networks; runners that measure others; and batching: runs the calls of several threads together.

On a GPU a batch of eight takes little longer than one picture; on a CPU it takes as long as eight, so that batching
only adds waiting.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

_STOP: Final = None
_IDLE_SECONDS: Final = 0.5


class Backend(StrEnum):
    """What runs the networks: torch on a device, or OpenVINO or ONNX Runtime on the CPU, with "onnx-int8" from 8-bit
    files if they exist. "auto" is torch on a GPU that can be used, else the fastest engine for the CPU that is
    installed."""

    AUTO = "auto"
    TORCH = "torch"
    OPENVINO = "openvino"
    ONNX = "onnx"
    ONNX_INT8 = "onnx-int8"


class Runner(Protocol):
    """Runs a network: takes its inputs in the order of its ``forward``, returns its output; float32, batch first.

    Several threads may call it at once.
    """

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]: ...


class LazyRunner:
    """A runner that ``make`` makes at its first call."""

    def __init__(self, make: Callable[[], Runner]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._runner: Runner | None = None

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._lock:
            if self._runner is None:
                self._runner = self._make()
        return self._runner(*inputs)


class RemoteRunner:
    """A runner of a child process: has the parent run the named network."""

    def __init__(self, infer: Callable[[str, tuple[NDArray[np.float32], ...]], NDArray[np.float32]], name: str) -> None:
        self._infer = infer
        self._name = name

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._infer(self._name, inputs)


class MeteredRunner:
    """A runner whose runs are counted and timed: calls ``record`` with the samples and the seconds of each."""

    def __init__(self, runner: Runner, record: Callable[[int, float], None]) -> None:
        self._runner = runner
        self._record = record

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        began = time.perf_counter()
        output = self._runner(*inputs)
        self._record(len(inputs[0]), time.perf_counter() - began)
        return output


@dataclass(eq=False)
class _Call:
    """The call of one thread: inputs, batch first, and, once ``done``, the output or the error raised."""

    inputs: tuple[NDArray[np.float32], ...]
    done: threading.Event = field(default_factory=threading.Event)
    output: NDArray[np.float32] | None = None
    error: BaseException | None = None

    @property
    def samples(self) -> int:
        return len(self.inputs[0])

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of one sample: only calls of equal shapes share a batch."""
        return tuple(array.shape[1:] for array in self.inputs)


class BatchingRunner:
    """Runs a network for several threads, at most ``most`` samples at once, in the order of their calls.

    The first call of a batch waits at most ``wait`` seconds for others of its shapes. A call of other shapes closes the
    batch and starts the next one, so that no call overtakes another. A call of more than ``most`` samples runs alone.
    """

    def __init__(self, runner: Runner, *, most: int, wait: float) -> None:
        self._runner = runner
        self._most = most
        self._wait = wait
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._next: deque[_Call] = deque()
        self._thread = threading.Thread(target=self._run, name="batching", daemon=True)
        self._thread.start()

    def __call__(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's output for these inputs. Raises what the network raised for the batch, and RuntimeError if the
        thread that runs batches has ended."""
        call = _Call(inputs)
        self._calls.put(call)
        while not call.done.wait(_IDLE_SECONDS):
            if not self.is_alive():
                raise RuntimeError("the thread that runs batches has ended")
        if call.error is not None:
            raise call.error
        if call.output is None:
            raise RuntimeError("a batch gave no output")
        return call.output

    def is_alive(self) -> bool:
        """Whether the thread that runs batches is alive."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Ends the thread after it has answered all earlier calls."""
        self._calls.put(_STOP)
        self._thread.join()

    def _run(self) -> None:
        while batch := self._collect():
            try:
                self._answer(batch)
            except Exception as error:  # noqa: BLE001 - raised again in the threads that called
                for call in batch:
                    call.error = error
            for call in batch:
                call.done.set()

    def _collect(self) -> list[_Call]:
        """The next batch; empty after `close`."""
        first = self._next.popleft() if self._next else self._calls.get()
        if first is _STOP:
            return []
        batch, samples = [first], first.samples
        until = time.monotonic() + self._wait
        while samples < self._most:
            try:
                call = self._calls.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if call is _STOP:
                self._calls.put(_STOP)
                break
            if call.shapes != first.shapes or samples + call.samples > self._most:
                self._next.append(call)
                break
            batch.append(call)
            samples += call.samples
        return batch

    def _answer(self, batch: list[_Call]) -> None:
        columns: Any = zip(*(call.inputs for call in batch), strict=True)
        output = self._runner(*(np.concatenate(column) for column in columns))
        at = 0
        for call in batch:
            call.output = output[at : at + call.samples]
            at += call.samples
