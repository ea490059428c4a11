"""What `qrestore decode` prints of payloads and file names that attack terminals, scripts and spreadsheets."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import terminal
from app.cli.batch.records import COLUMNS
from app.cli.batch.spreadsheet import row
from app.cli.main import main
from app.pipeline.files.png import encode_png
from app.telemetry.escaping import escape, is_unsafe
from tests.support.codes import qr_picture
from tests.support.command import decode_with
from tests.support.fakes import FakeLadder, symbol
from tests.support.paths import ROOT

HOSTILE = "ok\x1b]0;owned\x07\x1b[1A\rspoofed\nsecond\x9b\N{RIGHT-TO-LEFT OVERRIDE}"
SAFE = "ok\\x1b]0;owned\\x07\\x1b[1A\\rspoofed\\nsecond\\x9b\\u202e"


@pytest.fixture
def ladder(monkeypatch: pytest.MonkeyPatch) -> FakeLadder:
    ladder = FakeLadder(symbols=(symbol(HOSTILE),))
    decode_with(ladder, monkeypatch)
    return ladder


def on_a_terminal(*arguments: str, weights: Path) -> str:
    """What the command shows on a terminal."""
    ours, theirs = os.openpty()
    environment = {"QRESTORE_WEIGHTS": str(weights), "QRESTORE_DEVICE": "cpu", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "app.cli", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # how Linux says that the other side is closed
            pass
    os.close(ours)
    return shown.decode()


@pytest.mark.parametrize("form", ["--text", "--format=jsonl", "--format=csv", "--format=text"])
def test_a_terminal_gets_nothing_that_it_obeys(weights: Path, tmp_path: Path, form: str) -> None:
    file, absent = tmp_path / "\x1b[31mred\n.png", tmp_path / "gone\x1b[2J\n.png"
    file.write_bytes(encode_png(qr_picture(HOSTILE)))
    shown = on_a_terminal("decode", form, "--effort", "fast", str(file), str(absent), weights=weights)
    lines = shown.removesuffix("\r\n").split("\r\n")
    assert not any(map(is_unsafe, "".join(lines)))
    assert "spoofed" in shown
    assert len(lines) == {"--text": 2, "--format=jsonl": 2, "--format=csv": 3, "--format=text": 2}[form]
    if form == "--text":
        assert lines[0] == SAFE


def test_a_pipe_gets_the_text_as_it_is(ladder: FakeLadder, code_png: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--text", str(code_png)]) == terminal.SUCCESS
    assert capsys.readouterr().out == f"{HOSTILE}\n"


def test_lines_of_text_stay_lines_everywhere(
    ladder: FakeLadder, code_png: Path, blank_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ladder.symbols = (symbol(HOSTILE), symbol("a\tb"))
    absent = tmp_path / "a\tb\n.png"
    assert main(["decode", "--format", "text", str(code_png), str(absent)]) == terminal.BAD_FILE
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == f"{code_png}\t{SAFE}"
    assert second == f"{code_png}\ta\\tb"
    file, text, kind, problem = third.split("\t")
    assert (file, text, kind) == (escape(str(absent)), "", "problem")
    assert problem.startswith("urn:qrestore:problem:file_access: ")


def test_json_is_safe_and_means_the_same_everywhere(
    ladder: FakeLadder, code_png: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", str(code_png)]) == terminal.SUCCESS
    line = capsys.readouterr().out.removesuffix("\n")
    assert not any(map(is_unsafe, line))
    assert json.loads(line)["codes"][0]["text"] == HOSTILE


def test_a_report_holds_no_file_name_that_a_terminal_obeys(
    configured: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "\x1b[31mred\n.png"
    file.write_bytes(encode_png(qr_picture(HOSTILE)))
    assert main(["inspect", str(file), "--out", str(tmp_path / "report"), "--effort", "fast"]) == terminal.SUCCESS
    text = (tmp_path / "report/report.txt").read_text()
    for lines in (text, capsys.readouterr().out):
        assert "spoofed" in lines
        assert not any(map(is_unsafe, lines.replace("\n", "")))
    assert "\\x1b[31mred\\n.png: " in text


class TestCsv:
    def test_a_line_for_each_code_each_blank_picture_and_each_problem(
        self, ladder: FakeLadder, code_png: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ladder.symbols = (symbol('a,b\n"c"'), symbol("=cmd|' /C calc'!A0"), symbol(HOSTILE))
        notes = tmp_path / "=notes.png"
        notes.write_text("no picture")
        assert main(["decode", "--format", "csv", str(code_png), str(notes)]) == terminal.BAD_FILE
        lines = capsys.readouterr().out.splitlines()
        head, *rows = csv.reader(lines)
        assert tuple(head) == COLUMNS
        assert [each[2] for each in rows] == ['a,b\\n"c"', "'=cmd|' /C calc'!A0", SAFE, ""]
        assert [len(each) for each in rows] == [len(head)] * 4
        assert [each[0] for each in rows] == [str(code_png)] * 3 + [str(notes)]
        assert [bool(each[-1]) for each in rows] == [False, False, False, True]

    def test_a_picture_without_a_code(
        self, ladder: FakeLadder, code_png: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ladder.symbols = ()
        assert main(["decode", "--format", "csv", str(code_png)]) == terminal.NOT_ALL_READ
        _, line = capsys.readouterr().out.splitlines()
        assert line == f"{code_png},,,,,,,,0,"

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", " =", "\xa0@"])
    def test_no_cell_is_a_formula(self, start: str) -> None:
        ((cell, number, nothing),) = csv.reader([row((f"{start}1+1", -7, None))])
        assert cell == f"'{start}1+1"
        assert (number, nothing) == ("-7", "")

    @pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n=1", "\x00=1", "a=1", "'=1"])
    def test_other_cells_are_left_but_for_escapes(self, text: str) -> None:
        assert row((text, "next")) == f"{escape(text)},next"
