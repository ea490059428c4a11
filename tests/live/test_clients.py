"""The programs of docs/clients.md, run as they stand there against the real service, and where it refuses first."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from app.pipeline.files.png import encode_png
from tests.support.codes import qr_picture
from tests.support.live.refusing import HANG_UP, Refusing, refusing
from tests.support.live.servers import Server, running
from tests.support.paths import ROOT

DOCUMENTED: Final = re.findall(
    r"(?ms)^```(python|javascript|java|go)\n(.*?)^```$", (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
)
EXAMPLES: Final = re.findall(
    r"(?ms)^```(python|javascript)\n(.*?)^```$", (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
)
ADDRESS: Final = "http://127.0.0.1:8000"
"""What the shorter programs name."""
SECONDS: Final = 150.0
ATTEMPTS: Final = 8
TEXTS: Final = ("first", "second, with a comma", "Größe 3", "last")


@dataclass(frozen=True, slots=True)
class Language:
    """How a program in it is started, and the Debian package that brings what starts it."""

    command: Sequence[str]
    file: str
    package: str

    def is_installed(self) -> bool:
        return shutil.which(self.command[0]) is not None


LANGUAGES: Final = {
    "python": Language((sys.executable, "-W", "error"), "read_many.py", "python3"),
    "javascript": Language(("node",), "read_many.mjs", "nodejs"),
    "java": Language(("java",), "ReadMany.java", "default-jdk-headless"),
    "go": Language(("go", "run"), "read_many.go", "golang-go"),
}


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    require(name)
    return name


def require(name: str) -> None:
    language = LANGUAGES[name]
    if not language.is_installed():
        pytest.skip(f"no test of the client in {name}: {language.command[0]} is not installed "
                    f"(Debian: apt-get install {language.package})")  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture of each text, and with one named as the label of the documentation."""
    for number, text in enumerate(TEXTS):
        (tmp_path / f"{number}.png").write_bytes(encode_png(qr_picture(text)))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "label.jpg").write_bytes(encode_png(qr_picture("the label")))
    return tmp_path


@pytest.fixture
def front(server: Server) -> Iterator[Refusing]:
    with refusing(server.port) as front:
        yield front


def program(language: str, number: int = 0) -> str:
    """Program ``number`` in a language, counted from 0; the first one of each reads many files."""
    return [text for name, text in DOCUMENTED if name == language][number]


