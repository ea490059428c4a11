"""`qrestore decode` on many files: labels, pictures that it writes, and what it leaves where it is killed."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pytest

from app.cli import terminal
from app.cli.main import main
from app.errors import InternalError, ProcessingTimeout, WorkerCrashed
from app.pipeline.files.png import encode_png
from app.pipeline.quad import Quad
from app.pipeline.results import Reason
from app.workers.usage import resident_memory
from tests.support.codes import qr_picture
from tests.support.command import lines
from tests.support.fakes import FakeLadder, symbol, unread
from tests.support.paths import ROOT
from tests.support.tiffs import TiffPage, tiff

EVERY: Final = 20
"""One file of so many is broken."""


@pytest.fixture
def pictures(tmp_path: Path, blank_png: bytes) -> Path:
    """Two folders with a picture of the same name, and something else in one of them."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(blank_png)
    (tmp_path / "two" / "y.txt").write_text("no picture")
    return tmp_path


class TestPictures:
    def test_pictures_of_two_folders_do_not_overwrite_each_other(
        self, pictures: Path, ladder: FakeLadder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folders = [str(pictures / folder) for folder in ("one", "two")]
        options = ["--restore", str(pictures / "restored"), "--annotate", str(pictures / "annotated")]
        assert main(["decode", *folders, *options]) == terminal.BAD_FILE
        first, second, third = lines(capsys.readouterr().out)
        for answer, folder in ((first, "one"), (second, "two")):
            restored, annotated = (pictures / kind / folder / "x.png.png" for kind in ("restored", "annotated"))
            assert answer["restored"] == str(restored)
            assert answer["annotated"] == [str(annotated)]
            assert cv2.imread(str(restored), cv2.IMREAD_UNCHANGED).shape == (20, 30)
            assert cv2.imread(str(annotated), cv2.IMREAD_UNCHANGED).shape == (48, 64, 3)
        assert set(third) == {"file", "problem"}
        assert len([*(pictures / "restored").rglob("*.*")]) == 2

    def test_outlines_tell_what_was_read_from_what_was_not(
        self, tmp_path: Path, ladder: FakeLadder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ladder.symbols = (symbol(),)
        ladder.unread = (unread(Reason.CUT_OFF, corners=Quad.of([(150, 40), (190, 40), (190, 80), (150, 80)])),)
        file = tmp_path / "x.png"
        file.write_bytes(encode_png(np.full((100, 200), 200, np.uint8)))
        main(["decode", str(file), "--annotate", str(tmp_path / "out")])
        (answer,) = lines(capsys.readouterr().out)
        drawn = cv2.imread(*answer["annotated"]).astype(int)
        blue, green, red = drawn[10, 1]  # on the left edge of the code
        assert green > max(blue, red) + 60
        blue, green, red = drawn[60, 149:151].mean(axis=0)
        assert red > green > blue + 40
        assert (drawn[90, 100] == 200).all()

    def test_nothing_is_restored_where_nothing_was_located(
        self, pictures: Path, ladder: FakeLadder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ladder.located, ladder.symbols = False, ()
        main(["decode", str(pictures / "one"), "--restore", str(pictures / "restored")])
        (answer,) = lines(capsys.readouterr().out)
        assert "restored" not in answer
        assert not (pictures / "restored").exists()

    def test_codes_are_not_lost_with_a_picture_that_cannot_be_written(
        self, pictures: Path, ladder: FakeLadder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (pictures / "full").write_text("a file where a folder should be")
        assert main(["decode", str(pictures / "one"), "--restore", str(pictures / "full")]) == terminal.BAD_FILE
        (answer,) = lines(capsys.readouterr().out)
        assert [code["text"] for code in answer["codes"]] == ["hello"]
        assert answer["problem"]["type"] == "urn:qrestore:problem:file_access"


class TestPages:
    @pytest.fixture
    def document(self, tmp_path: Path) -> Path:
        file = tmp_path / "x.tif"
        file.write_bytes(tiff(*(TiffPage(np.full((40, width), 200, np.uint8)) for width in (60, 70, 80))))
        return file

    def test_every_page_that_was_read_is_outlined(
        self, document: Path, ladder: FakeLadder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = document.parent / "out"
        assert main(["decode", str(document), "--pages", "1,3", "--annotate", str(out)]) == terminal.SUCCESS
        (answer,) = lines(capsys.readouterr().out)
        assert [code["page"] for code in answer["codes"]] == [0, 2]
        assert [Path(each).name for each in answer["annotated"]] == ["x.tif.1.png", "x.tif.3.png"]
        assert [cv2.imread(each).shape[1] for each in answer["annotated"]] == [60, 80]

    def test_only_a_part_is_looked_at(self, document: Path, ladder: FakeLadder) -> None:
        main(["decode", str(document), "--region", "10,0,20,30", "--symbologies", "all", "--charset", "big5"])
        assert [call["shape"] for call in ladder.calls] == [(30, 20)] * 3
        assert "DataMatrix" in ladder.symbologies[0]

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("--pages", "0"),
            ("--region", "1,2,3"),
            ("--symbologies", "barcode"),
            ("--charset", "utf-9"),
            ("--frame", "mirrored"),
        ],
    )
    def test_options_that_are_not_valid(
        self, document: Path, option: str, value: str, ladder: FakeLadder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["decode", str(document), option, value]) == terminal.USAGE
        assert option in capsys.readouterr().err
        assert not ladder.calls


class TestLabels:
    def test_each_folder_is_a_label(
        self, pictures: Path, ladder: FakeLadder, blank_png: bytes, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (pictures / "two" / "y.txt").write_bytes(blank_png)
        named = [str(pictures / "one" / "x.png"), str(pictures / "two")]
        assert main(["decode", "--fuse", *named, "--annotate", str(pictures / "out")]) == terminal.SUCCESS
        first, second = lines(capsys.readouterr().out)
        assert (first["file"], first["frames"]) == (named[0], [named[0]])
        assert second["file"] == named[1]
        assert second["frames"] == [f"{named[1]}/x.png", f"{named[1]}/y.txt"]
        assert [code["frame"] for code in second["codes"]] == [1]
        assert sorted(len(call["shapes"]) for call in ladder.calls) == [1, 2]  # type: ignore[arg-type]
        assert len(second["annotated"]) == 2

    def test_too_many_frames_are_a_problem_of_this_label(
        self, pictures: Path, ladder: FakeLadder, blank_png: bytes, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for number in range(8):
            (pictures / "one" / f"{number}.png").write_bytes(blank_png)
        assert main(["decode", "--fuse", str(pictures / "one"), str(pictures / "two")]) == terminal.BAD_FILE
        first, second = lines(capsys.readouterr().out)
        assert first["problem"]["type"] == "urn:qrestore:problem:too_many_files"
        assert second["problem"]["detail"].startswith("Frame 1: ")


def test_the_picture_on_standard_input(
    ladder: FakeLadder, blank_png: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(blank_png)))
    assert main(["decode", "-"]) == terminal.SUCCESS
    (answer,) = lines(capsys.readouterr().out)
    assert (answer["file"], answer["image"]) == ("-", {"width": 64, "height": 48, "orientation": 1})


def test_an_empty_folder_is_said_and_no_failure(
    tmp_path: Path, ladder: FakeLadder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", str(tmp_path)]) == terminal.SUCCESS
    assert capsys.readouterr().err == "qrestore: there is no file to read\n"


@pytest.mark.parametrize(
    "failure", [WorkerCrashed(), ProcessingTimeout(), InternalError()], ids=lambda one: one.category
)
def test_a_file_that_kills_its_child_is_a_line_like_any_other(
    pictures: Path, ladder: FakeLadder, failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    ladder.failure = failure
    assert main(["decode", str(pictures / "one")]) == terminal.BAD_FILE
    (line,) = lines(capsys.readouterr().out)
    assert line["problem"]["type"] == f"urn:qrestore:problem:{type(failure).category}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("form", ["jsonl", "csv", "text"])
def test_an_output_is_replaced_or_continued(
    pictures: Path, ladder: FakeLadder, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = pictures / "out"

    def run(*arguments: object) -> int:
        options = ["--format", form, "--output", str(out)]
        return main(["decode", *map(str, arguments), *options])

    out.write_text("something else\n")
    assert run(pictures / "one") == terminal.SUCCESS
    assert run(pictures / "one", pictures / "two", "--resume") == terminal.BAD_FILE
    assert run(pictures / "one", pictures / "two", "--resume") == terminal.BAD_FILE  # of an earlier run
    assert capsys.readouterr().err.splitlines()[-1] == (
        "qrestore: 3 files: 2 read, 0 not or not wholly read, 1 with problems"
    )
    if form == "jsonl":  # others have the last file done again
        assert len(ladder.calls) == 2
    body = out.read_text().splitlines()[form == "csv" :]
    files = {
        "jsonl": lambda line: json.loads(line)["file"],
        "csv": lambda line: next(csv.reader([line]))[0],
        "text": lambda line: line.split("\t")[0],
    }[form]
    assert [files(line) for line in body] == [str(pictures / name) for name in ("one/x.png", "two/x.png", "two/y.txt")]
    assert run(pictures / "one") == terminal.SUCCESS
    assert len(out.read_text().splitlines()) == 1 + (form == "csv")


def test_the_outputs_of_others_are_left_alone(
    pictures: Path, ladder: FakeLadder, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = pictures / "notes.txt"
    notes.write_text("remember the milk\n")
    assert main(["decode", str(pictures), "--output", str(notes), "--resume"]) == terminal.CANNOT_START
    assert notes.read_text() == "remember the milk\n"
    assert "line 1" in capsys.readouterr().err


# --- killed, with child processes -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written() -> Callable[[Path, int], list[str]]:
    """written(folder, count) -> the names of so many files in folders there; every twentieth is broken."""

    def write(folder: Path, count: int) -> list[str]:
        names = []
        for number in range(count):
            file = folder / f"{number % 7}" / f"{number:05}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            data = encode_png(qr_picture(f"item {number}", scale=3))
            if number % EVERY == 3:
                data = (b"", b"no picture", data[: len(data) // 2])[number // EVERY % 3]
            file.write_bytes(data)
            names.append(str(file))
        return names

    return write


def command(weights: Path, *arguments: object) -> subprocess.Popen[bytes]:
    environment = os.environ | {"QRESTORE_WEIGHTS": str(weights), "QRESTORE_DEVICE": "cpu"}
    parts = [sys.executable, "-m", "app.cli", "decode", "--effort", "fast", "--jobs", "2", *map(str, arguments)]
    return subprocess.Popen(parts, cwd=ROOT, env=environment, stderr=subprocess.PIPE)


def kill_in_the_middle(process: subprocess.Popen[bytes], out: Path, count: int) -> None:
    """Kills the command when it has written so many lines."""
    until = time.monotonic() + 150
    while not out.exists() or out.read_bytes().count(b"\n") < count:
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)


def assert_each_once(out: Path, names: list[str]) -> None:
    answers = lines(out.read_text())
    assert Counter(answer["file"] for answer in answers) == Counter(names)
    for answer in answers:
        number = int(Path(answer["file"]).stem)
        if number % EVERY == 3:
            assert answer["problem"]["type"].startswith("urn:qrestore:problem:")
        else:
            assert [code["text"] for code in answer["codes"]] == [f"item {number}"]


def run_killed(tmp_path: Path, weights: Path, names: list[str], *, kills: int) -> str:
    """Kills the command again and again and lets the last run end; returns what that says."""
    out, pictures = tmp_path / "out.jsonl", tmp_path / "pictures"
    for part in range(1, kills + 1):
        process = command(weights, pictures, "--output", out, "--resume")
        kill_in_the_middle(process, out, part * len(names) // (kills + 1))
        with out.open("ab") as torn:
            torn.write(b'{"file": "' + names[0].encode())
    last = command(weights, pictures, "--output", out, "--resume")
    _, told = last.communicate()
    assert last.returncode == terminal.BAD_FILE
    assert_each_once(out, names)
    return told.decode()


def test_two_hundred_files_survive_a_kill(
    tmp_path: Path, weights: Path, written: Callable[[Path, int], list[str]]
) -> None:
    names = written(tmp_path / "pictures", 200)
    told = run_killed(tmp_path, weights, names, kills=1)
    assert told.splitlines()[-1] == "qrestore: 200 files: 190 read, 0 not or not wholly read, 10 with problems"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_thousand_files_survive_three_kills(
    tmp_path: Path, weights: Path, written: Callable[[Path, int], list[str]]
) -> None:
    names = written(tmp_path / "pictures", 2000)
    told = run_killed(tmp_path, weights, names, kills=3)
    assert told.splitlines()[-1] == "qrestore: 2000 files: 1900 read, 0 not or not wholly read, 100 with problems"


def test_an_interrupt_ends_it_and_leaves_whole_lines(
    tmp_path: Path, weights: Path, written: Callable[[Path, int], list[str]]
) -> None:
    names = written(tmp_path / "pictures", 400)
    out = tmp_path / "out.jsonl"
    process = command(weights, tmp_path / "pictures", "--output", out)
    until = time.monotonic() + 90
    while not out.exists() or out.read_bytes().count(b"\n") < 20:
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130, told
    assert told == b""
    files = [answer["file"] for answer in lines(out.read_text())]
    assert files == sorted(names, key=lambda name: (Path(name).parent.name, name))[: len(files)]
    assert 20 <= len(files) < 400


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
def test_memory_stays_flat(tmp_path: Path, weights: Path, written: Callable[[Path, int], list[str]]) -> None:
    """The command itself grows by the names of the files, no more."""
    count = 3000
    written(tmp_path / "pictures", count)
    out = tmp_path / "out.jsonl"
    seen: list[tuple[int, int]] = []
    with command(weights, tmp_path / "pictures", "--output", out) as process:
        while process.poll() is None:
            done = out.read_bytes().count(b"\n") if out.exists() else 0
            if done > 300:
                seen.append((done, resident_memory(process.pid)))
            time.sleep(0.1)
    assert process.returncode == terminal.BAD_FILE
    first, last = seen[0][1], max(memory for _, memory in seen[-5:])
    assert last - first < 12 << 20
