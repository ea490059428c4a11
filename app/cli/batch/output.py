"""Where the lines of `qrestore decode` go: standard output, or a file that a later run can continue."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Protocol, Self

from app.cli.batch.records import FORMS, Form, Record
from app.cli.terminal import say, say_json
from app.errors import InvalidConfiguration

_JSON: Final = "jsonl"


class Output(Protocol):
    """Takes the lines about one file after another."""

    def write(self, lines: Iterable[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class StandardOutput:
    """Prints each line at once, safe for terminals."""

    form: str

    def write(self, lines: Iterable[str]) -> None:
        for line in lines:
            if self.form == _JSON:
                say_json(line)
            else:
                say(line)


@dataclass(frozen=True, slots=True)
class FileOutput:
    """Appends the lines about each file at once, so that a run that is killed loses at most those of one file."""

    stream: BinaryIO

    def write(self, lines: Iterable[str]) -> None:
        self.stream.write("".join(f"{line}\n" for line in lines).encode())
        self.stream.flush()


@dataclass
class Past:
    """What an earlier run has written: the files that are done, as the format spells them, and how many of them give
    which exit status."""

    files: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, path: Path, form: str, *, expect: int | None) -> Self:
        """Reads the output of an earlier run, and cuts off the end that a kill may have left incomplete: a line without
        its end, and the lines of the last file where a file may have several. Its files are then done again.

        Raises OSError, and InvalidConfiguration if something else is written there.
        """
        past = cls()
        with path.open("r+b") as stream:
            kept = 0
            for record, end in _records(stream, FORMS[form], name=path):
                if record is not None and record.file not in past.files:
                    past.files.add(record.file)
                    past.statuses[record.status(expect=expect)] += 1
                kept = end
            stream.truncate(kept)
        return past


def _records(stream: BinaryIO, form: Form, *, name: Path) -> Iterator[tuple[Record | None, int]]:
    """Each file of an output that is surely complete, or None for the header, and where its lines end, in bytes."""
    at, before = 0, None
    for number, line in enumerate(stream):
        if not line.endswith(b"\n"):
            break
        end = at + len(line)
        if number == 0 and form.header is not None:
            if line.decode("utf-8", "replace").rstrip("\n") != form.header:
                raise _foreign(name, 1)
            yield None, end
            at = end
            continue
        try:
            record = form.parse(line.decode("utf-8").rstrip("\n"))
        except ValueError as exc:
            raise _foreign(name, number + 1) from exc
        if form.is_line_a_file:
            yield record, end
        elif before is not None and before.file == record.file:
            before += record
        else:
            if before is not None:
                yield before, at
            before = record
        at = end


def _foreign(path: Path, number: int) -> InvalidConfiguration:
    return InvalidConfiguration(
        f"{path}: line {number} is none of this command in this format; --resume continues only what it wrote itself."
    )