def run(language: str, source: str, folder: Path, *arguments: str) -> str:
    """What a program prints. Fails if it complains or takes too long."""
    file = folder / LANGUAGES[language].file
    file.write_text(source, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    ended = subprocess.run(
        [*LANGUAGES[language].command, file.name, *arguments],
        cwd=folder,
        env=environment | {"PYTHONUTF8": "1", "JAVA_TOOL_OPTIONS": "-Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    complaints = [line for line in ended.stderr.splitlines() if not line.startswith("Picked up JAVA_TOOL_OPTIONS")]
    assert (ended.returncode, complaints) == (0, [])
    return ended.stdout


def read_many(language: str, folder: Path, address: str, files: Sequence[str]) -> dict[str, list[str] | None]:
    """The texts of each file that the program names; None where it tells of a problem. One line a file."""
    lines = run(language, program(language), folder, address, *files).splitlines()
    found: dict[str, list[str] | None] = {}
    for line in lines:
        if language == "java":
            file, _, body = line.partition("\t")
            answer = json.loads(body)
        else:
            answer = json.loads(line)
            file = answer["file"]
        texts = answer["texts"] if "texts" in answer else [code["text"] for code in answer.get("codes") or []]
        found[file] = None if "problem" in answer or "status" in answer else texts
    assert len(lines) == len(found) == len(files)
    return found


NAMES: Final = [f"{number}.png" for number in range(len(TEXTS))]
READ: Final = {name: [text] for name, text in zip(NAMES, TEXTS, strict=True)}


def test_every_file_has_its_line(language: str, server: Server, folder: Path, blank_png: bytes) -> None:
    (folder / "blank.png").write_bytes(blank_png)
    (folder / "notes.png").write_bytes(b"plain text")
    files = [*NAMES, "blank.png", "notes.png", "missing.png"]
    found = read_many(language, folder, f"http://127.0.0.1:{server.port}", files)
    assert found == READ | {"blank.png": [], "notes.png": None, "missing.png": None}


def test_refusals_are_waited_out(language: str, front: Refusing, folder: Path) -> None:
    told, silent, broken, plain = ((folder / name).read_bytes() for name in NAMES)
    front.refusals = {
        told: [(429, {"Retry-After": "2"})],
        silent: [(503, {}), (503, {"Content-Type": "text/html"})],
        broken: [(HANG_UP, {})],
    }
    assert read_many(language, folder, front.address, NAMES) == READ
    (wait,) = front.waits(told)
    assert 2 <= wait < 20
    first, second = front.waits(silent)
    assert 0.25 <= first < 20
    assert 0.5 <= second < 20
    assert len(front.arrivals[broken]) == 2
    assert len(front.arrivals[plain]) == 1


def test_final_errors_are_not_sent_again(language: str, front: Refusing, folder: Path) -> None:
    statuses = (400, 413, 500, 504)
    bodies = [(folder / name).read_bytes() for name in NAMES]
    front.refusals = {body: [(status, {})] for body, status in zip(bodies, statuses, strict=True)}
    assert read_many(language, folder, front.address, NAMES) == dict.fromkeys(NAMES)
    assert [len(front.arrivals[body]) for body in bodies] == [1, 1, 1, 1]


def test_nobody_waits_for_longer_than_a_minute(language: str, front: Refusing, folder: Path) -> None:
    front.otherwise = [(503, {"Retry-After": "3600"})] * 2
    assert read_many(language, folder, front.address, NAMES[:1]) == {NAMES[0]: None}
    assert len(front.arrivals[(folder / NAMES[0]).read_bytes()]) == 1


@pytest.mark.slow
def test_attempts_are_bounded(language: str, front: Refusing, folder: Path) -> None:
    front.otherwise = [(429, {"Retry-After": "0"})] * 20
    assert read_many(language, folder, front.address, NAMES[:1]) == {NAMES[0]: None}
    assert len(front.arrivals[(folder / NAMES[0]).read_bytes()]) == ATTEMPTS


@pytest.mark.slow
def test_a_service_of_one_place_refuses_and_every_file_is_read(weights: Path, folder: Path) -> None:
    files = [f"{number}-again.png" for number in range(24)]
    for number, name in enumerate(files):
        (folder / name).write_bytes(encode_png(qr_picture(f"number {number}")))
    with running(weights=weights, workers=1, queue=0) as server:
        for language in ("python", "javascript"):
            require(language)
            found = read_many(language, folder, f"http://127.0.0.1:{server.port}", files)
            assert found == {name: [f"number {number}"] for number, name in enumerate(files)}
        assert server.metric("qrestore_refused_total") > 0


def test_the_shorter_programs(server: Server, folder: Path) -> None:
    address = f"http://127.0.0.1:{server.port}"

    def printed(language: str, source: str, *arguments: str) -> str:
        return run(language, source.replace(ADDRESS, address), folder, *arguments).strip()

    assert printed("python", program("python", 1)) == "[('the label', 0)]"
    assert printed("python", program("python", 2)) == ""
    assert [path.name for path in folder.glob("restored-*")] == ["restored-0.png"]
    assert printed("python", EXAMPLES[0][1]) == "['the label']"
    require("javascript")
    assert printed("javascript", program("javascript", 1), address, "0.png") == "1 [ 'first' ]"
    assert printed("javascript", EXAMPLES[1][1]) == "[ 'the label' ]"


def test_the_python_client_is_short() -> None:
    lines = [line for line in program("python").splitlines() if line.strip()]
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 120


@pytest.mark.slow
def test_the_python_client_is_typed(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="no test of its types: mypy is not installed")
    file = tmp_path / "read_many.py"
    file.write_text(program("python"), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        f"--cache-dir={tmp_path / 'cache'}",
        str(file),
    ]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
