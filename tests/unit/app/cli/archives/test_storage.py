"""Objects of a store by their addresses; a folder stands for the store."""

from pathlib import Path

import pytest

from app.cli.archives import storage
from app.errors import InvalidConfiguration

MISSING = "pyarrow is not installed: it is in the extra ray"


@pytest.mark.parametrize(
    ("name", "is_address"),
    [("s3://bucket/key", True), ("gs://b", True), ("hdfs://host:1/x", True), ("s3:/b/k", False), ("s3://", False),
     ("http://h/x", False), ("./s3://b", False), ("a.png", False)],
)  # fmt: skip
def test_addresses_are_told_from_paths(name: str, is_address: bool) -> None:
    assert storage.is_address(name) == is_address


def test_a_path_is_read_up_to_a_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(range(10)))
    assert storage.read(str(tmp_path / "a"), most=4) == bytes(range(4))


class TestStore:
    @pytest.fixture(autouse=True)
    def bucket(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        fs = pytest.importorskip("pyarrow.fs", reason=MISSING)
        store = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
        monkeypatch.setattr(storage, "_filesystem", lambda root: store)
        for name in (
            "bucket/scans/b.png",
            "bucket/scans/a/c.png",
            "bucket/scans/.d.png",
            "bucket/scans/.e/f",
            "bucket/g",
        ):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(name.encode())
        return tmp_path

    @pytest.mark.parametrize("prefix", ["s3://bucket/scans", "s3://bucket/scans/"])
    def test_all_below_a_prefix_is_listed_but_what_is_hidden(self, prefix: str) -> None:
        assert list(storage.listed(prefix)) == ["s3://bucket/scans/a/c.png", "s3://bucket/scans/b.png"]

    def test_an_object_is_read_up_to_a_limit(self) -> None:
        assert storage.read("s3://bucket/scans/b.png", most=6) == b"bucket"

    def test_what_is_not_there_is_an_os_error(self) -> None:
        with pytest.raises(OSError, match=r"nothing|No such"):
            storage.read("s3://bucket/nothing", most=6)
        with pytest.raises(OSError, match=r"nothing|No such"):
            list(storage.listed("s3://bucket/nothing"))

    def test_a_key_that_none_can_have_is_an_os_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """pyarrow raises a ValueError, which would end a whole archive."""
        local = pytest.importorskip("pyarrow.fs", reason=MISSING).LocalFileSystem()
        monkeypatch.setattr(storage, "_resolve", lambda name: (local, "s3://no/path"))
        with pytest.raises(OSError, match="no such address"):
            storage.read("s3://bucket/", most=6)


def test_an_address_that_is_none_is_refused() -> None:
    pytest.importorskip("pyarrow.fs", reason=MISSING)
    with pytest.raises(InvalidConfiguration, match="abfs://x y"):
        storage.read("abfs://x y/z", most=1)
