"""`qrestore decode`: the service's pipeline on files, without a server."""

import argparse
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final, Self

from app.cli.configuration import read_settings
from app.cli.spreadsheet import row
from app.cli.terminal import BAD_FILE, NOT_ALL_READ, SUCCESS, complain, say, say_json
from app.errors import QrestoreError, UploadTooLarge
from app.pipeline.results import Effort, Outcome
from app.schemas import DecodeAnswer
from app.settings import Settings
from app.startup import load_pipeline
from app.workers.jobs import DecodeJob, Pipeline

COLUMNS: Final = ("file", "text", "symbology", "version", "ec_level", "engine", "rung", "problem")
"""The first line of `--format csv`."""


class FileAnswer(DecodeAnswer):
    """One line of `qrestore decode`: the answer of POST /decode, and the file that it is about."""

    file: str

    @classmethod
    def of_file(cls, outcome: Outcome, *, file: str, request_id: str) -> Self:
        answer = DecodeAnswer.of(outcome, request_id=request_id)
        return cls(file=file.encode("utf-8", "replace").decode("utf-8"), **dict(answer))


@dataclass(frozen=True, slots=True)
class Result:
    """What `qrestore decode` makes of one file: an answer, or the reason why there is none."""

    file: str
    answer: FileAnswer | None = None
    problem: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Prints one line for each file, as text one for each code, and as CSV one for each code, each file without one and
    each file that could not be read. Raises as `decode_files` does."""
    status = SUCCESS
    options = {"effort": arguments.effort, "budget": arguments.budget, "expect": arguments.expect}
    if arguments.format == "csv":
        say(row(COLUMNS))
    for result in decode_files(arguments.images, read_settings(), **options):
        if result.answer is None:
            complain(f"{result.file}: {result.problem}")
            status = BAD_FILE
        elif not is_all_read(result.answer, expect=arguments.expect):
            status = max(status, NOT_ALL_READ)
        _say_result(result, arguments.format)
    return status


def _say_result(result: Result, form: str) -> None:
    if form == "csv":
        for line in _rows(result):
            say(line)
    elif result.answer is not None:
        if form == "text":
            _say_text(result.answer)
        else:
            say_json(result.answer.model_dump_json())


def _rows(result: Result) -> Iterator[str]:
    """The lines of CSV for one file, each with the cells of `COLUMNS`."""
    codes = result.answer.codes if result.answer else ()
    for code in codes:
        cells = (code.text, code.symbology, code.version, code.ec_level, code.engine, code.rung)
        yield row((result.file, *cells, None))
    if not codes:
        yield row((result.file, *[None] * (len(COLUMNS) - 2), result.problem or None))


def is_all_read(answer: DecodeAnswer, *, expect: int | None) -> bool:
    """Whether a picture gave the expected number of codes; without one, a code at least, and none was left unread."""
    return len(answer.codes) >= expect if expect else bool(answer.codes) and not answer.unread


def _say_text(answer: FileAnswer) -> None:
    """Prints the bare texts, and on standard error what they do not show."""
    for code in answer.codes:
        say(code.text)
    if answer.unread:
        reasons = Counter(place.reason for place in answer.unread)
        complain(f"{answer.file}: seen but not read: {', '.join(f'{n} {reason}' for reason, n in reasons.items())}")
    if not answer.complete:
        complain(f"{answer.file}: the budget ended before the search did")


def decode_files(
    files: Iterable[Path],
    settings: Settings,
    *,
    effort: str | None = None,
    budget: float | None = None,
    expect: int | None = None,
) -> Iterator[Result]:
    """One result for each file, in order, as soon as it is there. Raises InvalidCheckpoint before the first.

    ``effort`` is the value of an `Effort`; None takes the default of the settings. ``budget`` is in seconds; None takes
    that of the effort. ``expect`` is as in `DecodeJob`.
    """
    pipeline = load_pipeline(settings)
    chosen = settings.default_effort if effort is None else Effort(effort)
    seconds = settings.budget(chosen) if budget is None else budget
    for file in files:
        yield decode_file(
            file, pipeline, effort=chosen, budget=seconds, expect=expect, max_bytes=settings.max_upload_bytes
        )


def decode_file(
    file: Path,
    pipeline: Pipeline,
    *,
    effort: Effort,
    max_bytes: int,
    budget: float = inf,
    expect: int | None = None,
) -> Result:
    """The answer that the service would give to this file; a file that it would refuse has a problem instead."""
    try:
        if file.stat().st_size > max_bytes:
            raise UploadTooLarge(f"The file is larger than {max_bytes} bytes.")
        outcome = pipeline.do(DecodeJob(file.read_bytes(), effort, budget, expect))
    except OSError as exc:
        return Result(str(file), problem=exc.strerror or "The file cannot be read.")
    except QrestoreError as exc:
        return Result(str(file), problem=exc.detail)
    return Result(str(file), answer=FileAnswer.of_file(outcome, file=str(file), request_id=uuid.uuid4().hex))
