"""`qrestore archive` on one machine: the rows of `qrestore decode`, in parts, and going on where it ended."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli import archives, terminal
from app.cli.archives import crew
from app.cli.archives.parts import MANIFEST
from app.cli.main import main
from app.service import Runtime
from app.settings import Settings
from app.workers.jobs import Pipeline
from app.workers.worker import InProcessWorker
from tests.support.command import decode_with
from tests.support.fakes import FakeLadder, symbol


@pytest.fixture
def ladder(monkeypatch: pytest.MonkeyPatch) -> FakeLadder:
    ladder = FakeLadder(symbols=(symbol(),))
    decode_with(ladder, monkeypatch)
    runtime = Runtime(worker=InProcessWorker(Pipeline(ladder=ladder, max_pixels=Settings().max_pixels)))
    monkeypatch.setattr(crew, "load_service", lambda settings, metrics, **_: runtime)
    return ladder


@pytest.fixture
def pictures(tmp_path: Path, blank_png: bytes) -> Path:
    """Pictures with awkward names, one that is none, one that is empty, and one that leads nowhere."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in (b"a #1?.png", b"s3:b.png", b"_c.png", b"\xff.png", b"d.png.gz", b"deep/e.png"):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(blank_png)
    (folder / "f.txt").write_text("no picture")
    (folder / "g.png").write_bytes(b"")
    (folder / "h.png").symlink_to("/nowhere/at/all")
    return folder


def plain(line: str) -> dict[str, Any]:
    """A row without its id and times."""
    row: dict[str, Any] = json.loads(line)
    row.pop("request_id", None)
    for stage in row.get("trace", ()):
        stage.pop("seconds")
    return row


def rows(output: Path) -> list[dict[str, Any]]:
    parts = [json.loads(line)["part"] for line in (output / MANIFEST).read_text().splitlines()[1:]]
    return [plain(line) for part in parts for line in (output / part).read_text().splitlines()]


@pytest.mark.usefixtures("ladder")
class TestOneMachine:
    def test_rows_are_those_of_decode(self, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["decode", str(pictures)]) == terminal.BAD_FILE
        expected = [plain(line) for line in capsys.readouterr().out.splitlines()]
        output = tmp_path / "out"
        command = ["archive", "--input", str(pictures), "--output", str(output), "--part-rows", "4"]
        assert main(command) == terminal.BAD_FILE
        assert rows(output) == expected
        assert len(list(output.glob("part-*"))) == 3
        assert "9 files: 6 read, 0 not or not wholly read, 3 with problems" in capsys.readouterr().err

    def test_only_what_is_left_is_read(self, pictures: Path, tmp_path: Path, ladder: FakeLadder) -> None:
        command = ["archive", "--input", str(pictures), "--output", str(tmp_path / "out")]
        main(command)
        first = rows(tmp_path / "out")
        ladder.symbols = ()
        (pictures / "i.png").write_bytes((pictures / "_c.png").read_bytes())
        assert main(command) == terminal.BAD_FILE
        assert rows(tmp_path / "out")[:-1] == first
        assert rows(tmp_path / "out")[-1]["file"] == str(pictures / "i.png")
        assert rows(tmp_path / "out")[-1]["codes"] == []

    def test_a_list_names_files(self, pictures: Path, tmp_path: Path) -> None:
        names = tmp_path / "list.txt"
        names.write_text(f"{pictures}/_c.png\n{pictures}/deep\n{pictures}/_c.png\n")
        assert main(["archive", "--input", str(names), "--output", str(tmp_path / "out")]) == terminal.SUCCESS
        assert [row["file"] for row in rows(tmp_path / "out")] == [f"{pictures}/_c.png", f"{pictures}/deep/e.png"]

    def test_a_file_that_is_too_large_is_a_row(
        self, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QRESTORE_MAX_UPLOAD_BYTES", "8")
        assert main(["archive", "--input", str(pictures / "deep"), "--output", str(tmp_path / "out")]) == 3
        (row,) = rows(tmp_path / "out")
        assert row["problem"]["type"] == "urn:qrestore:problem:upload_too_large"


class TestRefusals:
    def refused(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
        status = main(["archive", *map(str, arguments)])
        return status, capsys.readouterr().err

    def test_no_input(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        status, words = self.refused(capsys, "--input", tmp_path / "none", "--output", tmp_path / "out")
        assert status == terminal.USAGE
        assert "no such folder or list" in words

    def test_output_in_input(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        status, words = self.refused(capsys, "--input", tmp_path, "--output", tmp_path / "out")
        assert status == terminal.USAGE
        assert "read as pictures" in words
        assert not (tmp_path / "out").exists()

    def test_options_are_checked(self, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        status, words = self.refused(capsys, "--input", pictures, "--output", tmp_path / "out", "--pages", "x")
        assert status == terminal.USAGE
        assert "--pages" in words

    @pytest.mark.parametrize("missing", ["ray", "pyarrow"])
    @pytest.mark.parametrize("where", ["local", "auto"])
    def test_the_extra_is_named(
        self, missing: str, where: str, pictures: Path, tmp_path: Path, hide: Callable[[str], None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        hide(missing)
        status, words = self.refused(capsys, "--input", pictures, "--output", tmp_path / "out", "--ray", where)
        assert status == terminal.CANNOT_START
        assert "pip install 'qrestore[ray]'" in words

    @pytest.mark.parametrize("options", [("--format", "parquet"), ("--input", "s3://a-bucket/scans")])
    def test_pyarrow_is_named(
        self, options: tuple[str, str], pictures: Path, tmp_path: Path, hide: Callable[[str], None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        for module in ("pyarrow", "pyarrow.fs", "pyarrow.parquet"):
            hide(module)
        status, words = self.refused(capsys, "--input", pictures, "--output", tmp_path / "out", *options)
        assert status == terminal.CANNOT_START
        assert "pip install 'qrestore[ray]'" in words


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has an import of this module fail as where it is not installed."""

    def hidden(module: str) -> None:
        monkeypatch.setitem(sys.modules, module, None)

    # A module that another test has imported would not be imported again, and not miss what is hidden.
    monkeypatch.delitem(sys.modules, "app.cli.archives.on_ray", raising=False)
    monkeypatch.delattr(archives, "on_ray", raising=False)
    return hidden
