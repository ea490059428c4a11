"""What a careless operator and a hostile payload must not break: keys, terminals, spreadsheets, starts, versions.

`ROWS` lists the checks by the number of the attack; each starts what it needs and returns (figure, what is wanted,
whether it is so).
"""

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from app.main import create_app
from app.pipeline.files.png import encode_png
from app.settings import Settings
from app.telemetry.escaping import is_unsafe
from tests.support.codes import qr_picture
from tests.support.live.servers import GOOD, Server, file_part, form, request, running
from tests.support.live.slow import SLOW
from tests.support.paths import ROOT

Measured = tuple[str, str, bool]
"""The figure, what is wanted, and whether it is so."""

_KEYS: Final = (b"0123456789abcdef-1", b"0123456789abcdef:2", b"0123456789abcdef=3")
_ACCEPTED: Final = b"\xef\xbb\xbfwarehouse: %s # gate\r\n\r\n# caf\xc3\xa9\r\n%s\r\n" % (_KEYS[0], _KEYS[2])
_REFUSED: Final[Mapping[str, tuple[bytes, str]]] = {
    "empty": (b"", "no API key"),
    "only comments": (b"# nobody\r\n", "no API key"),
    "short": (b"\nname: short\n", "line 2"),
    "doubled": (b"a: %s\n\nb: %s\n" % (_KEYS[0], _KEYS[0]), "line 3"),
    "a name twice": (b"a: %s\na: %s\n" % (_KEYS[0], _KEYS[1]), "line 2"),
    "not ASCII": ("a: 0123456789abcd\xe9\xe9\n".encode(), "line 1"),
    "Latin-1": (b"a: 0123456789abcd\xe9\xe9\n", "line 1"),
    "UTF-16": ("a: 0123456789abcdef\n".encode("utf-16"), "line 1"),
    "a note without #": (b"0123456789abcdef gate\n", "line 1"),
}
_HOSTILE: Final = "=1+1\x1b]0;owned\x07\x1b[1A\rspoofed\nsecond\x9b\N{RIGHT-TO-LEFT OVERRIDE}"
_FORMULAS: Final = ("=", "+", "-", "@")
_RELOADS: Final = 10


def key_files() -> Measured:
    """Every key of a file with a mark, CRLF and comments opens; every file with a fault is refused with its line."""
    with _folder() as folder:
        file = folder / "keys"
        file.write_bytes(_ACCEPTED)
        with running(entry=SLOW, workers=1, api_keys_file=file) as server:
            right = [_status(server, key) == 200 for key in (_KEYS[0], _KEYS[2])]
            right += [_status(server, key) == 401 for key in (b"\xef\xbb\xbf" + _KEYS[0], _KEYS[0] + b" # gate", b"")]
        for content, words in _REFUSED.values():
            file.write_bytes(content)
            lines = _refusal(API_KEYS_FILE=str(file))
            right.append(len(lines) == 1 and words in lines[0] and "0123456789" not in lines[0])
    return _share(right, "files and keys as documented")


def reload_under_load() -> Measured:
    """Keys are exchanged by SIGHUP while requests run on, and every request is answered by the keys of its moment."""
    with _folder() as folder:
        file = folder / "keys"
        file.write_bytes(b"kept: %s\nold: %s\n" % _KEYS[:2])
        with running(entry=SLOW, workers=2, api_keys_file=file) as server:
            answers: list[int] = []
            stop = threading.Event()
            client = threading.Thread(target=lambda: _ask_until(server, stop, answers))
            client.start()
            for turn in range(_RELOADS):
                file.write_bytes(b"kept: %s\nturn-%d: %s\n" % (_KEYS[0], turn, _KEYS[2]))
                count = len(server.log)
                os.kill(server.pid, signal.SIGHUP)
                server.wait_until(lambda after=count: any("read again" in line for line in server.log[after:]))
            stop.set()
            client.join()
            after = [_status(server, key) for key in _KEYS]
            series = re.findall(r'qrestore_key_requests_total\{key="([^"]*)"\}', server.get("/metrics").body.decode())
            named = {json.loads(line).get("key") for line in server.log if '"answered"' in line}
    lost = sum(status != 200 for status in answers)
    ok = lost == 0 and after == [200, 401, 200] and series == ["kept", f"turn-{_RELOADS - 1}"] and "kept" in named
    figure = f"{_RELOADS} reloads, {lost} of {len(answers)} requests lost, then {after}, counted for {series}"
    return figure, "none lost; 200, 401, 200; the names in force", ok


