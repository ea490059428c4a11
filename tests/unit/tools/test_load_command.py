"""The rates of `qrestore decode`: what is measured, and what makes it fail."""

from pathlib import Path

import pytest

from tools.load import command
from tools.load.command import Row, main, share


def test_shares_are_of_what_the_processors_could_do() -> None:
    alone = Row("one process", 10.0, 0.1, 1.0)
    assert share(Row("1 job", 9.0, 0.1, 1.0), alone, 1, 2) == pytest.approx(0.9)
    assert share(Row("2 jobs", 18.0, 0.1, 1.0), alone, 2, 2) == pytest.approx(0.9)
    assert share(Row("4 jobs", 18.0, 0.1, 1.0), alone, 4, 2) == pytest.approx(0.9)


@pytest.mark.slow
def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "LEAST_SHARE", 0.0)
    assert main(["--count", "64", "--jobs", "1", "2", "--rounds", "1"]) == 0
    head, _, alone, *jobs, verdict = capsys.readouterr().out.splitlines()
    assert head.startswith("| 64 files, ")
    assert alone.startswith("| one process | ")
    assert [line.split("|")[1].strip() for line in jobs] == ["1 job", "2 jobs"]
    assert all(float(line.split("|")[2]) > 0 for line in (alone, *jobs))
    assert all(1 < float(line.split("|")[4].removesuffix(" ms ")) < 1000 for line in (alone, *jobs))
    assert verdict == "fast enough"


@pytest.mark.slow
def test_wrong_reads_are_no_rates(tmp_path: Path) -> None:
    payloads = command.write_pictures(tmp_path, 2)
    first = next(iter(payloads))
    with pytest.raises(ValueError, match="not something else"):
        command.command(tmp_path, payloads | {first: "something else"}, 1)
    with pytest.raises(ValueError, match="1 files are missing"):
        command.command(tmp_path, payloads | {str(tmp_path / "x.jpg"): "x"}, 1)
