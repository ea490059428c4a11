"""Parses the arguments of `qrestore` and runs one command.

A command is a module of this package with a function ``run(arguments)`` that returns the exit status. The module is
imported only when its command is chosen, so that `qrestore doctor` runs where the other commands cannot.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final

from app import __version__
from app.cli.terminal import CANNOT_START, NOT_ALL_READ, complain
from app.errors import QrestoreError

_INTERRUPTED = 130  # as shells report it
_MOST_CODES = 254  # the ceiling of QRESTORE_MAX_CODES
_MOST_JOBS = 256
_MOST_ROWS = 1_000_000
_REQUESTED: Final = (
    ("pages", "RANGES", "pages of documents, frames of animations, from 1: 2, 1-3, 1,4-6 or 10-"),
    ("region", "X,Y,WIDTH,HEIGHT", "look only there: in pixels, or with decimal points in shares of the picture"),
    ("symbologies", "WORDS", "qr, matrix, linear, all or names of symbologies, between commas (qr)"),
    ("charset", "NAME", "charset of bytes that a symbol names none for"),
    ("frame", "FRAME", "stored or upright: positions in pictures as their pixels are stored, or as viewers turn them"),
)
"""Options of `decode` that a request has, too; `app.options` checks them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command that ``argv`` names, by default the process's own arguments. Returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments)
    except QrestoreError as exc:
        for line in exc.detail.splitlines():
            complain(line)
        return CANNOT_START
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # nobody reads the output any more: nothing may be written to it, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_ALL_READ


def _run(arguments: argparse.Namespace) -> int:
    try:
        command = importlib.import_module(f"app.cli.{arguments.command}")
    except ImportError as exc:
        complain(f"{exc}. Run `qrestore doctor` to see what is missing.")
        return CANNOT_START
    status: int = command.run(arguments)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qrestore", description="Reads QR codes that stock decoders cannot.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the HTTP service", description="Runs the HTTP service.")
    _add_address(serve)

    _add_decode(
        commands.add_parser(
            "decode",
            help="read image files",
            description="Reads pictures and writes what each shows, also where it cannot be read. Exit status: 0 if "
            "every picture gave a code and no code was seen but not read (with --expect N: if every picture gave N "
            "codes), or there was no file to read; 1 if not; 2 if the arguments are not valid; 3 if a file could not "
            "be read or written, or the command could not start.",
        )
    )

    _add_archive(
        commands.add_parser(
            "archive",
            help="read an archive of images, on one machine or many",
            description="Reads every picture of an archive into a folder of parts, with the lines that `decode` "
            "writes; the same command again goes on where an earlier one ended. Exit status as of `decode`.",
        )
    )

    inspect = commands.add_parser(
        "inspect",
        help="write what each step saw in an image file",
        description="Writes what each step of the pipeline saw in an image file: pictures, report.txt and report.json. "
        "Exit status: 0 if something was read, 1 if nothing was, 2 if the arguments are not valid, 3 if the file could "
        "not be read or the command not start.",
    )
    inspect.add_argument("image", type=Path, metavar="IMAGE")
    inspect.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to, new or empty")
    _add_effort(inspect)

    doctor = commands.add_parser(
        "doctor",
        help="check this machine, and name the command that fixes each fault",
        description="Checks whether this machine can run the service. Exit status: 0 if it can, 1 if something is "
        "missing.",
    )
    doctor.add_argument("--weights", type=Path, help="folder of the checkpoints (QRESTORE_WEIGHTS)")
    _add_address(doctor)
    return parser


