"""Layers of an image as an engine keeps them: each is what one instruction changed, held by the kernel's overlayfs.

Needs root. Mounts are to be made in a mount namespace of the caller's own, which takes them along when it ends.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_DEVICES: Final = ("full", "null", "random", "tty", "urandom", "zero")
_GUARDED: Final = "noexec,nosuid,nodev"


def call(*command: str | Path) -> None:
    """Runs a program of this machine, whose output goes to standard error. Raises CalledProcessError."""
    words = [str(word) for word in command]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)  # noqa: S603 - no shell


@dataclass(slots=True)
class Image:
    """An image in the making: its layers, the oldest first, and what a container of it starts with."""

    layers: list[Path]
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"

    def new_layer(self, place: Path) -> Path:
        """An empty layer on top, in an empty folder ``place``."""
        layer = place / "changes"
        layer.mkdir(parents=True)
        (place / "work").mkdir()
        self.layers.append(layer)
        return layer

    @contextmanager
    def mounted(self, at: Path, *, writable: bool) -> Iterator[Path]:
        """The root of a container: ``writable``: its changes are the newest layer's; else there are none."""
        at.mkdir(parents=True, exist_ok=True)
        below = self.layers[:-1] if writable else self.layers
        options = f"lowerdir={':'.join(str(layer) for layer in reversed(below))}"
        if writable:
            options += f",upperdir={self.layers[-1]},workdir={self.layers[-1].parent / 'work'}"
        call("mount", "-t", "overlay", "-o", options, "overlay", at)
        try:
            yield at
        finally:
            call("umount", "--recursive", at)


def furnish(root: Path, *, temporary: str, shared: str = "64m") -> None:
    """Mounts in a container's root what an engine does: /proc, /sys, a small /dev; a tmpfs on /tmp if it has a size."""
    call("mount", "-t", "proc", "-o", "nosuid,nodev,noexec", "proc", root / "proc")
    call("mount", "-t", "sysfs", "-o", "ro,nosuid,nodev,noexec", "sysfs", root / "sys")
    call("mount", "-t", "tmpfs", "-o", "mode=755,nosuid,noexec", "dev", root / "dev")
    for name in _DEVICES:
        (root / "dev" / name).touch()
        call("mount", "--bind", f"/dev/{name}", root / "dev" / name)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (root / "dev" / name).symlink_to(target)
    (root / "dev/pts").mkdir()
    call("mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620,nosuid,noexec", "devpts", root / "dev/pts")
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    (root / "dev/shm").mkdir()
    call("mount", "-t", "tmpfs", "-o", f"size={shared},mode=1777,{_GUARDED}", "shm", root / "dev/shm")
    if temporary:
        call("mount", "-t", "tmpfs", "-o", f"size={temporary},mode=1777,{_GUARDED}", "tmp", root / "tmp")


@contextmanager
def lent(root: Path, paths: Sequence[Path]) -> Iterator[None]:
    """This machine's files and folders, read-only at the same paths in ``root``; no trace of them is left there."""
    made: list[Path] = []
    seated: list[Path] = []
    try:
        for path in paths:
            seat = root / path.relative_to("/")
            missing = [folder for folder in (seat, *seat.parents) if not folder.exists()]
            seat.parent.mkdir(parents=True, exist_ok=True)
            if seat in missing:
                seat.mkdir() if path.is_dir() else seat.touch()
            made += missing
            call("mount", "--bind", path, seat)
            seated.append(seat)
            call("mount", "-o", "remount,bind,ro", seat)
        yield
    finally:
        for seat in reversed(seated):
            call("umount", seat)
        for seat in sorted(made, key=lambda each: len(each.parts), reverse=True):
            if seat.is_dir() and not any(seat.iterdir()):
                seat.rmdir()
            elif seat.is_file():
                seat.unlink()


def inside(
    root: Path, image: Image, command: Sequence[str], environment: Mapping[str, str], *, quiet: bool = False
) -> subprocess.Popen[bytes]:
    """A program in ``root`` as the image's user, with its environment and ``environment``; ``quiet``: without output,
    which goes to standard error otherwise.

    Anybody but root has no capability and can gain none.
    """
    words = ["chroot", str(root), "/usr/bin/env", "--ignore-environment", f"--chdir={image.folder}"]
    words += [f"{name}={value}" for name, value in {**image.environment, **environment}.items()]
    user, _, group = image.user.partition(":")
    if user != "0":
        words += ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={group or user}", "--clear-groups"]
        words += ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
    output = subprocess.DEVNULL if quiet else sys.stderr
    return subprocess.Popen([*words, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output)  # noqa: S603


def copy(source: Path, target: Path) -> None:
    """A file, or what is in a folder, as COPY does: root's, with its times, links as links."""
    if source.is_dir() and not source.is_symlink():
        target.mkdir(parents=True, exist_ok=True)
        for entry in sorted(source.iterdir()):
            copy(entry, target / entry.name)
        shutil.copystat(source, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    os.chown(target, 0, 0, follow_symlinks=False)


def size(layer: Path) -> int:
    """Bytes of the files in a layer, as many as an engine reports: each file once, folders and holes not counted."""
    seen: set[int] = set()
    total = 0
    for folder, _, names in os.walk(layer):
        for name in names:
            state = os.lstat(os.path.join(folder, name))
            if state.st_ino not in seen:
                seen.add(state.st_ino)
                total += state.st_size
    return total
