"""Row 49 of docs/bad-inputs.md: files of API keys as editors leave them, and keys that are given and taken back."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.live.servers import SERVE, Server, running
from tests.support.live.slow import SLOW
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = b"0123456789abcdef-1", b"0123456789abcdef:2", b"0123456789abcdef=3"
KEPT = (
    b"\xef\xbb\xbfwarehouse: %s # gate 3\r\n\r\n# caf\xc3\xa9\r\n  returns:\t%s\r\n"
    % (FIRST, SECOND)
)  # fmt: skip


@dataclass(frozen=True)
class Guarded:
    """A service that asks for keys, and their file."""

    server: Server
    file: Path

    def status(self, key: bytes, header: bytes = b"X-API-Key: ") -> int:
        return self.server.upload(b"0", header + key).status

    def logged_keys(self) -> list[str]:
        """The names in the log's lines of uploads that were let in."""
        answered = [json.loads(line) for line in self.server.log if '"answered"' in line]
        return [line["key"] for line in answered if line["endpoint"] == "/decode"]

    def reload(self, content: bytes, word: str) -> None:
        """Writes the file, sends SIGHUP and returns when a line of the log has the word."""
        self.file.write_bytes(content)
        count = len(self.server.log)
        self.server.process.send_signal(signal.SIGHUP)
        self.server.wait_until(lambda: any(word in line for line in self.server.log[count:]))


@pytest.fixture(scope="module")
def guarded(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_bytes(KEPT)
    with running(entry=SLOW, weights=weights, workers=1, api_keys_file=file) as server:
        yield Guarded(server, file)


def test_row_49_every_key_of_a_file_with_mark_and_crlf_matches(guarded: Guarded) -> None:
    for header in (b"X-API-Key: ", b"Authorization: Bearer "):
        assert [guarded.status(key, header) for key in (FIRST, SECOND)] == [200, 200]
        wrong = (b"\xef\xbb\xbf" + FIRST, FIRST + b" # gate 3", b"warehouse: " + FIRST, b"caf\xc3\xa9", b"")
        assert {guarded.status(key, header) for key in wrong} == {401}


def test_row_49_keys_are_taken_back_and_given_while_requests_run(guarded: Guarded) -> None:
    """A request that is worked on goes on though its key has gone; names are logged and counted."""
    guarded.reload(KEPT, "read again")
    with guarded.server.connect() as working:
        body = b"1.5"
        head = b"POST /decode HTTP/1.1\r\nHost: x\r\nX-API-Key: " + FIRST + b"\r\nContent-Type: multipart/form-data; "
        form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + body + b"\r\n--b--\r\n"
        working.sendall(head + b"boundary=b\r\nContent-Length: %d\r\n\r\n" % len(form) + form)
        guarded.server.wait_until_busy(1)
        guarded.reload(b"returns: %s\nnew: %s\n" % (SECOND, THIRD), "gone: warehouse")
        assert guarded.server.get("/readyz").status == 200
        assert b"200 OK" in working.recv(100)
    assert [guarded.status(key) for key in (FIRST, SECOND, THIRD)] == [401, 200, 200]
    named = re.findall(r'qrestore_key_requests_total\{key="([^"]*)"\}', guarded.server.get("/metrics").body.decode())
    assert named == ["returns", "new"]
    guarded.server.wait_until(lambda: guarded.logged_keys()[-3:] == ["warehouse", "returns", "new"])


@pytest.mark.parametrize("content", [b"returns: 0123456789abcdef-3\nreturns: 0123456789abcdef-4\n", b""])
def test_row_49_a_file_with_a_fault_leaves_the_keys_as_they_are(guarded: Guarded, content: bytes) -> None:
    guarded.reload(b"returns: %s\n" % SECOND, "read again")
    guarded.reload(content, "stay as they were")
    assert [guarded.status(key) for key in (FIRST, SECOND)] == [401, 200]
    assert not any(key.decode() in guarded.server.log_text() for key in (FIRST, SECOND, THIRD))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 0),
        (b"# nobody\r\n", 0),
        (b"a: 0123456789abcdef\n\nb: 0123456789abcdef\n", 3),
        ("a: 0123456789abcdef\xe9\n".encode(), 1),
        (b"a: 0123456789abcdef\xe9\n", 1),
        (b"\n0123456789abcdef note\n", 2),
        ("a: 0123456789abcdef\n".encode("utf-16"), 1),
    ],
    ids=["empty", "comments", "duplicate", "not ASCII", "Latin-1", "a note without #", "UTF-16"],
)
def test_row_49_files_that_are_refused_at_the_start(weights: Path, tmp_path: Path, content: bytes, line: int) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    environment = {"QRESTORE_API_KEYS_FILE": str(file), "QRESTORE_WEIGHTS": str(weights)}
    refused = subprocess.run(
        [sys.executable, *SERVE], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 3
    (told,) = refused.stderr.splitlines()
    assert told.startswith("qrestore: ")
    assert (f"{file}, line {line}: " if line else f"no API key in {file}") in told
    assert "0123456789" not in told
