"""`qrestore archive`: reads an archive into a folder of parts, on this machine or on those of a Ray cluster."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from app.cli.archives import storage
from app.cli.archives.crew import Crew, Plan, task
from app.cli.archives.parts import Archive
from app.cli.batch.progress import Progress
from app.cli.batch.requested import budget_of, effort_of, fault_of, requested
from app.cli.batch.sources import Sources, spell
from app.cli.batch.summary import sum_up
from app.cli.configuration import read_settings
from app.cli.terminal import BAD_FILE, USAGE, complain
from app.errors import InternalError, InvalidConfiguration
from app.settings import Settings

OFF: Final = "off"
_NEEDS_EXTRA: Final = "--ray {} needs Ray: pip install 'qrestore[ray]', or read on this machine alone with --ray off"
_PASSES: Final = 3
"""Passes over what is left, of which Ray should need one."""


def run(arguments: argparse.Namespace) -> int:
    """Reads every file that the output folder does not have yet; returns the exit status of all.

    Raises InvalidConfiguration, and as `load_service` does, before the first file.
    """
    if fault := _fault(arguments) or fault_of(arguments):
        complain(fault)
        return USAGE
    settings = read_settings()
    plan = _plan(arguments, settings)
    try:
        names = list(dict.fromkeys(_names(arguments.input)))
        stated = _stated(arguments, plan)
        with Archive.open(arguments.output, form=arguments.format, rows=arguments.part_rows, options=stated) as archive:
            _read(names, archive, arguments, plan, settings)
    except OSError as exc:
        complain(f"{exc.filename or arguments.input}: {exc.strerror or exc}")
        return BAD_FILE
    return sum_up(archive.statuses, is_told=True)


def _fault(arguments: argparse.Namespace) -> str:
    """Why input and output make no sense; empty if they do."""
    source = str(arguments.input)
    if storage.is_address(source):
        return ""
    if not os.path.exists(source):
        return f"--input {source}: there is no such folder or list"
    output, folder = arguments.output.resolve(), Path(source).resolve()
    if folder.is_dir() and output.is_relative_to(folder):
        return "--output is in --input: its parts would be read as pictures"
    return ""


def _plan(arguments: argparse.Namespace, settings: Settings) -> Plan:
    is_alone = arguments.ray == OFF
    return Plan(
        settings=settings.model_dump(exclude_unset=True, exclude={"workers"}),
        jobs=arguments.jobs or (settings.workers if is_alone else 1),
        effort=effort_of(arguments, settings),
        budget=budget_of(arguments, settings),
        expect=arguments.expect,
        options=requested(arguments),
    )


def _stated(arguments: argparse.Namespace, plan: Plan) -> dict[str, object]:
    """What the manifest says of how files are read: a later run must ask for the same."""
    options = plan.options.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return options | {"effort": str(plan.effort), "budget": arguments.budget, "expect": plan.expect}


def _names(source: str) -> Iterator[str]:
    """The files of a folder, below an address, or in a list of such names, as `qrestore decode` finds them."""
    if storage.is_address(source):
        yield from storage.listed(source)
        return
    is_folder = os.path.isdir(source)
    sources = Sources([source]) if is_folder else Sources(lists=[source])
    yield from (picture.path for picture in sources if picture.path is not None)


def _read(names: list[str], archive: Archive, arguments: argparse.Namespace, plan: Plan, settings: Settings) -> None:
    """Reads what is left. Raises InternalError where something stays left."""
    progress = Progress(sys.stderr, lambda: len(names)) if sys.stderr.isatty() else None
    with _machines(arguments.ray, plan, settings) as lines:
        for _ in range(_PASSES):
            left = [name for name in names if spell(name) not in archive.done]
            if progress:
                progress.skipped = len(names) - len(left) - progress.done
            for line in lines(left) if left else ():
                if archive.add(line) and progress:
                    progress.advance()
    if progress:
        progress.clear()
    if missing := sum(spell(name) not in archive.done for name in names):
        raise InternalError(f"{missing} files were not read; give the same command again.")


@contextmanager
def _machines(where: str, plan: Plan, settings: Settings) -> Iterator[Callable[[Sequence[str]], Iterator[str]]]:
    """What makes lines of names."""
    if where == OFF:
        crew = Crew(plan)
        try:
            yield lambda names: crew.lines(map(task, names))
        finally:
            crew.close()
        return
    try:
        from app.cli.archives import on_ray  # noqa: PLC0415 - the extra ray, which --ray off does without
    except ImportError as exc:
        raise InvalidConfiguration(_NEEDS_EXTRA.format(where)) from exc
    on_ray.start(where)
    try:
        yield partial(on_ray.lines, plan=plan, most=settings.max_upload_bytes + 1)
    finally:
        on_ray.stop()
