"""What a process gives up before it decodes untrusted bytes: memory, files, sockets, programs.

Every restriction applies to the calling process and its children and cannot be undone. Where the kernel lacks one of
the means, the others still apply.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from app.workers.landlock import allow_reading_only, forbid_new_privileges

T = TypeVar("T")

_NICE: Final = 5  # lets the server's own threads go first: they must answer within milliseconds

_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/dev/urandom")
"""What imports and codecs may still need, apart from Python's own folders."""
_ANY_FILE: Final = "/etc/passwd"
"""Stands for every file that a decoder has no reason to read."""

_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2

# linux/bpf_common.h, linux/filter.h and linux/seccomp.h
_LOAD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_AT_CALL, _AT_ARCHITECTURE = 0, 4
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | 1  # EPERM
_KILL: Final = 0x80000000
_X32_CALLS: Final = 0x40000000  # x86-64's second table of system calls starts here

# socket, execve, execveat, ptrace, process_vm_readv, process_vm_writev, io_uring_setup (which can open sockets)
_FORBIDDEN: Final[Mapping[str, tuple[int, tuple[int, ...]]]] = {
    "x86_64": (0xC000003E, (41, 59, 322, 101, 310, 311, 425)),
    "aarch64": (0xC00000B7, (198, 221, 281, 117, 270, 271, 425)),
}
"""By machine: the audit number of its architecture (linux/audit.h), and the system calls that are refused."""


def confine(*, memory_bytes: int, prepare: Callable[[], T], readable: Iterable[Path] = ()) -> T:
    """Puts the calling process into its sandbox: it gives up what decoding does not need.

    From here on the process can write no file, read only Python's own files, the system's libraries and what is at or
    below ``readable``, dump no core, open no socket and start no program. The kernel confines the calling thread and
    those that it starts later: so ``prepare``, which may start threads, runs here, and its result is returned. What it
    leaves behind is free; then the process may add ``memory_bytes`` to its address space.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the whole process group
    os.nice(_NICE)
    with contextlib.suppress(OSError):  # out of memory, the kernel should kill this process, not the server
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform != "linux":
        return prepare()
    with Path("/proc/self/statm").open() as usage:  # what is open stays readable
        allow_reading_only([*filter(None, sys.path), sys.prefix, sys.base_prefix, *_LIBRARIES, *map(str, readable)])
        _refuse_calls()
        prepared = prepare()
        most = int(usage.read().split()[0]) * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return prepared


def remaining_abilities() -> list[str]:
    """What `confine` takes away and the calling process can still do: "read files" outside Python's and the system's
    libraries, "write files", "open sockets", "run programs"."""

    def read_file() -> None:
        Path(_ANY_FILE).read_bytes()

    def open_socket() -> None:
        socket.socket().close()

    def write_file() -> None:
        with tempfile.TemporaryFile() as file:
            file.write(b"x")

    def run_program() -> None:
        subprocess.run([sys.executable, "-c", ""], check=True)

    attempts = {
        "read files": read_file,
        "write files": write_file,
        "open sockets": open_socket,
        "run programs": run_program,
    }
    return [name for name, attempt in attempts.items() if _succeeds(attempt)]


def _succeeds(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _instruction(code: int, *, if_true: int = 0, if_false: int = 0, value: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def seccomp_program(machine: str) -> bytes | None:
    """The seccomp(2) filter that answers the forbidden calls with EPERM; None for a machine whose calls are not listed.

    A call of another architecture, whose numbers mean other calls, kills the process.
    """
    if machine not in _FORBIDDEN:
        return None
    architecture, calls = _FORBIDDEN[machine]
    count = len(calls)
    checks = [
        _instruction(_JUMP_IF_EQUAL, if_true=count - i, value=number)  # to the refusal, over the remaining checks
        for i, number in enumerate(calls)
    ]
    return b"".join(
        [
            _instruction(_LOAD, value=_AT_ARCHITECTURE),
            _instruction(_JUMP_IF_EQUAL, if_true=1, value=architecture),
            _instruction(_RETURN, value=_KILL),
            _instruction(_LOAD, value=_AT_CALL),
            _instruction(_JUMP_IF_AT_LEAST, if_true=count + 1, value=_X32_CALLS),
            *checks,
            _instruction(_RETURN, value=_ALLOW),
            _instruction(_RETURN, value=_REFUSE),
        ]
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _refuse_calls() -> None:
    """Installs the filter, where kernel and machine have one."""
    program = seccomp_program(platform.machine())
    if program is None:
        return
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    filter_program = _Program(len(program) // 8, program)
    forbid_new_privileges()
    prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(filter_program), 0, 0)
