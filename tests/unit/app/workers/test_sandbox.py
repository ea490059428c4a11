"""The filter of system calls, interpreted as by the kernel, and the memory of a process."""

import platform
import struct

import pytest

from app.workers.pool import child_abilities
from app.workers.sandbox import remaining_abilities, seccomp_program

ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050001, 0x80000000
X86_64, AARCH64 = 0xC000003E, 0xC00000B7
READ = {"x86_64": 0, "aarch64": 63}
SOCKET = {"x86_64": 41, "aarch64": 198}
EXECVE = {"x86_64": 59, "aarch64": 221}


def verdict(program: bytes, *, architecture: int, call: int) -> int:
    """The result of a classic BPF program for a call; supports only the four instructions of such filters."""
    steps = list(struct.iter_unpack("=HBBI", program))
    at, value = 0, 0
    while True:
        code, if_so, if_not, operand = steps[at]
        at += 1
        if code == 0x20:
            value = {0: call, 4: architecture}[operand]
        elif code == 0x15:
            at += if_so if value == operand else if_not
        elif code == 0x35:
            at += if_so if value >= operand else if_not
        else:
            assert code == 0x06
            return int(operand)


@pytest.mark.parametrize(("machine", "architecture"), [("x86_64", X86_64), ("aarch64", AARCH64)])
def test_sockets_and_programs_are_refused_and_the_rest_is_not(machine: str, architecture: int) -> None:
    program = seccomp_program(machine)
    assert program is not None
    for call in (SOCKET[machine], EXECVE[machine], 425):
        assert verdict(program, architecture=architecture, call=call) == REFUSE
    forbidden = {call for call in range(600) if verdict(program, architecture=architecture, call=call) != ALLOW}
    assert READ[machine] not in forbidden
    assert len(forbidden) == 7


def test_system_calls_of_other_architectures_are_refused() -> None:
    program = seccomp_program("x86_64")
    assert program is not None
    assert verdict(program, architecture=0x40000003, call=102) == KILL  # i386's socketcall
    assert verdict(program, architecture=X86_64, call=0x40000000 + 41) == REFUSE  # x32's socket


def test_unknown_architectures_have_no_filter() -> None:
    assert seccomp_program("z80") is None


def test_a_process_that_is_not_confined_can_do_everything() -> None:
    assert remaining_abilities() == ["read files", "write files", "open sockets", "run programs"]


@pytest.mark.skipif(platform.system() != "Linux", reason="other systems have no such filter")
def test_children_are_confined() -> None:
    """Only kernels without Landlock (5.12 and older, or switched off) let them read files."""
    assert set(child_abilities()) <= {"read files"}
