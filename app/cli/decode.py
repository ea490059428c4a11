"""`qrestore decode`: reads files as the service does, without a server."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.cli.batch.output import FileOutput, Output, Past, StandardOutput
from app.cli.batch.parallel import in_order
from app.cli.batch.pictures import Folder
from app.cli.batch.progress import Count, Progress
from app.cli.batch.reading import Reader, Task, labels, single
from app.cli.batch.records import BARE, FORMS, Result, in_words
from app.cli.batch.requested import budget_of, effort_of, fault_of, requested
from app.cli.batch.sources import STANDARD_INPUT, Sources
from app.cli.batch.summary import sum_up
from app.cli.configuration import read_settings
from app.cli.terminal import BAD_FILE, USAGE, complain
from app.service import Runtime
from app.settings import Settings
from app.startup import load_service
from app.telemetry.metrics import Metrics


def run(arguments: argparse.Namespace) -> int:
    """Reads the files that the arguments name and writes lines about each, in their order, as soon as they are there.

    Returns the exit status. Raises InvalidConfiguration, and as `load_service` does, before the first line.
    """
    if fault := _fault(arguments):
        complain(fault)
        return USAGE
    settings = read_settings()
    is_alone = Sources(arguments.paths, arguments.lists).is_one_file
    settings = read_settings(workers=1 if is_alone else arguments.jobs or settings.workers)
    try:
        past = _past(arguments)
        with _output(arguments) as output, _runtime(settings, own_networks=not is_alone) as runtime:
            return _read(arguments, _reader(arguments, settings, runtime), output, past)
    except BrokenPipeError:
        raise
    except OSError as exc:
        complain(f"{exc.filename or 'output'}: {exc.strerror}")
        return BAD_FILE


def _fault(arguments: argparse.Namespace) -> str:
    """Why these arguments make no sense together; empty if they do."""
    if not (arguments.paths or arguments.lists):
        return "name a file, a folder or a pattern, - for standard input, or a list of files with --from"
    if [*arguments.paths, *arguments.lists].count(STANDARD_INPUT) > 1:
        return "standard input can be read once only"
    if arguments.resume and arguments.output is None:
        return "--resume needs --output: it continues that file"
    if arguments.resume and arguments.format == BARE:
        return "--resume needs another format: bare texts do not say which files are done"
    for each in arguments.lists:
        if each != STANDARD_INPUT and not Path(each).is_file():
            is_there = Path(each).exists()
            return f"--from {each}: {'pipe the names to --from -' if is_there else 'there is no such file'}"
    return fault_of(arguments)


def _past(arguments: argparse.Namespace) -> Past:
    if arguments.resume and arguments.output.exists():
        return Past.of(arguments.output, arguments.format, expect=arguments.expect)
    return Past()


@contextmanager
def _output(arguments: argparse.Namespace) -> Iterator[Output]:
    """Where the lines go; an empty file and standard output begin with the header of the format."""
    header = FORMS[arguments.format].header
    first = [] if header is None else [header]
    if arguments.output is None:
        output: Output = StandardOutput(arguments.format)
        output.write(first)
        yield output
        return
    with arguments.output.open("ab" if arguments.resume else "wb") as stream:
        output = FileOutput(stream)
        output.write([] if stream.tell() else first)
        yield output


@contextmanager
def _runtime(settings: Settings, *, own_networks: bool) -> Iterator[Runtime]:
    """Child processes and networks, as the service has them; with ``own_networks`` see `load_service`."""
    runtime = load_service(settings, Metrics(), children=settings.workers, own_networks=own_networks)
    try:
        yield runtime
    finally:
        runtime.worker.close()
        runtime.close()


def _reader(arguments: argparse.Namespace, settings: Settings, runtime: Runtime) -> Reader:
    return Reader(
        runtime.worker,
        settings,
        effort=effort_of(arguments, settings),
        budget=budget_of(arguments, settings),
        expect=arguments.expect,
        options=requested(arguments),
        restored=Folder(arguments.restore) if arguments.restore else None,
        annotated=Folder(arguments.annotate) if arguments.annotate else None,
    )


def _tasks(arguments: argparse.Namespace, content: bytes = b"") -> Iterable[Task]:
    pictures = Sources(arguments.paths, arguments.lists, content)
    return labels(pictures) if arguments.fuse else single(pictures)


def _read(arguments: argparse.Namespace, reader: Reader, output: Output, past: Past) -> int:
    """Does every task that is not done yet; returns the exit status of all."""
    form = FORMS[arguments.format]
    statuses = Counter(past.statuses)
    progress = _progress(arguments)

    def left() -> Iterator[Task]:
        for task in _tasks(arguments, _standard_input(arguments, reader.settings)):
            if form.spell(task.name) not in past.files:
                yield task
            elif progress:
                progress.skipped += 1

    for result in in_order(reader.read, left(), jobs=reader.settings.workers, stop=reader.worker.close):
        output.write(form.lines(result))
        statuses[result.record.status(expect=arguments.expect)] += 1
        if arguments.format == BARE:
            _complain_about(result)
        if progress:
            progress.advance()
    if progress:
        progress.clear()
    return sum_up(statuses, is_told=arguments.output is not None)


def _standard_input(arguments: argparse.Namespace, settings: Settings) -> bytes:
    """The picture on standard input, one byte more than is accepted at most; empty where none is asked for."""
    return sys.stdin.buffer.read(settings.max_upload_bytes + 1) if STANDARD_INPUT in arguments.paths else b""


def _progress(arguments: argparse.Namespace) -> Progress | None:
    """A line of progress on a terminal that shows nothing else: results that scroll by are progress enough."""
    if not sys.stderr.isatty() or (arguments.output is None and sys.stdout.isatty()):
        return None
    count = Count(_tasks(arguments))
    if STANDARD_INPUT not in arguments.lists:
        count.start()
    return Progress(sys.stderr, lambda: count.result)


def _complain_about(result: Result) -> None:
    """Says on standard error what bare texts do not show."""
    if result.problem:
        complain(f"{result.file}: {result.problem.detail}")
    for words in in_words(result.answer) if result.answer else ():
        complain(f"{result.file}: {words}")
