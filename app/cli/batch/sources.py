"""Which pictures a command is about: files, folders, patterns, lists and standard input, as a stream."""

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import BinaryIO, Final

STANDARD_INPUT: Final = "-"
_PIECE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Picture:
    """A file to read.

    ``path`` is None for standard input, whose ``content`` is known. ``place`` is a relative path of its own, for
    results about it: no two pictures of a run have the same, whatever folders they come from. ``folder`` is the one
    that it was found in, None if it was named itself.
    """

    path: str | None
    place: PurePath
    folder: str | None = None
    content: bytes = b""

    @property
    def name(self) -> str:
        """How outputs call it."""
        return STANDARD_INPUT if self.path is None else spell(self.path)

    def read(self, *, most: int) -> bytes:
        """The content, at most ``most`` bytes of it. Raises OSError."""
        if self.path is None:
            return self.content[:most]
        with open(self.path, "rb") as file:
            return file.read(most)


def spell(path: str) -> str:
    """A file's name as text; bytes of it that are not UTF-8 become escapes, so that different names stay different."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@dataclass
class Sources:
    """The pictures that ``paths`` and ``lists`` name, in that order, each once, however often it is named.

    A path is a file, a folder, a pattern as of `glob` where no file has that name, or "-" for standard input, which
    holds ``content``. A list holds files and folders, one a line, or each ended by NUL as `find -print0` writes them;
    "-" reads it from standard input. A folder stands for all files in it and in its folders, except hidden ones; links
    to folders are not followed. Files that cannot be read are pictures, too: reading them says why.
    """

    paths: Sequence[str] = ()
    lists: Sequence[str] = ()
    content: bytes = b""
    _roots: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Picture]:
        known: set[str] = set()
        for picture in self._all():
            if picture.name not in known:
                known.add(picture.name)
                yield picture

    @property
    def is_one_file(self) -> bool:
        """Whether they are one file that is named itself."""
        return (
            len(self.paths) == 1 and not self.lists and not (os.path.isdir(self.paths[0]) or _is_pattern(self.paths[0]))
        )

    def _all(self) -> Iterator[Picture]:
        for path in self.paths:
            if path == STANDARD_INPUT:
                yield Picture(None, PurePath("stdin"), content=self.content)
            elif _is_pattern(path):
                yield from self._matching(path)
            else:
                yield from self._named(path)
        for each in self.lists:
            for path in _names_in(each):
                yield from self._named(path)

    def _matching(self, pattern: str) -> Iterator[Picture]:
        matches = sorted(glob.iglob(pattern, recursive=True))
        for path in matches or [pattern]:
            if "**" not in pattern or not os.path.isdir(path):  # ** names the folders and what is in them
                yield from self._named(path)

    def _named(self, path: str) -> Iterator[Picture]:
        if os.path.isdir(path):
            yield from self._walk(path)
        else:
            folder, name = os.path.split(path)
            yield Picture(path, PurePath(self._root(folder), name))

    def _walk(self, top: str) -> Iterator[Picture]:
        root = self._root(top)
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            place = PurePath(root, os.path.relpath(folder, top))
            try:
                with os.scandir(folder) as listing:
                    entries = sorted((each for each in listing if each.name[0] != "."), key=lambda each: each.name)
            except OSError:
                yield Picture(folder, place, folder)
                continue
            yield from (Picture(each.path, place / each.name, folder) for each in entries if _is_picture(each))
            waiting += (each.path for each in reversed(entries) if each.is_dir(follow_symlinks=False))

    def _root(self, folder: str) -> str:
        """A name for a folder that no other one has."""
        whole = os.path.abspath(folder)
        if whole not in self._roots:
            name = base = os.path.basename(whole) or "root"
            taken, number = set(self._roots.values()), 1
            while name in taken:
                number += 1
                name = f"{base}-{number}"
            self._roots[whole] = name
        return self._roots[whole]


def _is_pattern(path: str) -> bool:
    return path != STANDARD_INPUT and glob.has_magic(path) and not os.path.lexists(path)


def _is_picture(entry: os.DirEntry[str]) -> bool:
    """Whether a member of a folder is a file, or a link that leads nowhere."""
    return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))


def _names_in(path: str) -> Iterator[str]:
    if path == STANDARD_INPUT:
        yield from _split(sys.stdin.buffer)
        return
    with Path(path).open("rb") as stream:
        yield from _split(stream)


def _split(stream: BinaryIO) -> Iterator[str]:
    first = stream.read1(_PIECE)  # type: ignore[attr-defined] # every buffered reader has it
    end, rest = (b"\0" if b"\0" in first else b"\n"), first
    while True:
        *names, rest = rest.split(end)
        yield from (os.fsdecode(name) for name in map(_stripped, names) if name)
        piece = stream.read1(_PIECE)  # type: ignore[attr-defined]
        if not piece:
            break
        rest += piece
    if rest := _stripped(rest):
        yield os.fsdecode(rest)


def _stripped(name: bytes) -> bytes:
    return name.removesuffix(b"\r")
