"""`qrestore decode`: the service's pipeline on files, without a server."""

import argparse
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Self

from app.cli.configuration import read_settings
from app.cli.terminal import BAD_FILE, NOT_ALL_READ, SUCCESS, complain, say
from app.errors import QrestoreError, UploadTooLarge
from app.pipeline.results import Effort, Outcome
from app.schemas import DecodeAnswer
from app.settings import Settings
from app.startup import load_pipeline
from app.workers.jobs import DecodeJob, Pipeline


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
    """Prints one line for each file, or with ``text`` one for each code. Raises as `decode_files` does."""
    status = SUCCESS
    options = {"effort": arguments.effort, "budget": arguments.budget, "expect": arguments.expect}
    for result in decode_files(arguments.images, read_settings(), **options):
        if result.answer is None:
            complain(f"{result.file}: {result.problem}")
            status = BAD_FILE
            continue
        if not is_all_read(result.answer, expect=arguments.expect):
            status = max(status, NOT_ALL_READ)
        if arguments.text:
            _say_text(result.answer)
        else:
            say(result.answer.model_dump_json())
    return status


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
