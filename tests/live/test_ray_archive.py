"""`qrestore archive` on Ray clusters of this machine: short runs of `python -m tools.load.archive`, and odd files."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import terminal
from app.pipeline.files.png import encode_png
from tests.support.codes import qr_picture
from tests.support.live.ray_cluster import MISSING, Cluster, cluster
from tests.support.paths import ROOT
from tools.load import archive

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MISSING, reason="ray is not installed: it is in the extra ray"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def one() -> Iterator[Cluster]:
    with cluster(1) as made:
        yield made


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Files whose names or contents Ray itself would take for something else, or fail over."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    good = encode_png(qr_picture("archived"))
    for name in (b"a #1?.png", b"local:b.png", b"_c.png", b"\xff.png", b"d.png.gz", b"e.snappy"):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(good)
    (folder / "empty.png").touch()
    (folder / "nowhere.png").symlink_to("/nowhere/at/all")
    (folder / "bomb.gz").write_bytes(b"\x1f\x8b" + bytes(40))
    return folder


def run(one: Cluster, folder: Path, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", "archive", "--input", str(folder), "--output", str(output), *arguments]
    options = {"capture_output": True, "text": True, "timeout": 600}
    return subprocess.run(command, check=False, cwd=ROOT, env=one.environment, **options)


def by_file(outcome: archive.Outcome) -> dict[str, object]:
    return {str(row["file"]): row for row in outcome.rows}


def test_rows_are_those_of_one_machine(one: Cluster, pictures: Path, tmp_path: Path) -> None:
    expected = archive.alone(pictures, tmp_path / "alone", "--expect", "1")
    status = run(one, pictures, tmp_path / "ray", "--ray", "auto", "--expect", "1").returncode
    got = archive.Outcome(archive.rows(tmp_path / "ray"), 0.0)
    assert status == terminal.BAD_FILE
    assert len(expected.rows) == 9
    assert sum("codes" in row for row in got.rows) == 6
    assert archive.faults(expected, got) == []


def test_only_what_is_left_is_read(one: Cluster, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{pictures}/_c.png\n{pictures}/empty.png\n")
    output = tmp_path / "out"
    assert run(one, tmp_path / "list.txt", output, "--ray", "auto", "--expect", "1").returncode == terminal.BAD_FILE
    first = (output / "part-000000.jsonl").read_bytes()
    assert run(one, pictures, output, "--ray", "auto", "--expect", "1").returncode == terminal.BAD_FILE
    assert (output / "part-000000.jsonl").read_bytes() == first
    files = [row["file"] for row in archive.rows(output)]
    assert len(files) == len(set(files)) == 9


def test_a_killed_node_costs_no_row_and_doubles_none(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    archive.draw(tmp_path / "pictures", 200)
    arguments = ("--expect", "1", "--part-rows", "10")
    expected = archive.alone(tmp_path / "pictures", tmp_path / "alone", *arguments)
    got = archive.on_two_nodes(tmp_path / "pictures", tmp_path / "two", *arguments, kill_at=20)
    assert got.killed_at >= 20
    assert len(expected.rows) == 200
    assert archive.faults(expected, got) == []
