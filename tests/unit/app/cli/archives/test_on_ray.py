"""What Ray is given, without a cluster: names of files, and the words where no cluster is."""

import os
import pickle
import warnings
from pathlib import Path

import pytest

from app.errors import InvalidConfiguration

pytest.importorskip("ray", reason="ray is not installed: it is in the extra ray")

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # Ray's own
    from app.cli.archives import on_ray

NAMES = ["b.png", "_hidden #?.png", os.fsdecode(b"\xff.gz"), "s3://bucket/key", "/nowhere/at/all", ""]


def test_names_come_back_in_their_order() -> None:
    found = sorted(on_ray.Named(NAMES, most=9).find("files"))
    assert [on_ray.name_of(path) for path in found] == NAMES
    assert all(path.startswith("files/") and path.isascii() and "." not in path for path in found)


def test_tasks_are_given_no_list_of_names() -> None:
    whole = on_ray.Named([f"{number}.png" for number in range(10_000)], most=9)
    assert len(pickle.dumps(whole)) < 500


def test_a_file_gives_its_beginning_and_what_cannot_be_read_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    files = pickle.loads(pickle.dumps(on_ray.Named([str(tmp_path / "a"), str(tmp_path / "b")], most=4)))
    paths = sorted(on_ray.Named([str(tmp_path / "a"), str(tmp_path / "b")], most=4).find("files"))
    assert [files.open(path).read() for path in paths] == [b"0123", b""]


def test_without_a_cluster_the_words_say_how_to_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(on_ray.ray, "init", refuse)
    with pytest.raises(InvalidConfiguration, match="ray start --head"):
        on_ray.start("auto")


def test_an_error_of_ray_is_said_in_its_last_line() -> None:
    assert on_ray._reason(RuntimeError("Traceback\n  File x\nActorDiedError: gone\n\n")) == "ActorDiedError: gone"
    assert on_ray._reason(RuntimeError()) == "RuntimeError"
