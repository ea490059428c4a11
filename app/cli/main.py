"""The console script `qrestore`: serve, decode, doctor.

A command's module is imported when the command is chosen, so that `qrestore doctor` runs where the rest cannot.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from app import __version__
from app.cli import doctor
from app.errors import QrestoreError

READ_ALL: Final = 0
NOT_ALL_READ: Final = 1
BAD_FILE: Final = 2
CANNOT_START: Final = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status of the process."""
    chosen = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = chosen.command
    try:
        return command(chosen)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has left; nothing more may be written, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_ALL_READ


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qrestore", description="Reads QR codes that stock decoders cannot.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the HTTP service", description="Run the HTTP service.")
    serve.add_argument("--host", help="address to listen on (QRESTORE_HOST, 127.0.0.1)")
    serve.add_argument("--port", type=_port, help="port to listen on (QRESTORE_PORT, 8000)")
    serve.set_defaults(command=_serve)

    decode = commands.add_parser(
        "decode",
        help="read image files",
        description="Read image files, one JSON object a line. "
        "Exit status: 0 all images gave a code, 1 some gave none, 2 a file could not be read, 3 no start.",
    )
    decode.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    decode.add_argument("--effort", choices=("fast", "balanced", "thorough"), help="how far up the ladder to go")
    decode.add_argument("--text", action="store_true", help="print the bare text of each code, a line each")
    decode.set_defaults(command=_decode)

    check = commands.add_parser(
        "doctor",
        help="say what is missing, and the command that mends it",
        description="Check this machine. Exit status: 0 nothing is missing, 1 something is.",
    )
    check.add_argument("--weights", type=Path, help="folder of the checkpoints (QRESTORE_WEIGHTS)")
    check.add_argument("--host", help="address to listen on (QRESTORE_HOST, 127.0.0.1)")
    check.add_argument("--port", type=_port, help="port to listen on (QRESTORE_PORT, 8000)")
    check.set_defaults(command=_doctor)
    return parser


def _serve(chosen: argparse.Namespace) -> int:
    settings = _settings(host=chosen.host, port=chosen.port)
    if settings is None:
        return CANNOT_START
    try:
        _load("app.main").serve(settings)
    except QrestoreError as exc:
        _complain(exc.detail)
        return CANNOT_START
    return 0


def _decode(chosen: argparse.Namespace) -> int:
    settings = _settings()
    if settings is None:
        return CANNOT_START
    status = READ_ALL
    try:
        for result in _load("app.cli.decode").decode_files(chosen.images, settings, effort=chosen.effort):
            if result.answer is None:
                _complain(f"{result.file}: {result.problem}")
                status = BAD_FILE
                continue
            if not result.answer.codes:
                status = max(status, NOT_ALL_READ)
            if chosen.text:
                for code in result.answer.codes:
                    _say(code.text)
            else:
                _say(result.answer.model_dump_json())
    except QrestoreError as exc:
        _complain(exc.detail)
        return CANNOT_START
    return status


def _doctor(chosen: argparse.Namespace) -> int:
    missing = 0
    for check in doctor.examine(weights=chosen.weights, host=chosen.host, port=chosen.port):
        _say(f"{'ok     ' if check.good else 'MISSING'} {check.name}: {check.found}")
        if not check.good:
            _say(f"        mend it with: {check.fix}")
            missing += 1
    return 1 if missing else 0


def _settings(**given: object) -> Any:
    """The settings, with those arguments that are not None on top; None, with the reasons said, if they are invalid."""
    given = {name: value for name, value in given.items() if value is not None}
    try:
        return _load("app.settings").Settings(**given)
    except ValueError as exc:
        for error in getattr(exc, "errors", list)():
            _complain(f"QRESTORE_{'_'.join(map(str, error['loc'])).upper()}: {error['msg']}")
        return None


def _load(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        _complain(f"{exc}. `qrestore doctor` says what is missing.")
        raise SystemExit(CANNOT_START) from exc


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is between 0 and 65535")
    return port


def _say(line: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _complain(line: str) -> None:
    encoding = sys.stderr.encoding or "utf-8"
    print(f"qrestore: {line}".encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
