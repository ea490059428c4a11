"""`qrestore decode`: the served pipeline on files, without a server."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.errors import QrestoreError, UploadTooLarge
from app.pipeline.results import Effort
from app.schemas import FileAnswer
from app.settings import Settings
from app.startup import load_pipeline
from app.workers.jobs import Pipeline


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file: an answer, or the reason why there is none."""

    file: str
    answer: FileAnswer | None = None
    problem: str = ""


def decode_files(files: Iterable[Path], settings: Settings, *, effort: str | None = None) -> Iterator[Result]:
    """One result per file, in order, each as soon as it is known. Raises InvalidCheckpoint before the first.

    `effort` is the value of an Effort; None takes the settings' own.
    """
    pipeline = load_pipeline(settings)
    bound = settings.default_effort if effort is None else Effort(effort)
    for file in files:
        yield decode_file(file, pipeline, effort=bound, max_bytes=settings.max_upload_bytes)


def decode_file(file: Path, pipeline: Pipeline, *, effort: Effort, max_bytes: int) -> Result:
    try:
        if file.stat().st_size > max_bytes:
            raise UploadTooLarge(f"The file is larger than {max_bytes} bytes.")
        outcome = pipeline.read(file.read_bytes(), effort=effort)
    except OSError as exc:
        return Result(str(file), problem=exc.strerror or "The file cannot be read.")
    except QrestoreError as exc:
        return Result(str(file), problem=exc.detail)
    return Result(str(file), answer=FileAnswer.of_file(outcome, file=str(file), request_id=uuid.uuid4().hex))