def _add_decode(decode: argparse.ArgumentParser) -> None:
    decode.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a file; a folder, for all files in it and in its folders but hidden ones; a quoted pattern such as "
        "'scans/**/*.png'; or - for the picture on standard input",
    )
    decode.add_argument(
        "--from",
        action="append",
        default=[],
        dest="lists",
        metavar="LIST",
        help="file with a name of a file or folder a line, or each ended by NUL; - for standard input",
    )
    _add_search(decode)
    decode.add_argument(
        "--fuse",
        action="store_true",
        help="the files of each folder are frames of one label, and so are those named one after another",
    )
    decode.add_argument(
        "--jobs",
        type=_whole("a number of jobs", 1, _MOST_JOBS),
        metavar="N",
        help="pictures read at once, in child processes (QRESTORE_WORKERS)",
    )
    decode.add_argument(
        "--format",
        choices=("jsonl", "csv", "text"),
        default="jsonl",
        help="jsonl: a JSON object a file; csv: a line a code; text: file, tab and text a code. Control characters are "
        "escaped, and no cell of csv is a formula",
    )
    decode.add_argument(
        "--text",
        action="store_const",
        const="bare",
        dest="format",
        help="only the text of each code; escaped on a terminal, elsewhere as it is",
    )
    decode.add_argument("--output", type=Path, metavar="FILE", help="file for the lines; an older one is replaced")
    decode.add_argument("--resume", action="store_true", help="continue --output instead: skip the files that it has")
    decode.add_argument("--restore", type=Path, metavar="DIR", help="folder for the restored code of each picture")
    decode.add_argument("--annotate", type=Path, metavar="DIR", help="folder for each picture with its codes outlined")


def _add_archive(archive: argparse.ArgumentParser) -> None:
    archive.add_argument(
        "--input",
        required=True,
        metavar="SOURCE",
        help="a folder, for all files in it and in its folders but hidden ones; an address such as s3://bucket/prefix; "
        "or a file with a name or address a line, or each ended by NUL",
    )
    archive.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for the parts, and where to go on"
    )
    archive.add_argument(
        "--ray",
        choices=("off", "local", "auto"),
        default="off",
        help="off: this process reads; local: a Ray cluster of this machine alone; auto: the cluster that runs here or "
        "that RAY_ADDRESS names (off)",
    )
    archive.add_argument(
        "--format",
        choices=("jsonl", "parquet"),
        default="jsonl",
        help="jsonl: a JSON object a file; parquet: columns of it, and the whole object in the column answer",
    )
    archive.add_argument(
        "--part-rows",
        type=_whole("a number of rows", 1, _MOST_ROWS),
        default=5000,
        metavar="N",
        help="files of a part; a run that is killed does as many again (5000)",
    )
    archive.add_argument(
        "--jobs",
        type=_whole("a number of jobs", 1, _MOST_JOBS),
        metavar="N",
        help="pictures read at once, in child processes: of this process (QRESTORE_WORKERS), or of each Ray actor (1)",
    )
    _add_search(archive)


def _add_search(parser: argparse.ArgumentParser) -> None:
    """Options that say how each picture is searched."""
    _add_effort(parser)
    parser.add_argument(
        "--budget",
        type=_budget,
        metavar="SECONDS",
        help="seconds of work after which the search of a picture ends (QRESTORE_BUDGET_SECONDS, at thorough effort "
        "none)",
    )
    parser.add_argument(
        "--expect",
        type=_whole("an expected number", 1, _MOST_CODES),
        metavar="N",
        help="codes that each picture shows; the search ends when they are read",
    )
    for name, metavar, text in _REQUESTED:
        parser.add_argument(f"--{name}", metavar=metavar, help=text)


def _add_effort(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--effort",
        choices=("fast", "balanced", "thorough"),
        help="fast: one plain look; balanced: every code that can be read within the budget; thorough: every code that "
        "can be read (QRESTORE_DEFAULT_EFFORT)",
    )


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (QRESTORE_HOST, 127.0.0.1)")
    parser.add_argument("--port", type=_whole("a port", 0, 65535), help="port to listen on (QRESTORE_PORT, 8000)")


def _budget(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) < inf:
            return float(text)
    raise argparse.ArgumentTypeError("a budget is a number of seconds above 0")


def _whole(what: str, lowest: int, highest: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number from ``lowest`` to ``highest``; ``what`` names it."""

    def number(text: str) -> int:
        with suppress(ValueError):
            if lowest <= int(text) <= highest:
                return int(text)
        raise argparse.ArgumentTypeError(f"{what} is a whole number from {lowest} to {highest}")

    return number
