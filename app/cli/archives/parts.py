"""What an archive is written to: a folder of parts, and the manifest of those that are complete.

Only the manifest counts. A part is written under a hidden name, synced, renamed and then entered: whatever dies, the
folder holds every file of the archive once or not yet, and never twice.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Protocol, Self

from app import __version__
from app.cli.batch.records import FORMS, Record
from app.errors import InvalidConfiguration

JSONL, PARQUET = "jsonl", "parquet"
MANIFEST: Final = "manifest.jsonl"
_LINES: Final = FORMS[JSONL]
_VERSION: Final = 1  # of the manifest
_NUMBER: Final = re.compile(r"^part-(\d+)\.")
_NEEDS_EXTRA: Final = "--format parquet is written by pyarrow: pip install 'qrestore[ray]'"


class _Part(Protocol):
    """A file that rows are added to."""

    def add(self, record: Record, line: str) -> None: ...
    def close(self) -> None: ...


class _JsonLines:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def add(self, record: Record, line: str) -> None:
        del record
        self._stream.write(f"{line}\n".encode())

    def close(self) -> None:
        pass


class _Parquet:
    """Columns that stay the same whatever is in the pictures; `answer` is the whole line of `qrestore decode`."""

    def __init__(self, stream: IO[bytes]) -> None:
        import pyarrow as pa  # noqa: PLC0415 - belongs to the extra ray; `Archive.open` says so
        from pyarrow import parquet  # noqa: PLC0415

        self._schema = pa.schema(
            [
                ("file", pa.string()),
                ("codes", pa.int32()),
                ("unread", pa.int32()),
                ("problem", pa.string()),
                ("texts", pa.list_(pa.string())),
                ("answer", pa.string()),
            ]
        )
        self._parquet, self._table, self._stream = parquet, pa.Table, stream
        self._rows: list[dict[str, object]] = []

    def add(self, record: Record, line: str) -> None:
        answer = json.loads(line)
        texts = [code["text"] for code in answer.get("codes", ())]
        problem = answer.get("problem", {}).get("type")
        counts = {"codes": record.codes, "unread": record.unread}
        self._rows.append({"file": record.file, **counts, "problem": problem, "texts": texts, "answer": line})

    def close(self) -> None:
        self._parquet.write_table(self._table.from_pylist(self._rows, schema=self._schema), self._stream)


_KINDS: Final[Mapping[str, Callable[[IO[bytes]], _Part]]] = {JSONL: _JsonLines, PARQUET: _Parquet}


@dataclass
class Archive:
    """A folder that rows are added to, in parts of ``rows`` rows.

    ``done`` are the files that it has, ``statuses`` how many of them give which exit status.
    """

    folder: Path
    form: str
    rows: int
    expect: int | None
    manifest: IO[str]
    done: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    _parts: int = 0
    _part: _Part | None = None
    _stream: IO[bytes] | None = None
    _count: int = 0

    @classmethod
    @contextmanager
    def open(cls, folder: Path, *, form: str, rows: int, options: Mapping[str, object]) -> Iterator[Self]:
        """Opens a new or empty folder, or one that an earlier run wrote with the same options.

        However the block ends, the rows that were added are kept. Raises OSError, and InvalidConfiguration if something
        else is in the folder, another run writes to it, or pyarrow is missing.
        """
        if form == PARQUET:
            _require_pyarrow()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / MANIFEST
        if not path.exists() and any(folder.iterdir()):
            raise InvalidConfiguration(f"{folder} holds other files and no {MANIFEST}: name a new or empty folder.")
        expect = options.get("expect")
        with ExitStack() as stack:
            manifest = stack.enter_context(path.open("a+", encoding="utf-8"))
            _lock(manifest, folder)
            archive = cls(folder, form, rows, expect if isinstance(expect, int) else None, manifest)
            archive._continue({"manifest": _VERSION, "format": form, "options": dict(options)})
            stack.callback(archive._finish)
            yield archive

    def add(self, line: str) -> bool:
        """Adds the line of one file. Returns False if the archive has that file, which then stays as it is."""
        record = _LINES.parse(line)
        if record.file in self.done:
            return False
        if self._part is None:
            self._stream = (self.folder / f".unfinished-{self._name(self._parts)}").open("wb")
            self._part = _KINDS[self.form](self._stream)
        self._part.add(record, line)
        self._know(record)
        self._count += 1
        if self._count >= self.rows:
            self._finish()
        return True

    def _know(self, record: Record) -> None:
        self.done.add(record.file)
        self.statuses[record.status(expect=self.expect)] += 1

    def _name(self, number: int) -> str:
        return f"part-{number:06d}.{self.form}"

    def _finish(self) -> None:
        """Completes the part that is open, if there is one, and enters it into the manifest."""
        if self._part is None or self._stream is None:
            return
        part, stream, count = self._part, self._stream, self._count
        self._part, self._stream, self._count = None, None, 0
        with stream:
            part.close()
            stream.flush()
            os.fsync(stream.fileno())
        name = self._name(self._parts)
        unfinished = Path(stream.name)
        entry = {"part": name, "rows": count, "bytes": unfinished.stat().st_size, "sha256": _digest(unfinished)}
        unfinished.replace(self.folder / name)
        self._parts += 1
        self._enter(entry | {"qrestore": __version__})

    def _enter(self, entry: Mapping[str, object]) -> None:
        self.manifest.write(json.dumps(entry) + "\n")
        self.manifest.flush()
        os.fsync(self.manifest.fileno())

    def _continue(self, head: dict[str, object]) -> None:
        """Reads what earlier runs have done, and removes what they left half-done."""
        self.manifest.seek(0)
        text = self.manifest.read()
        whole = text[: text.rfind("\n") + 1]  # a kill may have cut the last line
        self.manifest.truncate(len(whole.encode()))
        try:
            known, *parts = [json.loads(line) for line in whole.splitlines()] or [head]
            if not whole:
                self._enter(head)
            self._check_head(known, head)
            for entry in parts:
                for record in self._records(str(entry["part"]), int(entry["bytes"])):
                    self._know(record)
                self._parts = max(self._parts, 1 + int(_NUMBER.findall(str(entry["part"]))[0]))
        except (ValueError, KeyError, TypeError, IndexError) as exc:
            raise InvalidConfiguration(f"{self.folder / MANIFEST} is none of this command: {exc!r}") from exc
        for left in self.folder.glob(".unfinished-*"):
            left.unlink()

    def _check_head(self, known: dict[str, Any], head: dict[str, object]) -> None:
        if known["manifest"] != _VERSION:
            raise ValueError("another version of the manifest")
        if known != head:
            raise InvalidConfiguration(
                f"{self.folder} was begun otherwise: format {known['format']}, {json.dumps(known['options'])}. "
                "Give the same options, or name a new folder."
            )

    def _records(self, name: str, size: int) -> Iterator[Record]:
        """The rows of a complete part."""
        path = self.folder / name
        if not path.is_file() or path.stat().st_size != size:
            raise InvalidConfiguration(
                f"{path} is not as {MANIFEST} states it. Delete its line there, and the part: its files are done again."
            )
        if self.form == PARQUET:
            from pyarrow import parquet  # noqa: PLC0415

            table = parquet.read_table(path, columns=["answer"])
            yield from (_LINES.parse(str(line)) for line in table.column("answer").to_pylist())
            return
        with path.open(encoding="utf-8", newline="\n") as lines:
            yield from map(_LINES.parse, lines)


def _require_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415
    except ImportError as exc:
        raise InvalidConfiguration(_NEEDS_EXTRA) from exc


def _lock(manifest: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise InvalidConfiguration(f"Another run writes to {folder}.") from exc
    except OSError as exc:
        if exc.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}:  # a file system without locks
            raise


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
