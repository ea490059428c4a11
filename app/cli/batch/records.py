"""The lines that `qrestore decode` writes about files, in each of its formats."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict

from app.cli.batch.spreadsheet import cell, row
from app.cli.terminal import BAD_FILE, NOT_ALL_READ, SUCCESS
from app.errors import QrestoreError, problem_type
from app.schemas import DecodeAnswer
from app.telemetry.escaping import escape, escape_json

COLUMNS: Final = ("file", "page", "text", "symbology", "version", "ec_level", "engine", "rung", "unread", "problem")
"""The first line of `--format csv`."""


class Problem(BaseModel):
    """Why there is no answer for a file, or not all that was asked for; `type` and `title` are those of the service."""

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    detail: str

    @classmethod
    def of(cls, error: QrestoreError | OSError) -> Self:
        if isinstance(error, QrestoreError):
            return cls(type=problem_type(error.category), title=error.title, detail=error.detail)
        detail = error.strerror or "The file cannot be read or written."
        return cls(type=problem_type("file_access"), title="No access to a file", detail=detail)


class Result(BaseModel):
    """What `qrestore decode` makes of one file, or of the frames of one label: an answer, or a problem, or both if the
    codes were read but a picture could not be written.

    ``frames`` are the names of the files where several were read as one. ``restored`` and ``annotated`` are the
    pictures that were written.
    """

    model_config = ConfigDict(frozen=True)

    file: str
    answer: DecodeAnswer | None = None
    problem: Problem | None = None
    frames: tuple[str, ...] | None = None
    restored: str | None = None
    annotated: tuple[str, ...] | None = None

    @property
    def record(self) -> "Record":
        codes, unread = (len(self.answer.codes), len(self.answer.unread)) if self.answer else (0, 0)
        return Record(self.file, codes, unread, self.problem is not None)


@dataclass(frozen=True, slots=True)
class Record:
    """What lines say of one file: its name as `Form.spell` spells it, how many codes were read in it and how many only
    seen, and whether there was a problem."""

    file: str
    codes: int = 0
    unread: int = 0
    has_problem: bool = False

    def __add__(self, other: "Record") -> "Record":
        """What two lines about the same file say."""
        unread, has_problem = max(self.unread, other.unread), self.has_problem or other.has_problem
        return Record(self.file, self.codes + other.codes, unread, has_problem)

    def status(self, *, expect: int | None) -> int:
        """The exit status that this file alone gives: all is read if it gave the expected number of codes; without one,
        if it gave a code at least and none was left unread."""
        if self.has_problem:
            return BAD_FILE
        is_all_read = self.codes >= expect if expect else self.codes > 0 and not self.unread
        return SUCCESS if is_all_read else NOT_ALL_READ


@dataclass(frozen=True, slots=True)
class Form:
    """One format. ``parse`` raises ValueError for what is no line of it. ``is_line_a_file``: each file has one line;
    else the lines of a file follow each other."""

    lines: Callable[[Result], Iterator[str]]
    parse: Callable[[str], Record]
    spell: Callable[[str], str]
    header: str | None = None
    is_line_a_file: bool = False


def _json_lines(result: Result) -> Iterator[str]:
    extra = result.model_dump(exclude={"answer"}, exclude_none=True)
    answer = result.answer.model_dump(mode="json") if result.answer else {}
    yield escape_json(json.dumps(extra | answer, ensure_ascii=False, separators=(",", ":")))


def _parse_json(line: str) -> Record:
    value: Any = json.loads(line)
    if not isinstance(value, dict) or not isinstance(value.get("file"), str):
        raise ValueError("no answer for a file")
    codes, unread, has_problem = value.get("codes", []), value.get("unread", []), "problem" in value
    if not isinstance(codes, list) or not isinstance(unread, list) or not (has_problem or "codes" in value):
        raise ValueError("neither codes nor a problem")
    return Record(value["file"], len(codes), len(unread), has_problem)


def _csv_lines(result: Result) -> Iterator[str]:
    codes, unread = (result.answer.codes, len(result.answer.unread)) if result.answer else ((), None)
    problem = f"{result.problem.type}: {result.problem.detail}" if result.problem else None
    for code in codes:
        cells = (code.page, code.text, code.symbology, code.version, code.ec_level, code.engine, code.rung)
        yield row((result.file, *cells, unread, problem))
    if not codes:
        yield row((result.file, *[None] * (len(COLUMNS) - 3), unread, problem))


def _parse_csv(line: str) -> Record:
    (cells,) = csv.reader([line], strict=True)
    if len(cells) != len(COLUMNS):
        raise ValueError("another number of columns")
    file, _, _, symbology, *_, unread, problem = cells
    return Record(file, bool(symbology), int(unread or 0), bool(problem))


_PROBLEM, _SEEN, _NONE = "problem", "seen but not read", "no code"


def _text_lines(result: Result) -> Iterator[str]:
    file = escape(result.file)
    for code in result.answer.codes if result.answer else ():
        yield f"{file}\t{escape(code.text)}"
    if result.problem:
        yield f"{file}\t\t{_PROBLEM}\t{result.problem.type}: {escape(result.problem.detail)}"
    elif result.answer and result.answer.unread:
        yield f"{file}\t\t{_SEEN}\t{len(result.answer.unread)}"
    elif result.answer and not result.answer.codes:
        yield f"{file}\t\t{_NONE}"


def _parse_text(line: str) -> Record:
    match line.split("\t"):
        case [file, _]:
            return Record(file, codes=1)
        case [file, "", kind, _] if kind == _PROBLEM:
            return Record(file, has_problem=True)
        case [file, "", kind, count] if kind == _SEEN:
            return Record(file, unread=int(count))
        case [file, "", kind] if kind == _NONE:
            return Record(file)
    raise ValueError("no line of this format")


def _bare_lines(result: Result) -> Iterator[str]:
    return (code.text for code in result.answer.codes) if result.answer else iter(())


def _parse_bare(line: str) -> Record:
    raise ValueError(f"{line!r} names no file")


BARE: Final = "bare"
"""The format of `--text`: nothing but the text of each code, as it is."""
FORMS: Final[dict[str, Form]] = {
    "jsonl": Form(_json_lines, _parse_json, str, is_line_a_file=True),
    "csv": Form(_csv_lines, _parse_csv, cell, header=row(COLUMNS)),
    "text": Form(_text_lines, _parse_text, escape),
    BARE: Form(_bare_lines, _parse_bare, str),
}


def in_words(answer: DecodeAnswer) -> Sequence[str]:
    """What bare texts do not show."""
    words = []
    if answer.unread:
        reasons = Counter(place.reason for place in answer.unread)
        words.append(f"seen but not read: {', '.join(f'{count} {reason}' for reason, count in reasons.items())}")
    if not answer.complete:
        words.append("the budget ended before the search did")
    return words