def described_schemes() -> Measured:
    with _folder() as folder:
        file = folder / "keys"
        file.write_bytes(_ACCEPTED)
        document: dict[str, Any] = create_app(Settings(api_keys_file=file)).openapi()
    schemes = sorted(document["components"]["securitySchemes"])
    needed = sorted(path for path, each in document["paths"].items() if "security" in json.dumps(each))
    ok = schemes == ["apiKey", "bearer"] and needed == ["/decode", "/models", "/restore"]
    return f"{', '.join(schemes)} for {', '.join(needed)}", "both schemes, on every path that needs a key", ok


def terminals() -> Measured:
    """What a terminal gets of hostile payloads and file names, by each format."""
    with _folder() as folder:
        file = folder / "\x1b[31mred.png"
        file.write_bytes(encode_png(qr_picture(_HOSTILE)))
        shown = [_on_a_terminal("decode", "--format", each, str(file)) for each in ("text", "jsonl", "csv")]
    unsafe = sum(is_unsafe(each) for text in shown for each in text.replace("\r\n", ""))
    return f"{unsafe} characters that a terminal obeys", "0", unsafe == 0 and all("spoofed" in text for text in shown)


def spreadsheets() -> Measured:
    with _folder() as folder:
        for number, start in enumerate(_FORMULAS):
            (folder / f"{number}.png").write_bytes(encode_png(qr_picture(f"{start}1+1\t\r\n")))
        files = sorted(map(str, folder.iterdir()))
        output = _command("decode", "--format", "csv", "--effort", "fast", *files).stdout
    cells = [cell for row in csv.reader(output.splitlines()) for cell in row]
    formulas = [cell for cell in cells if cell.startswith(_FORMULAS)]
    return (
        f"{len(formulas)} formulas in {len(cells)} cells",
        "0",
        not formulas and sum("1+1" in each for each in cells) == 4,
    )


def refused_starts() -> Measured:
    """Faults that stop a start: each gives one line that names the variable to change, and no traceback or "ready"."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        faults = [
            {"PORT": str(taken.getsockname()[1])},
            {"PORT": "0", "ADMIN_PORT": str(taken.getsockname()[1])},
            {"PORT": "0", "HOST": "192.0.2.1"},
            {"PORT": "0", "DEVICE": "cuda"},
            {"FOO": "1"},
            {"WORKER": "2"},
        ]
        told = [(f"QRESTORE_{list(fault)[-1]}", _refusal(**fault)) for fault in faults]
    ok = [len(lines) == 1 and name in lines[0] and "ready" not in lines[0] for name, lines in told]
    return _share(ok, "faults in one line")


def doctor_names_the_gpu() -> Measured:
    output = _command("doctor", "--port", "0", DEVICE="cuda")
    lines = [line for line in output.stdout.splitlines() if line.startswith("MISSING")]
    ok = len(lines) == 1 and "QRESTORE_DEVICE=cuda" in lines[0] and not output.stderr
    return lines[0][:100] if lines else "nothing", "one line that names the device", ok


def children_that_do_not_start() -> Measured:
    """The fork server's socket is moved away and back, and a child dies meanwhile."""
    with _folder() as folder, running(workers=1, request_seconds=3, folder=folder) as server:
        (sockets,) = folder.glob("pymp-*")
        sockets.rename(folder / "elsewhere")
        os.kill(server.workers()[0], signal.SIGKILL)
        status = server.upload(GOOD).status
        server.wait_until(lambda: "child processes do not start" in server.log_text(), 30)
        (folder / "elsewhere").rename(sockets)
        server.wait_until(lambda: "ready again" in server.log_text(), 30)
        count = sum("child processes do not start" in line for line in server.log)
    return f"{count} line, meanwhile {status}, then ready again", "1 line", count == 1


