"""Slots, the queue, deadlines, and clients that leave."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.errors import Overloaded, QueueTimeout
from app.workers.admission import Admission, RefusalReason

LONG = 30.0


class Work:
    """Work that waits until it is released; ``begun`` holds the names of the jobs in the order of their start."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gate = threading.Event()

    def named(self, name: str) -> Callable[[], str]:
        def work() -> str:
            self.begun.append(name)
            self.gate.wait(10)
            return name

        return work


def soon(seconds: float = LONG) -> float:
    return time.monotonic() + seconds


def played(play: Callable[[Admission, Work], Awaitable[Any]], **options: Any) -> Any:
    """Runs a scenario on an admission of its own, which must be empty at the end."""

    async def whole() -> Any:
        admission, work = Admission(**{"slots": 1, "queue": 2, "uploads": 1} | options), Work()
        try:
            return await play(admission, work)
        finally:
            work.gate.set()
            for _ in range(200):
                if not admission.busy:
                    break
                await asyncio.sleep(0.01)
            assert (admission.busy, admission.waiting, admission.uploads) == (0, 0, 0)
            admission.close()

    return asyncio.run(whole())


async def settled() -> None:
    await asyncio.sleep(0.05)


def test_results_and_errors_come_back() -> None:
    async def play(admission: Admission, work: Work) -> None:
        work.gate.set()
        assert await admission.run(work.named("done"), deadline=soon()) == "done"
        with pytest.raises(ZeroDivisionError):
            await admission.run(lambda: 1 // 0, deadline=soon())

    played(play)


def test_requests_beyond_the_queue_are_refused_at_once_with_a_retry_after() -> None:
    refused: list[RefusalReason] = []

    async def play(admission: Admission, work: Work) -> None:
        inside = [asyncio.create_task(admission.run(work.named(name), deadline=soon())) for name in "abc"]
        await settled()
        assert (admission.busy, admission.waiting) == (1, 2)
        began = time.monotonic()
        with pytest.raises(Overloaded) as refusal:
            await admission.run(work.named("d"), deadline=soon())
        assert time.monotonic() - began < 0.05
        assert int(refusal.value.headers["Retry-After"]) >= 1
        with pytest.raises(Overloaded):
            admission.check()
        work.gate.set()
        assert await asyncio.gather(*inside) == ["a", "b", "c"]

    played(play, on_refusal=refused.append)
    assert refused == [RefusalReason.QUEUE_FULL] * 2


def test_first_come_first_served() -> None:
    async def play(admission: Admission, work: Work) -> list[str]:
        inside = []
        for name in "abcde":
            inside.append(asyncio.create_task(admission.run(work.named(name), deadline=soon())))
            await asyncio.sleep(0)
        work.gate.set()
        await asyncio.gather(*inside)
        return work.begun

    assert played(play, queue=4) == list("abcde")


def test_waiting_ends_at_the_deadline_and_is_recorded() -> None:
    waits: list[float] = []

    async def play(admission: Admission, work: Work) -> None:
        first = asyncio.create_task(admission.run(work.named("a"), deadline=soon()))
        await settled()
        with pytest.raises(QueueTimeout) as late:
            await admission.run(work.named("b"), deadline=soon(0.1))
        assert "Retry-After" in late.value.headers
        assert admission.waiting == 0
        second = asyncio.create_task(admission.run(work.named("c"), deadline=soon()))
        await settled()
        work.gate.set()
        await asyncio.gather(first, second)
        assert work.begun == ["a", "c"]

    played(play, on_wait=waits.append)
    assert len(waits) == 2
    assert waits[0] < 0.05 <= waits[1]


def test_a_client_that_leaves_the_queue_frees_its_place() -> None:
    async def play(admission: Admission, work: Work) -> None:
        inside = [asyncio.create_task(admission.run(work.named(name), deadline=soon())) for name in "abc"]
        await settled()
        inside[1].cancel()
        await settled()
        assert admission.waiting == 1
        admission.check()
        work.gate.set()
        await asyncio.wait(inside)
        assert [task.cancelled() or task.result() for task in inside] == ["a", True, "c"]
        assert work.begun == ["a", "c"]

    played(play)


def test_a_client_that_leaves_during_the_work_keeps_the_slot_until_its_end() -> None:
    async def play(admission: Admission, work: Work) -> None:
        first = asyncio.create_task(admission.run(work.named("a"), deadline=soon()))
        await settled()
        first.cancel()
        await settled()
        assert first.cancelled()
        assert admission.busy == 1
        second = asyncio.create_task(admission.run(work.named("b"), deadline=soon()))
        await settled()
        assert work.begun == ["a"]
        work.gate.set()
        assert await second == "b"

    played(play)


def test_a_slot_offered_to_a_leaving_client_goes_to_the_next() -> None:
    async def play(admission: Admission, work: Work) -> None:
        inside = [asyncio.create_task(admission.run(work.named(name), deadline=soon())) for name in "abc"]
        await settled()
        admission._free_slot()  # as the end of "a" would, in the very moment in which "b" leaves
        inside[1].cancel()
        admission.busy += 1  # "a" has not ended
        await settled()
        assert admission.waiting == 0
        work.gate.set()
        await asyncio.wait(inside)
        assert work.begun == ["a", "c"]

    played(play)


def test_uploads_are_bounded() -> None:
    refused: list[RefusalReason] = []

    async def play(admission: Admission, work: Work) -> None:
        with admission.upload(), pytest.raises(Overloaded), admission.upload():
            pass
        with admission.upload():
            assert admission.uploads == 1

    played(play, on_refusal=refused.append)
    assert refused == [RefusalReason.UPLOADS_FULL]
