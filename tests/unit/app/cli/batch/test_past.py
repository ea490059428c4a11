"""Outputs of earlier runs: which files they have, and that an end that a kill left behind is cut off."""

from collections import Counter
from pathlib import Path

import pytest

from app.cli.batch.output import FileOutput, Past
from app.cli.batch.records import FORMS, Problem, Result
from app.errors import InvalidConfiguration
from app.schemas import DecodeAnswer
from tests.support.fakes import FakeLadder, symbol, unread

PROBLEM = Problem(type="urn:qrestore:problem:invalid_image", title="A title", detail="What is\twrong.")


def answer(*texts: str, seen: int = 0) -> DecodeAnswer:
    ladder = FakeLadder(symbols=tuple(map(symbol, texts)), unread=(unread(),) * seen)
    return DecodeAnswer.of(ladder.answer(), request_id="an-id")


RESULTS = (
    Result(file="one.png", answer=answer("a", "b\tc\nd", "=e", "")),
    Result(file="=two\n.png", answer=answer()),
    Result(file="three.png", problem=PROBLEM),
    Result(file="four.png", answer=answer("f", seen=2)),
    Result(file="five.png", answer=answer(seen=1)),
    Result(file="six.png", answer=answer("g"), problem=PROBLEM),
    Result(file="seven.png", answer=answer("h", "i")),
)
STATUSES = [0, 1, 3, 1, 1, 3, 0]


def written(path: Path, form: str, *results: Result) -> None:
    header = FORMS[form].header
    with path.open("wb") as stream:
        output = FileOutput(stream)
        output.write([header] if header else [])
        for result in results:
            output.write(FORMS[form].lines(result))


@pytest.mark.parametrize("form", ["jsonl", "csv", "text"])
def test_an_output_says_which_files_are_done(tmp_path: Path, form: str) -> None:
    written(tmp_path / "out", form, *RESULTS)
    before = (tmp_path / "out").read_bytes()
    past = Past.of(tmp_path / "out", form, expect=None)
    done = RESULTS if form == "jsonl" else RESULTS[:-1]  # of the last file another line may be missing
    assert past.files == {FORMS[form].spell(result.file) for result in done}
    statuses = [result.record.status(expect=None) for result in done]
    assert statuses == STATUSES[: len(done)]
    assert past.statuses == Counter(statuses)
    after = (tmp_path / "out").read_bytes()
    assert before.startswith(after)
    assert (after == before) == (form == "jsonl")


@pytest.mark.parametrize("form", ["jsonl", "csv", "text"])
def test_wherever_a_kill_cut_it_the_rest_makes_it_whole(tmp_path: Path, form: str) -> None:
    path = tmp_path / "out"
    written(path, form, *RESULTS)
    whole = path.read_bytes()
    for end in range(0, len(whole), 1 if form != "jsonl" else 7):
        path.write_bytes(whole[:end])
        past = Past.of(path, form, expect=None)
        with path.open("ab") as stream:
            output = FileOutput(stream)
            header = FORMS[form].header
            output.write([] if stream.tell() or not header else [header])
            for result in RESULTS:
                if FORMS[form].spell(result.file) not in past.files:
                    output.write(FORMS[form].lines(result))
        assert path.read_bytes() == whole, end


@pytest.mark.parametrize("form", ["jsonl", "csv", "text"])
@pytest.mark.parametrize("content", [b"hello\n", b"[1]\n", b'{"file": 3}\n', b'{"file": "x"}\n', b"\xff\xfe\n", b"\n"])
def test_other_files_are_not_touched(tmp_path: Path, form: str, content: bytes) -> None:
    path = tmp_path / "out"
    path.write_bytes(content)
    with pytest.raises(InvalidConfiguration, match="line 1 is none of this command"):
        Past.of(path, form, expect=None)
    assert path.read_bytes() == content


def test_expected_numbers_count() -> None:
    (first, *_, last) = RESULTS
    assert [first.record.status(expect=n) for n in (4, 5)] == [0, 1]
    assert [last.record.status(expect=n) for n in (2, 3)] == [0, 1]
