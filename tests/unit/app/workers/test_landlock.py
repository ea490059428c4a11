"""What a process can still do after it has given up its files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from app.workers.landlock import allow_reading_only

allowed, other, parent = sys.argv[1:]

def tried(act):
    try:
        act()
    except OSError as exc:
        return type(exc).__name__
    return "done"

kept = open(os.path.join(other, "kept"), "rb")
if not allow_reading_only([allowed, os.path.join(other, "single"), "/no/such/folder"]):
    print("unsupported")
    sys.exit()
print(tried(lambda: open(os.path.join(allowed, "file"), "rb").read()))
print(tried(lambda: open(os.path.join(other, "single"), "rb").read()))
print(tried(kept.read))
print(tried(lambda: open(os.path.join(other, "kept"), "rb")))
print(tried(lambda: os.listdir(other)))
print(tried(lambda: open(os.path.join(allowed, "new"), "wb")))
print(tried(lambda: os.unlink(os.path.join(allowed, "file"))))
print(tried(lambda: os.mkdir(os.path.join(allowed, "folder"))))
print(tried(lambda: os.kill(int(parent), 0)))
"""


@pytest.fixture
def said(tmp_path: Path) -> list[str]:
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    for folder, names in ((allowed, ["file"]), (other, ["kept", "single"])):
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(b"content")
    command = [sys.executable, "-c", PROGRAM, str(allowed), str(other), str(os.getpid())]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    if lines == ["unsupported"]:
        pytest.skip("this system has no Landlock")
    return lines


def test_allowed_and_open_files_can_be_read(said: list[str]) -> None:
    assert said[:3] == ["done", "done", "done"]


def test_no_other_file_can_be_read_and_none_changed(said: list[str]) -> None:
    assert said[3:8] == ["PermissionError"] * 5


def test_signals_reach_no_other_process_if_the_kernel_can_prevent_it(said: list[str]) -> None:
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    assert said[8] == ("PermissionError" if release >= (6, 12) else "done")
