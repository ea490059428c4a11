"""The client of load and soak, against a server of a few lines that sends prepared answers."""

import asyncio
import statistics
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import pytest

from tools.load.client import Run, Target, at, closed_loop, exchange_all, open_loop
from tools.load.traffic import DIRECT, MIXED, Shot, drawn, shots

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
FULL = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
IMPATIENT = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"


def must_be_ok(status: int, head: bytes, body: bytes) -> str | None:
    return None if (status, body) == (200, b"ok") else f"{status} {body!r}"


SHOT = Shot("some", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", must_be_ok)


def run_against(
    answers: Sequence[bytes],
    due: Iterator[float],
    *,
    connections: int = 1,
    seconds: float = 20.0,
    shot: Shot = SHOT,
    delay: float = 0.0,
) -> tuple[Run, int]:
    """The client's run against these answers in turn (b"" closes the connection), and how often it connected."""
    run, replies, opened = Run(), cycle(answers), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                answer = next(replies)
                await asyncio.sleep(delay)
                writer.write(answer)
                if not answer or answer == CLOSING:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async def both() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            target = Target(*server.sockets[0].getsockname())
            await exchange_all(target, cycle([shot]), due, connections=connections, seconds=seconds, run=run)

    asyncio.run(both())
    return run, opened


def test_a_connection_is_kept() -> None:
    run, opened = run_against([OK], closed_loop(20))
    assert [(e.kind, e.status, e.wrong) for e in run.exchanges] == [("some", 200, None)] * 20
    assert opened == 1
    assert all(e.right for e in run.exchanges)


def test_a_closed_connection_is_reopened() -> None:
    run, opened = run_against([CLOSING], closed_loop(3))
    assert [e.status for e in run.exchanges] == [200] * 3
    assert opened == 3


def test_no_answer_is_wrong_and_the_next_request_is_sent() -> None:
    run, _ = run_against([b"", OK], closed_loop(2))
    assert [e.status for e in run.exchanges] == [0, 200]
    assert "no answer" in (run.exchanges[0].wrong or "")


def test_a_refusal_is_neither_right_nor_wrong() -> None:
    run, _ = run_against([FULL, OK], closed_loop(2))
    assert [(e.refused, e.right, e.wrong) for e in run.exchanges] == [(True, False, None), (False, True, None)]


def test_a_refusal_without_retry_after_is_wrong() -> None:
    run, _ = run_against([IMPATIENT], closed_loop(1))
    assert run.exchanges[0].wrong == "429 without Retry-After"


@pytest.mark.parametrize("answer", [OK.replace(b"ok", b"no"), OK.replace(b"200", b"500")])
def test_any_but_the_right_answer_is_wrong(answer: bytes) -> None:
    run, _ = run_against([answer], closed_loop(1))
    assert run.exchanges[0].wrong == f"{answer[9:12].decode()} {answer[-2:]!r}"


def test_an_answer_that_cannot_be_checked_is_wrong() -> None:
    def expects_more(status: int, head: bytes, body: bytes) -> str | None:
        raise KeyError("codes")

    run, _ = run_against([OK], closed_loop(1), shot=Shot("some", SHOT.raw, expects_more))
    assert "another shape" in (run.exchanges[0].wrong or "")


def test_time_is_bounded() -> None:
    run, _ = run_against([OK], closed_loop(1000), seconds=1.0, delay=0.2)
    assert 1 <= run.done <= 6
    assert run.seconds < 100 * 0.2


def test_connections_work_at_the_same_time() -> None:
    one, _ = run_against([OK], closed_loop(8), delay=0.25)
    four, _ = run_against([OK], closed_loop(8), delay=0.25, connections=4)
    assert four.seconds < 0.6 * one.seconds


def test_at_a_rate_waiting_for_a_connection_counts() -> None:
    """Four requests are due at once over one connection that takes 0.1 s each: the last one waits for the others."""
    run, _ = run_against([OK], iter([0.01] * 4), delay=0.1)
    assert run.exchanges[-1].seconds > 0.35
    assert run.exchanges[0].seconds < run.exchanges[-1].seconds


def test_due_times_are_a_poisson_process() -> None:
    due = list(open_loop(4000, 50.0, seed=3))
    gaps = [after - before for before, after in zip([0.0, *due], due, strict=False)]
    assert due == sorted(due)
    assert due == list(open_loop(4000, 50.0, seed=3))
    assert statistics.mean(gaps) == pytest.approx(1 / 50, rel=0.06)
    assert statistics.stdev(gaps) == pytest.approx(1 / 50, rel=0.1)  # of an exponential distribution


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", 8000),
        ("http://localhost:81/", "127.0.0.1", 81),
        ("http://[::1]:8000", "::1", 8000),
        ("http://127.9.9.9", "127.9.9.9", 80),
    ],
)
def test_loopback_addresses_are_accepted(url: str, host: str, port: int) -> None:
    assert at(url, 7) == Target(host, port, 7)


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.0.1:8000",
        "http://0.0.0.0:8000",
        "http://example.org",
        "http://127.0.0.1.example.org",
        "http://localhost@example.org",
        "https://127.0.0.1",
        "127.0.0.1:8000",
        "",
    ],
)
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        at(url)


def test_traffic_is_the_same_for_the_same_seed_and_keeps_its_weights() -> None:
    first, second = (list(islice(drawn({"direct": 3, "garbage": 1}, 5), 2000)) for _ in range(2))
    assert [shot.raw for shot in first] == [shot.raw for shot in second]
    assert [shot.kind for shot in first].count("direct") == pytest.approx(1500, abs=100)


def test_every_kind_has_requests_with_a_true_length() -> None:
    made = shots(list(MIXED | DIRECT))
    assert set(made) == set(MIXED)
    for shot in (shot for kind in made.values() for shot in kind):
        head, _, body = shot.raw.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head.lower()
        assert shot.check(500, b"", b"") is not None
