"""Parts and manifest: what is complete stays, what a kill left is done again, and nothing is there twice."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.cli.archives.parts import MANIFEST, Archive
from app.errors import InvalidConfiguration

OPTIONS: dict[str, object] = {"effort": "balanced", "expect": 1}


def line(number: int, **members: object) -> str:
    return json.dumps({"file": f"{number}.png", "codes": [{"text": f"text {number}"}], "unread": []} | members)


def opened(folder: Path, *, form: str = "jsonl", rows: int = 3, **options: object) -> Any:
    return Archive.open(folder, form=form, rows=rows, options=OPTIONS | options)


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in (folder / MANIFEST).read_text().splitlines()[1:]]


def files(folder: Path) -> list[str]:
    """The files in all complete parts, in their order."""
    texts = [(folder / entry["part"]).read_text() for entry in entries(folder)]
    return [json.loads(each)["file"] for text in texts for each in text.splitlines()]


class TestParts:
    def test_every_part_has_so_many_rows_but_the_last(self, tmp_path: Path) -> None:
        with opened(tmp_path / "a") as archive:
            assert all(archive.add(line(number)) for number in range(7))
        assert [entry["rows"] for entry in entries(tmp_path / "a")] == [3, 3, 1]
        assert files(tmp_path / "a") == [f"{number}.png" for number in range(7)]
        for entry in entries(tmp_path / "a"):
            assert (tmp_path / "a" / entry["part"]).stat().st_size == entry["bytes"]

    def test_what_is_read_twice_is_there_once(self, tmp_path: Path) -> None:
        with opened(tmp_path) as archive:
            assert archive.add(line(1))
            assert not archive.add(line(1, codes=[]))
            assert archive.statuses == Counter({0: 1})
        assert files(tmp_path) == ["1.png"]

    def test_rows_stay_where_the_block_fails(self, tmp_path: Path) -> None:
        def interrupted() -> None:
            with opened(tmp_path) as archive:
                archive.add(line(1))
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert files(tmp_path) == ["1.png"]

    def test_parquet_has_columns_and_the_whole_row(self, tmp_path: Path) -> None:
        parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: it is in the extra ray")
        problem = {"type": "urn:x", "title": "T", "detail": "D"}
        with opened(tmp_path, form="parquet") as archive:
            archive.add(line(1))
            archive.add(json.dumps({"file": "2.png", "problem": problem}))
        rows = parquet.read_table(tmp_path / entries(tmp_path)[0]["part"]).to_pylist()
        assert [row.pop("answer") for row in rows] == [line(1), json.dumps({"file": "2.png", "problem": problem})]
        assert rows[0] == {"file": "1.png", "codes": 1, "unread": 0, "problem": None, "texts": ["text 1"]}
        assert rows[1] == {"file": "2.png", "codes": 0, "unread": 0, "problem": "urn:x", "texts": []}
        with opened(tmp_path, form="parquet") as archive:
            assert archive.done == {"1.png", "2.png"}


class TestGoingOn:
    @pytest.fixture
    def begun(self, tmp_path: Path) -> Path:
        """An archive of two parts and four rows."""
        with opened(tmp_path) as archive:
            for number in range(4):
                archive.add(line(number, **({"codes": []} if number == 3 else {})))
        return tmp_path

    def test_what_is_complete_is_known(self, begun: Path) -> None:
        with opened(begun) as archive:
            assert archive.done == {f"{number}.png" for number in range(4)}
            assert archive.statuses == Counter({0: 3, 1: 1})
            archive.add(line(4))
        assert files(begun) == [f"{number}.png" for number in range(5)]
        assert [entry["part"] for entry in entries(begun)] == [f"part-00000{number}.jsonl" for number in range(3)]

    def test_a_part_that_a_kill_left_is_done_again(self, begun: Path) -> None:
        (begun / ".unfinished-part-000002.jsonl").write_text(line(9) + "\n" + line(10)[:9])
        with opened(begun) as archive:
            assert "9.png" not in archive.done
        assert sorted(path.name for path in begun.iterdir()) == [MANIFEST, "part-000000.jsonl", "part-000001.jsonl"]

    def test_a_part_that_was_not_entered_is_done_again(self, begun: Path) -> None:
        manifest = begun / MANIFEST
        text = manifest.read_text()
        manifest.write_text(text[: text.rindex("{") + 20])  # the kill came amid the last line
        with opened(begun) as archive:
            assert archive.done == {f"{number}.png" for number in range(3)}
            archive.add(line(3))
        assert files(begun) == [f"{number}.png" for number in range(4)]

    def test_a_first_line_that_a_kill_cut_begins_anew(self, tmp_path: Path) -> None:
        (tmp_path / MANIFEST).write_text('{"mani')
        with opened(tmp_path) as archive:
            archive.add(line(1))
        assert files(tmp_path) == ["1.png"]

    @pytest.mark.parametrize(("form", "options"), [("jsonl", {"expect": 2}), ("parquet", {})])
    def test_other_options_are_refused(self, begun: Path, form: str, options: dict[str, object]) -> None:
        if form == "parquet":
            pytest.importorskip("pyarrow", reason="pyarrow is not installed: it is in the extra ray")
        with pytest.raises(InvalidConfiguration, match="begun otherwise"), opened(begun, form=form, **options):
            pass

    def test_a_changed_part_is_refused(self, begun: Path) -> None:
        with (begun / "part-000000.jsonl").open("a") as stream:
            stream.write("{}\n")
        with pytest.raises(InvalidConfiguration, match="not as"), opened(begun):
            pass

    def test_after_its_entry_is_deleted_a_part_is_done_again(self, begun: Path) -> None:
        """As the refusal says."""
        head, _, last = (begun / MANIFEST).read_text().splitlines()
        (begun / MANIFEST).write_text(f"{head}\n{last}\n")
        (begun / "part-000000.jsonl").unlink()
        with opened(begun) as archive:
            assert archive.done == {"3.png"}
            archive.add(line(0))
        assert files(begun) == ["3.png", "0.png"]

    @pytest.mark.parametrize("text", ["[]\n", "{}\n", "no JSON\n", '{"manifest": 2}\n', '{"manifest": 1}\n7\n'])
    def test_a_manifest_of_something_else_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / MANIFEST).write_text(text)
        with pytest.raises(InvalidConfiguration), opened(tmp_path):
            pass
        assert (tmp_path / MANIFEST).read_text() == text

    def test_a_folder_of_something_else_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("Dear")
        with pytest.raises(InvalidConfiguration, match="other files"), opened(tmp_path):
            pass

    def test_two_runs_at_once_are_refused(self, begun: Path) -> None:
        with opened(begun), pytest.raises(InvalidConfiguration, match="Another run"), opened(begun):
            pass
