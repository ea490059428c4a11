"""Which files a command line names, each once and each with a place of its own."""

import io
import os
import sys
from pathlib import Path, PurePath

import pytest

from app.cli.batch.sources import Sources


def touch(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)


def names(*paths: object, lists: tuple[object, ...] = ()) -> list[str]:
    return [picture.name for picture in Sources([str(path) for path in paths], [str(each) for each in lists])]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path / "scans", "b.png", "a.png", "deep/er/c.tif", "deep/d.jpg", ".hidden", ".git/e.png")
    return tmp_path


def test_a_folder_stands_for_every_file_in_it_and_below(folder: Path) -> None:
    assert names("scans") == ["scans/a.png", "scans/b.png", "scans/deep/d.jpg", "scans/deep/er/c.tif"]


def test_names_stay_as_they_are_given_and_each_file_comes_once(folder: Path) -> None:
    assert names("scans/b.png", "scans", "absent.png", "scans/b.png") == [
        "scans/b.png",
        "scans/a.png",
        "scans/deep/d.jpg",
        "scans/deep/er/c.tif",
        "absent.png",
    ]


def test_patterns_are_for_names_that_do_not_exist(folder: Path) -> None:
    assert names("scans/*.png") == ["scans/a.png", "scans/b.png"]
    assert names("scans/**/*.[jt]*") == ["scans/deep/d.jpg", "scans/deep/er/c.tif"]
    assert names("scans/**") == ["scans/a.png", "scans/b.png", "scans/deep/d.jpg", "scans/deep/er/c.tif"]
    assert names("s*") == names("scans")
    touch(folder, "odd[1].png", "odd1.png")
    assert names("odd[1].png") == ["odd[1].png"]
    assert names("*.gif") == ["*.gif"]  # reading it says that there is no such file


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
def test_lists_name_files_and_folders(folder: Path, end: str) -> None:
    strange = "two\nlines.png" if end == "\0" else "spa ce.png"
    entries = ["scans/deep", "", strange, "scans/[*.png"]
    for last in ("", end):
        (folder / "list").write_bytes((end.join(entries) + last).encode())
        assert names("x.png", lists=(folder / "list",)) == [
            "x.png",
            "scans/deep/d.jpg",
            "scans/deep/er/c.tif",
            strange,
            "scans/[*.png",
        ]


def test_a_list_longer_than_a_piece_comes_whole(folder: Path) -> None:
    wanted = [f"{number:06}/{'x' * 50}.png" for number in range(5000)]
    (folder / "list").write_text("\n".join(wanted))
    assert names(lists=("list",)) == wanted


def test_a_list_on_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.png\nb.png\n")))
    assert names(lists=("-",)) == ["a.png", "b.png"]


def test_standard_input_is_a_picture_with_a_content() -> None:
    (picture,) = Sources(["-"], content=b"abc")
    assert (picture.name, picture.read(most=2)) == ("-", b"ab")


def test_names_that_are_no_text_stay_apart(folder: Path) -> None:
    for name in (b"caf\xe9.png", b"caf\xe8.png", "caf\u00e9.png".encode()):
        Path(os.fsdecode(bytes(folder / "latin") + b"-" + name)).write_text("x")
    assert sorted(names("latin*")) == ["latin-caf\\xe8.png", "latin-caf\\xe9.png", "latin-caf\u00e9.png"]


def test_links_to_folders_are_not_followed_and_dangling_ones_are_files(folder: Path) -> None:
    (folder / "scans/loop").symlink_to(folder / "scans")
    (folder / "scans/gone").symlink_to(folder / "nowhere")
    (folder / "scans/again.png").symlink_to(folder / "scans/a.png")
    assert [name for name in names("scans") if "/deep/" not in name] == [
        "scans/a.png",
        "scans/again.png",
        "scans/b.png",
        "scans/gone",
    ]


def test_a_folder_that_cannot_be_listed_is_a_file_that_cannot_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> object:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert names("scans") == ["scans"]


def test_no_two_files_share_a_place(folder: Path) -> None:
    for one in ("one", "two"):
        touch(folder / one / "scans", "a.png", "sub/a.png")
    touch(folder / "scans-2", "a.png")
    named = ["one/scans", "two/scans", "scans-2", "one", "a.png", "one/scans/a.png", "two/scans/a.png", "-"]
    places = [picture.place for picture in Sources(named, content=b"x")]
    assert len(set(places)) == len(places) == 7
    assert not any(place.is_absolute() or ".." in place.parts for place in places)
    assert places[:2] == [PurePath("scans/a.png"), PurePath("scans/sub/a.png")]


def test_places_are_the_same_in_every_run(folder: Path) -> None:
    named = ["scans", "absent/scans/a.png", str(folder / "scans/deep")]
    first, second = ([picture.place for picture in Sources(named)] for _ in range(2))
    assert first == second


def test_a_folder_of_ten_thousand_files_is_a_stream(folder: Path) -> None:
    deep = folder / "deep"
    for _ in range(3):
        deep.mkdir()
        touch(deep, *(f"{number}.png" for number in range(20)))
        deep /= "deep"
    stream = iter(Sources(["deep"]))
    assert next(stream).name == "deep/0.png"
    (folder / "deep/deep/late.png").write_text("written after the beginning")
    assert "deep/deep/late.png" in [picture.name for picture in stream]


def test_one_file_is_one_file(folder: Path) -> None:
    assert Sources(["scans/a.png"]).is_one_file
    assert Sources(["-"]).is_one_file
    for paths, lists in ((["scans"], []), (["a*"], []), (["a", "b"], []), (["a"], ["list"])):
        assert not Sources(paths, lists).is_one_file
