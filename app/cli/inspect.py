"""`qrestore inspect`: writes what each step of the pipeline saw in one file, of a document in its first page."""

import argparse
import json
from pathlib import Path

from app.cli.batch.requested import effort_of
from app.cli.configuration import read_settings
from app.cli.inspection import Inspection
from app.cli.inspection_report import Report
from app.cli.terminal import BAD_FILE, CANNOT_START, NOT_ALL_READ, SUCCESS, complain, say
from app.errors import QrestoreError, UploadTooLarge
from app.pipeline.files.documents.opening import first_page
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort
from app.settings import Settings
from app.startup import load_ladder


def run(arguments: argparse.Namespace) -> int:
    """Inspects ``image`` into the folder ``out``, which must be new or empty, and prints what was read.

    Raises InvalidConfiguration, and as `load_ladder` does.
    """
    settings = read_settings()
    try:
        image = _read_image(arguments.image, settings)
    except OSError as exc:
        complain(f"{arguments.image}: {exc.strerror or 'The file cannot be read.'}")
        return BAD_FILE
    except QrestoreError as exc:
        complain(f"{arguments.image}: {exc.detail}")
        return BAD_FILE
    effort = effort_of(arguments, settings)
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        if any(arguments.out.iterdir()):
            complain(f"{arguments.out}: The folder is not empty.")
            return CANNOT_START
        report = inspect(image, load_ladder(settings), arguments.out, effort=effort, file=str(arguments.image))
    except OSError as exc:
        complain(f"{arguments.out}: {exc.strerror or 'The folder cannot be written to.'}")
        return CANNOT_START
    read = (f"{symbol.rung}: {symbol.line}" for symbol in report.answer)
    for line in (f"{arguments.out}/report.txt", *read, *(f"not read: {unread.line}" for unread in report.unread)):
        say(line)
    return SUCCESS if report.has_read else NOT_ALL_READ


def inspect(image: GreyImage, ladder: Ladder, folder: Path, *, effort: Effort, file: str) -> Report:
    """Writes pictures, `report.json` and `report.txt` into a folder. Raises OSError where that cannot be done."""
    report = Inspection(ladder.climb(image, effort=effort), folder).report(file)
    (folder / "report.json").write_text(json.dumps(report.as_dict(), indent=1, ensure_ascii=False), encoding="utf-8")
    (folder / "report.txt").write_text(report.as_text(), encoding="utf-8")
    return report


def _read_image(file: Path, settings: Settings) -> GreyImage:
    if file.stat().st_size > settings.max_upload_bytes:
        raise UploadTooLarge(f"The file is larger than {settings.max_upload_bytes} bytes.")
    return first_page(file.read_bytes(), max_pixels=settings.max_pixels).image
