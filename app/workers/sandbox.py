"""What a process that handles strangers' bytes gives up before it sees the first: memory, files, sockets, programs.

Everything here holds for the calling process and its children and cannot be undone. Where the kernel lacks a means, the
others still hold.
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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from app.workers.landlock import gain_no_privileges, read_nothing_but

_NICE: Final = 5  # behind the server's own threads, which must answer within milliseconds

_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/dev/urandom")
"""What imports and codecs may still want, besides Python's own folders."""
_ANY_FILE: Final = "/etc/passwd"
"""Stands for every file that is none of a decoder's business."""

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
_X32_CALLS: Final = 0x40000000  # x86-64's second table of system calls begins here

# socket, execve, execveat, ptrace, process_vm_readv, process_vm_writev, io_uring_setup (which can open sockets)
_FORBIDDEN: Final[Mapping[str, tuple[int, tuple[int, ...]]]] = {
    "x86_64": (0xC000003E, (41, 59, 322, 101, 310, 311, 425)),
    "aarch64": (0xC00000B7, (198, 221, 281, 117, 270, 271, 425)),
}
"""By machine: the audit number of its architecture (linux/audit.h), and the system calls that are refused."""


def confine(*, memory_bytes: int) -> None:
    """Gives up what decoding does not need.

    ``memory_bytes``: address space that may be added to what the process has now. No file can be written, none but
    Python's own and the system's libraries read, no core dumped, no socket opened and no program started.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the server's whole group
    os.nice(_NICE)
    with contextlib.suppress(OSError):  # where memory runs out, the kernel is to end this process and not the server
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        most = _address_space() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        read_nothing_but([*filter(None, sys.path), sys.prefix, sys.base_prefix, *_LIBRARIES])
        _refuse_calls()


def _address_space() -> int:
    """Bytes of address space in use now."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def resident_memory(pid: int) -> int:
    """Resident bytes of a process, shared pages included; 0 if it is gone or the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def freedoms() -> list[str]:
    """What the calling process may do of what a confined one may not: "read files" that are none of its business,
    "write files", "open sockets", "run programs"."""

    def reads_files() -> None:
        Path(_ANY_FILE).read_bytes()

    def opens_sockets() -> None:
        socket.socket().close()

    def writes_files() -> None:
        with tempfile.TemporaryFile() as file:
            file.write(b"x")

    def runs_programs() -> None:
        subprocess.run([sys.executable, "-c", ""], check=True)

    acts = {
        "read files": reads_files,
        "write files": writes_files,
        "open sockets": opens_sockets,
        "run programs": runs_programs,
    }
    return [name for name, act in acts.items() if _succeeds(act)]


def _succeeds(act: Callable[[], None]) -> bool:
    try:
        act()
    except OSError:
        return False
    return True


def _instruction(code: int, *, if_so: int = 0, if_not: int = 0, value: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_so, if_not, value)


def seccomp_program(machine: str) -> bytes | None:
    """The filter (Linux, seccomp(2)) that refuses the forbidden calls with EPERM; None for a machine it is not known
    for. Calls of another architecture, whose numbers mean other things, end the process."""
    if machine not in _FORBIDDEN:
        return None
    architecture, calls = _FORBIDDEN[machine]
    count = len(calls)
    checks = [
        _instruction(_JUMP_IF_EQUAL, if_so=count - i, value=number)  # to the refusal behind the checks and one more
        for i, number in enumerate(calls)
    ]
    return b"".join(
        [
            _instruction(_LOAD, value=_AT_ARCHITECTURE),
            _instruction(_JUMP_IF_EQUAL, if_so=1, value=architecture),
            _instruction(_RETURN, value=_KILL),
            _instruction(_LOAD, value=_AT_CALL),
            _instruction(_JUMP_IF_AT_LEAST, if_so=count + 1, value=_X32_CALLS),
            *checks,
            _instruction(_RETURN, value=_ALLOW),
            _instruction(_RETURN, value=_REFUSE),
        ]
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _refuse_calls() -> None:
    """Installs the filter; a kernel or a machine without seccomp goes on without it."""
    program = seccomp_program(platform.machine())
    if program is None:
        return
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    handed = _Program(len(program) // 8, program)
    gain_no_privileges()
    prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(handed), 0, 0)
