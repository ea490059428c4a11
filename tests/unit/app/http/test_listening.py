"""The sockets that a server listens on, and why it cannot."""

import errno
import socket
from collections.abc import Iterator

import pytest

from app.errors import InvalidConfiguration
from app.http.listening import listen, listen_on, url


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_free_port_is_listened_on_at_once() -> None:
    (listening,) = listen("127.0.0.1", 0, setting="QRESTORE_PORT")
    with listening:
        host, _, port = url(listening).removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            assert connection.getpeername() == listening.getsockname()


def test_an_address_of_the_other_family() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert url(probe) == f"http://127.0.0.1:{probe.getsockname()[1]}"

    class Other:
        def getsockname(self) -> tuple[str, int, int, int]:
            return "::1", 8000, 0, 0

    assert url(Other()) == "http://[::1]:8000"  # type: ignore[arg-type]


def test_a_name_may_have_an_address_that_this_machine_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("192.0.2.1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    (listening,) = listen("some-name", 0, setting="QRESTORE_PORT")
    with listening:
        assert url(listening).startswith("http://127.0.0.1:")


def test_what_is_taken_is_named_with_its_setting(taken: int) -> None:
    with pytest.raises(InvalidConfiguration, match=rf"127\.0\.0\.1:{taken} is in use: .* set QRESTORE_PORT to"):
        listen("127.0.0.1", taken, setting="QRESTORE_PORT")


def test_nothing_stays_open_where_one_port_is_taken(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []

    def remembered(*arguments: object, setting: str) -> list[socket.socket]:
        opened.extend(sockets := listen(*arguments, setting=setting))  # type: ignore[arg-type]
        return sockets

    monkeypatch.setattr("app.http.listening.listen", remembered)
    with pytest.raises(InvalidConfiguration, match="QRESTORE_ADMIN_PORT"):
        listen_on("127.0.0.1", {"QRESTORE_PORT": 0, "QRESTORE_ADMIN_PORT": taken})
    assert [each.fileno() for each in opened] == [-1]


def test_no_admin_port_no_socket() -> None:
    (listening,), none = listen_on("127.0.0.1", {"QRESTORE_PORT": 0, "QRESTORE_ADMIN_PORT": None})
    listening.close()
    assert none == []


@pytest.mark.parametrize(
    ("number", "port", "words"),
    [
        (errno.EACCES, 80, "port 80 needs privileges: set QRESTORE_PORT to a port from 1024 on"),
        (errno.EADDRNOTAVAIL, 8000, "x is no address of this machine"),
        (errno.EMFILE, 8000, "cannot listen on x:8000: Too many open files"),
    ],
)
def test_other_causes(number: int, port: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(socket.socket):
        def bind(self, _: object) -> None:
            raise OSError(number, "")

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "socket", Failing)
    with pytest.raises(InvalidConfiguration, match=words):
        listen("x", port, setting="QRESTORE_PORT")
