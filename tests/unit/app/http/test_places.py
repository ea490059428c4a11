"""Who gives way where there are more uploads than places, and how slow a body may be."""

import asyncio
import time
from contextlib import ExitStack

import pytest
from starlette.types import Message

from app.errors import Overloaded, QrestoreError, RequestTimeout
from app.http import uploads
from app.http.places import UploadPlaces, client_of
from app.http.uploads import Body

RATE = 1000.0


class Upload:
    """An upload of a client, by its age in seconds and its pace in bytes a second."""

    def __init__(self, places: UploadPlaces, client: str, *, age: float, pace: float) -> None:
        self.began = time.monotonic() - age
        self._pace = pace
        self.error: QrestoreError | None = None
        self.held = ExitStack()
        self.held.enter_context(places.taken(client, self, self.held.close))

    def rate(self) -> float:
        return self._pace

    def give_up(self, error: QrestoreError) -> None:
        self.error = error


def ended(made: list[Upload]) -> dict[int, type[QrestoreError]]:
    return {number: type(each.error) for number, each in enumerate(made) if each.error is not None}


def test_nobody_gives_way_while_there_is_room() -> None:
    places = UploadPlaces(most=3, least_rate=RATE)
    made = [Upload(places, "a", age=9, pace=1) for _ in range(2)]
    places.make_room("b")
    assert ended(made) == {}


def test_the_slowest_gives_way() -> None:
    places = UploadPlaces(most=3, least_rate=RATE)
    made = [Upload(places, "a", age=9, pace=pace) for pace in (500, 20, 5000)]
    places.make_room("a")
    assert ended(made) == {1: RequestTimeout}
    places.make_room("a")  # one place is free
    assert ended(made) == {1: RequestTimeout}


def test_what_has_just_begun_is_not_slow() -> None:
    places = UploadPlaces(most=2, least_rate=RATE)
    made = [Upload(places, "a", age=0.5, pace=1), Upload(places, "a", age=9, pace=999)]
    places.make_room("a")
    assert ended(made) == {1: RequestTimeout}


def test_the_client_with_most_gives_way_to_one_with_less() -> None:
    places = UploadPlaces(most=3, least_rate=RATE)
    made = [Upload(places, client, age=9, pace=pace) for client, pace in (("a", 3000), ("a", 2000), ("b", 1500))]
    places.make_room("a")
    assert ended(made) == {}
    places.make_room("c")
    assert ended(made) == {1: Overloaded}


def test_clients_with_equal_shares_keep_them() -> None:
    places = UploadPlaces(most=2, least_rate=RATE)
    made = [Upload(places, client, age=9, pace=3000) for client in "ab"]
    places.make_room("c")
    assert ended(made) == {}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::3", "2001:db8:1:2:ffff::4", True),
        ("2001:db8:1:2::3", "2001:db8:1:3::3", False),
        ("testclient", "testclient", True),
    ],
)
def test_an_ipv6_network_is_one_client(one: str, other: str, *, same: bool) -> None:
    clients = [client_of({"type": "http", "client": (host, 1)}) for host in (one, other)]
    assert (clients[0] == clients[1]) is same
    assert client_of({"type": "http", "client": None}) == ""


class Drops:
    """What a client sends: a message of ``size`` bytes after every pause."""

    def __init__(self, size: int, pause: float, count: int) -> None:
        self._size, self._pause, self._left = size, pause, count

    async def receive(self) -> Message:
        await asyncio.sleep(self._pause)
        self._left -= 1
        return {"type": "http.request", "body": bytes(self._size), "more_body": self._left > 0}


async def whole(body: Body) -> int:
    while not body.ended.is_set():
        await body.receive()
    return body.received


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_PACE_SECONDS", 0.2)


@pytest.mark.usefixtures("quick")
class TestPace:
    def test_a_body_below_the_least_rate_is_given_up(self) -> None:
        body = Body(Drops(1, 0.02, 1000).receive, time.monotonic() + 60, least_rate=RATE)
        began = time.monotonic()
        with pytest.raises(RequestTimeout, match="too slow"):
            asyncio.run(whole(body))
        assert time.monotonic() - began < 10

    def test_it_is_the_pace_of_each_while_that_counts(self) -> None:
        """A large beginning does not pay for what follows."""
        drops = Drops(1, 0.02, 1000)

        async def receive() -> Message:
            first = not body.received
            return {"type": "http.request", "body": bytes(10**6), "more_body": True} if first else await drops.receive()

        body = Body(receive, time.monotonic() + 60, least_rate=RATE)
        with pytest.raises(RequestTimeout, match="too slow"):
            asyncio.run(whole(body))

    def test_a_body_above_it_comes_in(self) -> None:
        assert asyncio.run(whole(Body(Drops(1000, 0.02, 30).receive, time.monotonic() + 60, least_rate=10.0))) == 30_000

    def test_the_deadline_holds_all_the_same(self) -> None:
        body = Body(Drops(1000, 0.02, 10_000).receive, time.monotonic() + 0.3, least_rate=10.0)
        with pytest.raises(RequestTimeout, match="deadline"):
            asyncio.run(whole(body))

    def test_who_gives_way_stops_waiting_at_once(self) -> None:
        async def run() -> float:
            body = Body(Drops(1, 60, 2).receive, time.monotonic() + 60, least_rate=0.001)
            asyncio.get_running_loop().call_later(0.05, body.give_up, Overloaded("gone"))
            began = time.monotonic()
            with pytest.raises(Overloaded, match="gone"):
                await body.receive()
            return time.monotonic() - began

        assert asyncio.run(run()) < 10
