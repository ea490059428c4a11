"""The record of a service's answers: what is asked, and what a comparison of two records says."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.golden import calls, main

ANSWER = {"codes": [{"text": "a"}], "image": {"width": 9, "height": 7}, "truncated": False}


def line(call: str, *, status: int = 200, **changes: object) -> dict[str, Any]:
    return {"call": call, "status": status, "answer": ANSWER | changes}


def write(file: Path, lines: Iterable[Mapping[str, Any]]) -> str:
    file.write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    return str(file)


class TestCompare:
    @pytest.fixture
    def before(self, tmp_path: Path) -> str:
        return write(tmp_path / "before", [line("/decode a.png"), line("/decode b.png"), line("/restore? c.png")])

    def test_equal_records(self, before: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The order of the lines does not matter."""
        again = [line("/restore? c.png"), line("/decode b.png"), line("/decode a.png")]
        assert main(["compare", before, write(tmp_path / "after", again)]) == 0
        assert capsys.readouterr().out == "3 calls before, 3 after, 0 differ\n"

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            (line("/decode b.png", codes=[]), "codes"),
            (line("/decode b.png", codes=[], truncated=True), "codes, truncated"),
            (line("/decode b.png", route=None), "route"),
            (line("/decode b.png", route={"network": "lenet"}), "route"),
            (line("/decode b.png", status=504), "status 200 and 504"),
        ],
    )
    def test_the_members_that_differ_are_named(
        self, before: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], words: str
    ) -> None:
        after = write(tmp_path / "after", [line("/decode a.png"), changed, line("/restore? c.png")])
        assert main(["compare", before, after]) == 1
        assert capsys.readouterr().out == f"/decode b.png: {words}\n3 calls before, 3 after, 1 differ\n"

    @pytest.mark.parametrize(("old", "new"), [("ab", "abc"), ("abc", "ab")])
    def test_a_call_that_one_record_lacks_differs(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str
    ) -> None:
        records = [write(tmp_path / name, [line(f"/decode {each}") for each in name]) for name in (old, new)]
        assert main(["compare", *records]) == 1
        counts = f"{len(old)} calls before, {len(new)} after, 1 differ"
        assert capsys.readouterr().out == f"/decode c: asked once only\n{counts}\n"


class TestCalls:
    @staticmethod
    def pictures(count: int, *, frames: int = 0) -> list[Path]:
        blurred = [f"blurred-{number:02}.png" for number in range(count)]
        return [Path("somewhere", name) for name in (*blurred, *(f"frame-{number}.png" for number in range(frames)))]

    def test_every_picture_is_decoded_and_every_fifth_at_each_other_effort(self) -> None:
        paths = Counter(call.path for call in calls(self.pictures(24)))
        assert (paths["/decode"], paths["/decode?effort=fast"], paths["/decode?effort=thorough"]) == (24, 5, 5)

    def test_frames_are_fused_in_threes_and_so_are_the_first_pictures(self) -> None:
        fused = [call for call in calls(self.pictures(30, frames=6)) if call.path == "/decode?fuse=true"]
        assert [call.name for call in fused[:2]] == [
            "/decode?fuse=true frame-0.png frame-1.png frame-2.png",
            "/decode?fuse=true frame-3.png frame-4.png frame-5.png",
        ]
        assert len(fused) == 2 + 8
        thorough = [call.files for call in calls(self.pictures(30, frames=6)) if call.path.endswith("thorough")]
        assert {call.files for call in fused} <= set(thorough)

    def test_twelve_pictures_are_restored_each_in_another_way(self) -> None:
        restored = [call for call in calls(self.pictures(40)) if call.path.startswith("/restore?")]
        assert len(restored) == len({call.path for call in restored}) == len({call.files for call in restored}) == 12

    def test_calls_of_a_record_have_names_of_their_own(self) -> None:
        names = [call.name for call in calls(self.pictures(40, frames=18))]
        assert len(set(names)) == len(names)
