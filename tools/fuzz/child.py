"""Runs a target in a process that may crash, hang or take too much memory.

`Child` is the parent's side. The other side, `python -m tools.fuzz.child TARGET`, reads inputs from its standard input
and writes a report on each; both are preceded by four bytes of length.
"""

import json
import os
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.support.paths import ROOT
from tools.fuzz.findings import describe
from tools.fuzz.targets import load

WALL_SECONDS = 20.0
"""An input that takes longer counts as a hang. Generous: a busy machine must not cause findings."""
CPU_SECONDS = 2.0
"""Processor time above which an input counts as too costly; all inputs are small."""
MEMORY_BYTES = 64 << 20
"""Resident memory that one input may add."""
ADDRESS_BYTES = 1 << 30
"""Address space that a child may add to what it starts with."""
LIFETIME_CPU_SECONDS = 1800
"""Ends a child whose parent was killed."""
_FRAME = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an input: a short outcome, a signature of the path that it took, and what is wrong, or None."""

    outcome: str
    signature: str
    finding: str | None


class Child:
    """Runs inputs in a process, which is replaced when it ends or is killed."""

    def __init__(self, target: str, *, wall_seconds: float = WALL_SECONDS) -> None:
        self._target = target
        self._wall = wall_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  closed in __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()
        self._stderr.close()

    def run(self, data: bytes) -> Report:
        """Runs one input. Raises RuntimeError where the process does not start."""
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(_FRAME.pack(len(data)) + data)
            process.stdin.flush()
            answer = self._read(process, self._wall)
        except TimeoutError:
            self._end()
            return Report("hang", "hang", f"no answer within {self._wall:g} s")
        except (BrokenPipeError, EOFError):
            return self._crash(process)
        return Report(**json.loads(answer))

    def _start(self) -> subprocess.Popen[bytes]:
        self._stderr.seek(0)
        self._stderr.truncate()
        speaking = "OPENCV_LOG_LEVEL=WARNING"  # its complaints are a part of signatures
        command = ["env", speaking, sys.executable, "-m", "tools.fuzz.child", self._target]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr
        )
        try:
            self._read(self._process, 120)  # imports may be slow
        except (EOFError, TimeoutError) as exc:
            self._end()
            raise RuntimeError(f"the fuzzing child did not start: {self._said()}") from exc
        return self._process

    def _crash(self, process: subprocess.Popen[bytes]) -> Report:
        code = process.wait(10)
        self._end()
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return Report("crash", f"crash {how}", f"the process ended: {how}. {self._said()}".strip())

    def _said(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "replace")[-400:]

    def _read(self, process: subprocess.Popen[bytes], seconds: float) -> bytes:
        deadline = time.monotonic() + seconds
        (length,) = _FRAME.unpack(self._exactly(process, _FRAME.size, deadline))
        return self._exactly(process, length, deadline)

    @staticmethod
    def _exactly(process: subprocess.Popen[bytes], count: int, deadline: float) -> bytes:
        assert process.stdout is not None
        pipe, parts = process.stdout.fileno(), bytearray()
        while len(parts) < count:
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            part = os.read(pipe, count - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(BrokenPipeError):  # bytes that the process did not read
                    pipe.close()


def main(name: str) -> None:
    """The child's side."""
    target = load(name)
    _limit()
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _write(sink, b"ready")
    while head := source.read(_FRAME.size):
        data = source.read(_FRAME.unpack(head)[0])
        _write(sink, json.dumps(_report(target, data)).encode())


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (LIFETIME_CPU_SECONDS, LIFETIME_CPU_SECONDS))
    if sys.platform == "linux":
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + ADDRESS_BYTES,) * 2)


def _write(sink: IO[bytes], data: bytes) -> None:
    sink.write(_FRAME.pack(len(data)) + data)
    sink.flush()


def _report(target: Any, data: bytes) -> dict[str, str | None]:
    _reset_peak()
    before, began = _peak(), time.process_time()
    finding = None
    try:
        outcome = target(data)
    except Exception as exc:  # noqa: BLE001  any exception of a target is a finding
        outcome, finding = f"raised {type(exc).__name__}", describe(exc)
    spent, grown = time.process_time() - began, _peak() - before
    if finding is None and spent > CPU_SECONDS:
        finding = f"{spent:.1f} s of processor time"
    if finding is None and grown > MEMORY_BYTES:
        finding = f"{grown >> 20} MiB of memory"
    return {"outcome": outcome, "signature": f"{outcome} {_complaints()}", "finding": finding}


def _complaints() -> str:
    """What C libraries wrote to standard error, without numbers: another complaint means another path."""
    said = os.pread(2, 4096, 0)
    if said:
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)
    return re.sub(rb"[^A-Za-z ]+", b"", said)[:200].decode("ascii")


def _reset_peak() -> None:
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Peak resident memory in bytes since the last reset, or since the start where there is no reset."""
    if sys.platform == "linux":
        (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(sys.argv[1])
