"""Landlock (Linux 5.13 and newer, landlock(7)): a process gives up every file but those that it is to read.

Everything here holds for the calling process and its children and cannot be undone. Files that are open stay open.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from typing import Final

# linux/landlock.h; the numbers of the calls are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_TELL_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_RIGHTS: Final = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""By the version that brought them: what may be done to files, from running them to changing devices."""
_TCP: Final = 0b11  # bind and connect, from version 4 on
_SCOPES: Final = 0b11  # abstract sockets and signals of processes outside, from version 6 on
_WITH_TCP, _WITH_SCOPES = 4, 6
_PR_SET_NO_NEW_PRIVS: Final = 38


def gain_no_privileges() -> None:
    """From here on no program gives this process more rights than it has (PR_SET_NO_NEW_PRIVS, prctl(2)).

    The kernel asks that of whoever confines itself without being root.
    """
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def read_nothing_but(paths: Iterable[str]) -> bool:
    """From here on only what is at or below these paths can be read, nothing can be written, made or removed, and, with
    newer kernels, no TCP port is used and no process outside is signalled.

    Paths that do not exist are left out. Returns whether the kernel could; nothing has changed where it could not.
    """
    version = _version()
    if version < 1:
        return False
    system = ctypes.CDLL(None, use_errno=True)
    rights = sum(right for since, right in _RIGHTS.items() if since <= version)
    wanted = struct.pack("=Q", rights)
    if version >= _WITH_TCP:
        wanted += struct.pack("=Q", _TCP)
    if version >= _WITH_SCOPES:
        wanted += struct.pack("=Q", _SCOPES)
    ruleset = system.syscall(_CREATE_RULESET, wanted, ctypes.c_size_t(len(wanted)), 0)
    if ruleset < 0:
        return False
    try:
        for path in paths:
            _allow_reading(system, ruleset, path)
        gain_no_privileges()
        return bool(system.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _version() -> int:
    """What the kernel knows of Landlock; 0 or less for nothing."""
    if sys.platform != "linux":
        return 0
    return int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _TELL_VERSION))


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