def hang_ups() -> Measured:
    """Clients that leave work which fails: nothing complains that nobody took the failure."""
    body = form(file_part(b"30"))
    with running(entry=SLOW, workers=1, work_seconds=1) as server:
        for turn in (1, 2):
            with server.connect() as connection:
                connection.sendall(request(body))
                server.wait_until_busy(1)
            server.wait_until(lambda turns=turn: server.restarts("timeout") == turns, 20)
        server.wait_until_busy(0)
        server.upload(b"0")
    count = server.log_text().count("never retrieved")
    return f"{count} complaints after 2 hang-ups", "0", count == 0


def text_logs() -> Measured:
    with running(entry=SLOW, workers=1, log_format="text") as server:
        server.upload(b"0")
    timed = [bool(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 [A-Z]+ ", line)) for line in server.log]
    return _share(timed, "lines with time and level")


def composed_settings() -> Measured:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    names = {f"QRESTORE_{name}".upper() for name in Settings.model_fields}
    lacking = {name: names - set(services[name]["environment"]) for name in ("qrestore", "qrestore-gpu")}
    return f"{sum(map(len, lacking.values()))} of {len(names)} settings lack", "0", not any(lacking.values())


def pinned_versions() -> Measured:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    images = [service["image"] for service in services if "build" not in service]
    images += re.findall(r"(?m)^ +image: (\S+)$", (ROOT / "docker/replicas/compose.yml").read_text())
    images += [f"python:{each}" for each in re.findall(r"(?m)^ARG PYTHON=(.+)$", (ROOT / "Dockerfile").read_text())]
    rows = re.findall(r"(?m)^\| `([\w/]+)` \| `(v?\d+\.\d+\.\d+)` \|", (ROOT / "docs/runbook.md").read_text())
    listed = {f"{name}:{version}" for name, version in rows}
    return ", ".join(images), "each in the table of docs/runbook.md", set(images) == listed


ROWS: Final[Mapping[int, Mapping[str, Callable[[], Measured]]]] = {
    6: {
        "key files": key_files,
        "keys exchanged under load": reload_under_load,
        "security schemes": described_schemes,
    },
    7: {"terminals": terminals, "spreadsheets": spreadsheets},
    9: {
        "starts that fail": refused_starts,
        "doctor without a GPU": doctor_names_the_gpu,
        "children that do not start": children_that_do_not_start,
        "hang-ups": hang_ups,
        "text logs": text_logs,
        "compose": composed_settings,
    },
    11: {"versions": pinned_versions},
}
"""The checks, by the number of the attack that they belong to and by name."""


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _status(server: Server, key: bytes) -> int:
    return server.upload(b"0", b"X-API-Key: " + key).status


def _ask_until(server: Server, stop: threading.Event, answers: list[int]) -> None:
    while not stop.is_set():
        answers.append(_status(server, _KEYS[0]))


def _command(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`qrestore` under these settings alone, and without a GPU."""
    environment = {f"QRESTORE_{name}": value for name, value in settings.items()} | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def _refusal(**settings: str) -> Sequence[str]:
    """What `qrestore serve` says of why it does not start, without the log."""
    result = _command("serve", **settings)
    if result.returncode != 3:
        return [f"status {result.returncode}"]
    return [line for line in result.stderr.splitlines() if not line.startswith("{")]


def _on_a_terminal(*arguments: str) -> str:
    ours, theirs = os.openpty()
    with subprocess.Popen([sys.executable, "-m", "app.cli", *arguments], cwd=ROOT, stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # how Linux says that the other side is closed
            pass
    os.close(ours)
    return shown.decode(errors="surrogateescape")


def _share(right: Sequence[bool], what: str) -> Measured:
    return f"{sum(right)} of {len(right)} {what}", "all", bool(right) and all(right)
