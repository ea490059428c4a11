"""The file of API keys: every line is a key that can match or is named as a fault; keys that change."""

import threading
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import InvalidConfiguration
from app.http.keys import UNNAMED, Key, KeyRing, load_keys

FIRST = "0123456789abcdef"
SECOND = "fedcba9876543210!$%&()*+,-./:;<=>?@[\\]^_`{|}~"
THIRD = "x" * 256


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def faults(file: Path, content: bytes) -> list[str]:
    file.write_bytes(content)
    with pytest.raises(InvalidConfiguration) as refusal:
        load_keys(file)
    return refusal.value.detail.splitlines()


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["no mark", "byte order mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_accepted_files(file: Path, bom: bytes, end: bytes) -> None:
    lines = (
        f"warehouse: {FIRST}",
        "# a comment of any characters: \N{SNOWMAN}\N{LINE SEPARATOR}",
        "",
        f"  gate-3.b:\t{SECOND}   # until May: #7",
        f"{THIRD} # no name",
        "\t",
    )
    file.write_bytes(bom + end.join(line.encode() for line in lines))
    assert [(key.name, key.line) for key in load_keys(file)] == [("warehouse", 1), ("gate-3.b", 4), (UNNAMED, 5)]
    ring = KeyRing(file)
    assert [ring.name_of(key) for key in (FIRST, SECOND, THIRD)] == ["warehouse", "gate-3.b", UNNAMED]
    for other in ("", FIRST[:-1], FIRST + "0", f"warehouse: {FIRST}", f"{THIRD} # no name", "\N{SNOWMAN}", "\udcff"):
        assert ring.name_of(other) is None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"name: short", "16 to 256 characters"),
        (b"name: " + b"x" * 257, "16 to 256 characters"),
        (b"short", "16 to 256 characters"),
        ("name: 0123456789abcdé".encode(), "visible ASCII"),
        (b"name: 0123456789\x00abcdef", "visible ASCII"),
        ("name: 0123456789\N{NO-BREAK SPACE}abcdef".encode(), "visible ASCII"),
        ("\N{ZERO WIDTH NO-BREAK SPACE}name: 0123456789abcdefg".encode(), "a name has"),
        (b"name: 0123456789 abcdefg", "no spaces"),
        (b"0123456789abcdef\tname", "no spaces"),
        (b"name: 0123456789abcdefg#note", "neither quotes nor #"),
        (b'name: "0123456789abcdefg"', "neither quotes nor #"),
        (b"name: '0123456789abcdefg'", "neither quotes nor #"),
        (b"name:0123456789abcdefg", "space after the colon"),
        (b"0123456789:abcdefg", "space after the colon"),
        (b"name:", "no key after the name"),
        (b"name:   # nothing", "no key after the name"),
        (b": 0123456789abcdefg", "a name has"),
        (b"two words: 0123456789abcdefg", "a name has"),
        (b"-name: 0123456789abcdefg", "a name has"),
        (b"n" * 65 + b": 0123456789abcdefg", "a name has"),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}: 0123456789abcdefg".encode(), "a name has"),
        (b"name: 0123456789abcd\xff", "UTF-8"),
        (b"first: 1123456789abcdef", "name of line 2"),
        (b"name: " + FIRST.encode(), "key of line 2"),
        (FIRST.encode(), "key of line 2"),
    ],
)
def test_refused_lines(file: Path, line: bytes, fault: str) -> None:
    (found,) = faults(file, b"# keys\nfirst: " + FIRST.encode() + b"\n" + line + b"\n")
    assert found.startswith(f"{file}, line 3: ")
    assert fault in found
    for secret in (FIRST, "0123456789", "short"):
        assert secret not in found.removeprefix(str(file))


def test_every_fault_is_named_at_once(file: Path) -> None:
    found = faults(file, b"name: short\r\n\r\ntwo words: 0123456789abcdefg\r\n")
    assert [line.removeprefix(f"{file}, ").partition(":")[0] for line in found] == ["line 1", "line 3"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "no API key"),
        (b"\xef\xbb\xbf# nobody\r\n", "no API key"),
        ("name: 0123456789abcdefg\n".encode("utf-16"), "line 1: save the file of API keys as UTF-8"),
        (b"# " + bytes(1 << 20), "more than"),
        (b"".join(b"n%d: 0123456789abcdef%d\n" % (n, n) for n in range(257)), "at most 256"),
    ],
    ids=["empty", "only comments", "UTF-16", "huge", "many keys"],
)
def test_refused_files(file: Path, content: bytes, fault: str) -> None:
    (found,) = faults(file, content)
    assert str(file) in found
    assert fault in found


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InvalidConfiguration, match=r"cannot read API keys from .*: (Is a directory|No such file)"):
            load_keys(file)


def test_reload(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    told: list[Collection[str]] = []
    file.write_text(f"old: {FIRST}\nkept: {SECOND}\n")
    ring = KeyRing(file, on_names=told.append)
    file.write_text(f"kept: {SECOND}\nnew: {THIRD}\n")
    with caplog.at_level("INFO", "qrestore.keys"):
        assert ring.reload()
    assert [ring.name_of(key) for key in (FIRST, SECOND, THIRD)] == [None, "kept", "new"]
    assert told == [["old", "kept"], ["kept", "new"]]
    assert "new: new; gone: old" in caplog.text

    file.write_text(f"kept: {SECOND}\nbroken: short\n")
    assert not ring.reload()
    assert [ring.name_of(key) for key in (FIRST, SECOND, THIRD)] == [None, "kept", "new"]
    assert caplog.records[-1].levelname == "ERROR"
    assert "line 2" in caplog.records[-1].getMessage()
    file.unlink()
    assert not ring.reload()
    assert ring.name_of(SECOND) == "kept"
    assert len(told) == 2
    assert not any(key in caplog.text for key in (FIRST, SECOND, THIRD, "short"))


def test_of_two_reloads_the_one_that_reads_last_counts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is held up between reading the file and putting its keys in force; then the file changes."""
    file.write_text(f"taken-back: {FIRST}\n")
    ring = KeyRing(file)
    has_read, go_on = threading.Event(), threading.Event()

    def held_up(path: Path) -> tuple[Key, ...]:
        keys = load_keys(path)
        if not has_read.is_set():
            has_read.set()
            go_on.wait(10)
        return keys

    monkeypatch.setattr("app.http.keys.load_keys", held_up)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(ring.reload)
        assert has_read.wait(10)
        file.write_text(f"new: {SECOND}\n")
        second = threads.submit(ring.reload)
        time.sleep(0.1)
        go_on.set()
        assert first.result()
        assert second.result()
    assert ring.names == ["new"]
