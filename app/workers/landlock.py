"""Landlock (landlock(7), Linux 5.13 and newer): a process gives up all files except those that it must read.

The restrictions apply to the calling process and its children and cannot be undone. Open files stay open.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from typing import Final

# linux/landlock.h; the numbers of the calls are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_RIGHTS: Final = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""Rights over files, from running them to device control, by the version of Landlock that introduced them."""
_TCP: Final = 0b11  # bind and connect, since version 4
_SCOPES: Final = 0b11  # abstract sockets and signals to processes outside, since version 6
_WITH_TCP, _WITH_SCOPES = 4, 6
_PR_SET_NO_NEW_PRIVS: Final = 38


def forbid_new_privileges() -> None:
    """What Landlock requires first: keeps this process from gaining rights by running a program (PR_SET_NO_NEW_PRIVS,
    prctl(2)).

    So does seccomp. Without it the kernel lets only root confine itself.
    """
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def allow_reading_only(paths: Iterable[str]) -> bool:
    """Restricts the process to reading what is at or below these paths; it can write, create and remove nothing.

    Newer kernels also forbid TCP and signals to processes outside. Skips paths that do not exist. Returns whether the
    kernel supports it; where it does not, nothing has changed.
    """
    version = _version()
    if version < 1:
        return False
    system = ctypes.CDLL(None, use_errno=True)
    rights = sum(right for since, right in _RIGHTS.items() if since <= version)
    ruleset_attributes = struct.pack("=Q", rights)
    if version >= _WITH_TCP:
        ruleset_attributes += struct.pack("=Q", _TCP)
    if version >= _WITH_SCOPES:
        ruleset_attributes += struct.pack("=Q", _SCOPES)
    ruleset = system.syscall(_CREATE_RULESET, ruleset_attributes, ctypes.c_size_t(len(ruleset_attributes)), 0)
    if ruleset < 0:
        return False
    try:
        for path in paths:
            _allow_reading(system, ruleset, path)
        forbid_new_privileges()
        return bool(system.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _version() -> int:
    """The kernel's version of Landlock; 0 or less where it has none."""
    if sys.platform != "linux":
        return 0
    return int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _GET_VERSION))


def _allow_reading(system: ctypes.CDLL, ruleset: int, path: str) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = _READ_FILE | _READ_FOLDER if os.path.isdir(path) else _READ_FILE
        system.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)
