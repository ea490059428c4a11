"""Which connection gives way to a new one, and how failures to accept one are counted."""

import asyncio
import errno
import logging
import socket

import pytest

from app.http.wire import connections as wire
from app.http.wire.connections import HEALTH_RESERVE, Connections, Tally, handler_of_accept_errors
from app.telemetry.metrics import ConnectionLoss


class Connection:
    def __init__(self) -> None:
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True


def opened(connections: Connections, count: int) -> list[Connection]:
    made = [Connection() for _ in range(count)]
    for each in made:
        connections.opened(each)
    return made


def dropped(made: list[Connection]) -> list[int]:
    return [number for number, each in enumerate(made) if each.dropped]


def test_the_longest_idle_ones_give_way() -> None:
    made = opened(Connections(3), 5)
    assert dropped(made) == [0, 1]


def test_a_connection_is_not_idle_while_it_works() -> None:
    connections = Connections(3)
    made = opened(connections, 3)
    connections.works(made[0])
    made += opened(connections, 1)
    assert dropped(made) == [1]
    connections.rests(made[0], leaving=False)
    made += opened(connections, 2)
    assert dropped(made) == [1, 2, 3]


def test_those_that_are_leaving_go_first() -> None:
    connections = Connections(3)
    made = opened(connections, 3)
    connections.rests(made[2], leaving=True)
    made += opened(connections, 1)
    assert dropped(made) == [2]


def test_only_so_many_may_take_their_leave() -> None:
    connections = Connections(1000)
    made = opened(connections, 100)
    for each in made:
        connections.rests(each, leaving=True)
    assert dropped(made) == list(range(36))


def test_while_all_work_a_few_more_may_ask_for_health() -> None:
    connections = Connections(2)
    for each in opened(connections, 2):
        connections.works(each)
    more = [Connection() for _ in range(HEALTH_RESERVE)]
    for each in more:
        assert not connections.opened(each)
        connections.works(each)
    assert dropped(more) == []
    assert len(connections) == 2 + HEALTH_RESERVE
    more += opened(connections, 1)
    assert dropped(more) == [HEALTH_RESERVE]


def test_each_loss_is_counted_with_its_reason() -> None:
    losses: list[ConnectionLoss] = []
    connections = Connections(2, losses.append)
    made = opened(connections, 3)
    assert losses == [ConnectionLoss.IDLE]
    for each in made[1:]:
        connections.works(each)
    for _ in range(HEALTH_RESERVE):
        (each,) = opened(connections, 1)
        connections.works(each)
    opened(connections, 1)
    assert losses == [ConnectionLoss.IDLE, ConnectionLoss.NO_ROOM]
    connections.not_accepted()
    assert losses[2:] == [ConnectionLoss.NO_DESCRIPTOR]


def test_no_loss_is_counted_for_one_that_is_leaving() -> None:
    losses: list[ConnectionLoss] = []
    connections = Connections(1, losses.append)
    (first,) = opened(connections, 1)
    connections.rests(first, leaving=True)
    opened(connections, 1)
    assert first.dropped
    assert not losses


def test_who_waits_for_health_gives_way_to_the_next() -> None:
    connections = Connections(2)
    for each in opened(connections, 2):
        connections.works(each)
    assert dropped(opened(connections, 3)) == [0, 1]


def test_what_has_closed_makes_room() -> None:
    connections = Connections(2)
    made = opened(connections, 2)
    connections.closed(made[0])
    connections.rests(made[0], leaving=False)
    made += opened(connections, 1)
    assert dropped(made) == []


def test_failures_to_accept_are_logged_once_and_make_room(caplog: pytest.LogCaptureFixture) -> None:
    """Ten thousand tries with no descriptor left, as asyncio makes them."""
    connections = Connections(1000)
    made = opened(connections, 50)
    loop = asyncio.new_event_loop()
    try:
        handle = handler_of_accept_errors(connections)
        with caplog.at_level(logging.WARNING):
            for _ in range(10_000):
                exception = OSError(errno.EMFILE, "Too many open files")
                handle(loop, {"message": "socket.accept() out of system resource", "exception": exception})
            handle(loop, {"message": "something else", "exception": ValueError("unforeseen")})
    finally:
        loop.close()
    assert dropped(made) == list(range(50))
    lines = [record for record in caplog.records if "accepted" in record.getMessage()]
    assert [record.getMessage().partition(" ")[0] for record in lines] == ["1"]
    assert lines[0].exc_info is None
    assert "something else" in caplog.text
    assert len(caplog.records) == 3


def test_what_is_counted_in_silence_is_said_after_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "_LOG_SECONDS", 0.2)

    async def run() -> None:
        tally = Tally("%d times")
        for _ in range(7):
            tally.count()
        await asyncio.sleep(0.6)

    asyncio.run(run())
    assert [record.getMessage() for record in caplog.records] == ["1 times", "6 times"]


def test_asyncio_says_what_the_handler_listens_for() -> None:
    """The words that tell a failure to accept from others are asyncio's own."""
    seen: asyncio.Queue[dict[str, object]] = asyncio.Queue()

    class Exhausted(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            raise OSError(errno.EMFILE, "Too many open files")

    async def serve() -> dict[str, object]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.put_nowait(context))
        with Exhausted() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.setblocking(False)
            server = await loop.create_server(asyncio.Protocol, sock=listener, backlog=2)
            with socket.create_connection(listener.getsockname()):
                context = await seen.get()
            server.close()
            return context

    context = asyncio.run(asyncio.wait_for(serve(), 10))
    assert "accept" in str(context["message"])
    assert isinstance(context["exception"], OSError)
