"""Slots, the queue, deadlines, and clients that leave."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import Mock

import pytest

from app.errors import Overloaded, ProcessingTimeout, QueueTimeout
from app.workers.admission import Admission, RefusalReason, Slowness
from app.workers.worker import Progress
from tests.support.gated import LONG, Work
from tests.support.waiting import awaited

DEFAULTS: dict[str, Any] = {"slots": 1, "queue": 2, "uploads": 1, "slow_slots": 1, "quick_seconds": LONG}


def soon(seconds: float = LONG) -> float:
    return time.monotonic() + seconds


def played(play: Callable[[Admission, Work], Awaitable[Any]], **options: Any) -> Any:
    """Runs a scenario on an admission of its own, which must be empty at the end."""

    async def whole() -> Any:
        admission, work = Admission(**DEFAULTS | options), Work()
        try:
            return await play(admission, work)
        finally:
            work.gate.set()
            await awaited(lambda: not (admission.quick.busy or admission.slow.busy))
            lanes = (admission.quick, admission.slow)
            assert [(lane.busy, lane.waiting) for lane in lanes] == [(0, 0), (0, 0)]
            assert admission.uploads == 0
            admission.close()

    return asyncio.run(whole())


async def settled() -> None:
    """Lets the event loop do what can be done now; threads may need longer."""
    await asyncio.sleep(0.05)


def test_results_and_errors_come_back() -> None:
    async def play(admission: Admission, work: Work) -> None:
        work.gate.set()
        assert await admission.run(work.named("done"), deadline=soon(), seconds=LONG) == "done"
        with pytest.raises(ZeroDivisionError):
            await admission.run(lambda _: 1 // 0, deadline=soon(), seconds=LONG)

    played(play)


def test_requests_beyond_the_queue_are_refused_at_once_with_a_retry_after() -> None:
    refused: list[RefusalReason] = []

    async def play(admission: Admission, work: Work) -> None:
        inside = [asyncio.create_task(admission.run(work.named(name), deadline=soon(), seconds=LONG)) for name in "abc"]
        await settled()
        assert (admission.quick.busy, admission.quick.waiting) == (1, 2)
        began = time.monotonic()
        with pytest.raises(Overloaded) as refusal:
            await admission.run(work.named("d"), deadline=soon(), seconds=LONG)
        assert time.monotonic() - began < LONG / 2
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
            inside.append(asyncio.create_task(admission.run(work.named(name), deadline=soon(), seconds=LONG)))
            await asyncio.sleep(0)
        work.gate.set()
        await asyncio.gather(*inside)
        return work.begun

    assert played(play, queue=4) == list("abcde")


def test_waiting_ends_at_the_deadline_and_is_recorded() -> None:
    waits: list[float] = []

    async def play(admission: Admission, work: Work) -> tuple[float, float]:
        """The most seconds that "a" and the fewest that "c" can have waited."""
        began = time.monotonic()
        first = asyncio.create_task(admission.run(work.named("a"), deadline=soon(), seconds=LONG))
        await work.begins("a")
        most = time.monotonic() - began
        with pytest.raises(QueueTimeout) as late:
            await admission.run(work.named("b"), deadline=soon(0.1), seconds=LONG)
        assert "Retry-After" in late.value.headers
        assert admission.quick.waiting == 0
        second = asyncio.create_task(admission.run(work.named("c"), deadline=soon(), seconds=LONG))
        await awaited(lambda: admission.quick.waiting == 1)
        began = time.monotonic()
        await settled()
        fewest = time.monotonic() - began
        work.gate.set()
        await asyncio.gather(first, second)
        assert work.begun == ["a", "c"]
        return most, fewest

    most, fewest = played(play, on_wait=waits.append)
    assert len(waits) == 2
    assert 0 <= waits[0] <= most
    assert 0.04 < fewest <= waits[1] < LONG


def test_a_client_that_leaves_the_queue_frees_its_place() -> None:
    async def play(admission: Admission, work: Work) -> None:
        inside = [asyncio.create_task(admission.run(work.named(name), deadline=soon(), seconds=LONG)) for name in "abc"]
        await settled()
        inside[1].cancel()
        await settled()
        assert admission.quick.waiting == 1
        admission.check()
        work.gate.set()
        await asyncio.wait(inside)
        assert [task.cancelled() or task.result() for task in inside] == ["a", True, "c"]
        assert work.begun == ["a", "c"]

    played(play)


def test_a_client_that_leaves_during_the_work_keeps_the_slot_until_its_end() -> None:
    async def play(admission: Admission, work: Work) -> None:
        first = asyncio.create_task(admission.run(work.named("a"), deadline=soon(), seconds=LONG))
        await work.begins("a")
        first.cancel()
        await settled()
        assert first.cancelled()
        assert admission.quick.busy == 1
        second = asyncio.create_task(admission.run(work.named("b"), deadline=soon(), seconds=LONG))
        await settled()
        assert work.begun == ["a"]
        work.gate.set()
        assert await second == "b"

    played(play)


def test_a_slot_offered_to_a_leaving_client_goes_to_the_next() -> None:
    async def play(admission: Admission, work: Work) -> None:
        inside = [asyncio.create_task(admission.run(work.named(name), deadline=soon(), seconds=LONG)) for name in "abc"]
        await settled()
        admission.quick.free()  # as the end of "a" would, in the very moment in which "b" leaves
        inside[1].cancel()
        admission.quick.busy += 1  # "a" has not ended
        await settled()
        assert admission.quick.waiting == 0
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


# --- the slow lane --------------------------------------------------------------------------------------------------


def begin(admission: Admission, work: Work, *names: str) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(admission.run(work.named(name), deadline=soon(), seconds=LONG)) for name in names]


def test_work_that_takes_long_moves_to_the_slow_lane_and_leaves_its_slot_to_others() -> None:
    slow: list[Slowness] = []

    async def play(admission: Admission, work: Work) -> None:
        first = begin(admission, work, "a")
        await work.is_slow("a")
        assert (admission.quick.busy, admission.slow.busy) == (0, 1)
        assert slow == [Slowness.MOVED]
        second = begin(admission, work, "b")
        await work.begins("a", "b")
        work.gate.set()
        assert await asyncio.gather(*first, *second) == ["a", "b"]

    played(play, quick_seconds=0.05, on_slow=slow.append)


def test_work_that_is_known_to_take_long_begins_in_the_slow_lane() -> None:
    async def play(admission: Admission, work: Work) -> None:
        tasks = [
            asyncio.create_task(admission.run(work.named(name), deadline=soon(), seconds=LONG, is_slow=True))
            for name in "ab"
        ]
        await settled()
        assert (admission.quick.busy, admission.slow.busy, admission.slow.waiting) == (0, 1, 1)
        work.gate.set()
        assert await asyncio.gather(*tasks) == ["a", "b"]

    played(play)


def test_work_that_gets_no_processor_counts_as_slow_much_later() -> None:
    moved: list[float] = []

    async def play(admission: Admission, work: Work) -> float:
        """When the work began."""

        def starve(progress: Progress) -> float:
            began = progress.begun = time.monotonic()
            work.gate.wait(10)
            return began

        task = asyncio.create_task(admission.run(starve, deadline=soon(), seconds=LONG))
        await awaited(lambda: admission.slow.busy == 1)
        assert admission.quick.busy == 0
        work.gate.set()
        return await task

    began = played(play, quick_seconds=0.1, on_slow=lambda _: moved.append(time.monotonic()))
    assert moved[0] - began >= 0.4


def test_work_that_waits_for_a_child_is_not_slow() -> None:
    async def play(admission: Admission, work: Work) -> None:
        task = asyncio.create_task(admission.run(lambda _: work.gate.wait(10), deadline=soon(), seconds=LONG))
        await asyncio.sleep(0.5)
        assert (admission.quick.busy, admission.slow.busy) == (1, 0)
        work.gate.set()
        await task

    played(play, quick_seconds=0.05)


def test_slow_work_keeps_its_slot_while_nobody_waits() -> None:
    async def play(admission: Admission, work: Work) -> None:
        tasks = begin(admission, work, "a")
        await work.is_slow("a")
        tasks += begin(admission, work, "b")
        await work.is_slow("b")
        await settled()
        assert (admission.quick.busy, admission.slow.busy) == (1, 1)
        work.gate.set()
        await asyncio.gather(*tasks)
        assert work.begun == ["a", "b"]

    played(play, quick_seconds=0.05)


def test_slow_work_gives_way_to_who_waits_and_begins_again_in_the_slow_lane() -> None:
    slow: list[Slowness] = []

    async def play(admission: Admission, work: Work) -> None:
        tasks = begin(admission, work, "a")
        await work.is_slow("a")
        tasks += begin(admission, work, "b")
        await work.is_slow("b")  # and nobody waits for its slot
        tasks += begin(admission, work, "c")
        await work.begins("a", "b", "c")
        assert (admission.quick.busy, admission.slow.busy, admission.slow.waiting) == (1, 1, 1)
        assert slow == [Slowness.MOVED, Slowness.GAVE_WAY]
        work.gate.set()
        assert await asyncio.gather(*tasks) == ["a", "b", "c"]
        assert work.begun == ["a", "b", "c", "b"]

    played(play, quick_seconds=0.05, on_slow=slow.append)


def test_as_many_give_way_as_wait() -> None:
    async def play(admission: Admission, work: Work) -> None:
        tasks = begin(admission, work, "a", "b", "c", "d")
        await work.is_slow("a", "b", "c", "d")
        assert (admission.quick.busy, admission.slow.busy) == (3, 1)
        tasks += begin(admission, work, "e", "f", "g")  # one slot is free
        await work.begins(*"abcdefg")
        assert (admission.quick.busy, admission.slow.waiting) == (4, 2)
        work.gate.set()
        assert sorted(await asyncio.gather(*tasks)) == list("abcdefg")

    played(play, slots=4, quick_seconds=0.05)


def test_overdue_work_moves_as_soon_as_the_slow_lane_has_room() -> None:
    async def play(admission: Admission, work: Work) -> None:
        gate = threading.Event()

        def hold(progress: Progress) -> bool:
            progress.begun, progress.spent = time.monotonic(), lambda: LONG
            return gate.wait(10)

        first = asyncio.create_task(admission.run(hold, deadline=soon(), seconds=LONG))
        await awaited(lambda: admission.slow.busy == 1)
        tasks = begin(admission, work, "b")
        await work.is_slow("b")
        assert (admission.quick.busy, admission.slow.busy) == (1, 1)
        gate.set()
        await first
        assert (admission.quick.busy, admission.slow.busy) == (0, 1)
        work.gate.set()
        await asyncio.gather(*tasks)

    played(play, quick_seconds=0.05)


def test_work_that_gave_way_waits_for_the_slow_lane_up_to_its_deadline() -> None:
    async def play(admission: Admission, work: Work) -> None:
        tasks = begin(admission, work, "a")
        await work.is_slow("a")
        late = asyncio.create_task(admission.run(work.named("b"), deadline=soon(2.0), seconds=LONG))
        await work.is_slow("b")
        tasks += begin(admission, work, "c")
        with pytest.raises(QueueTimeout):
            await late
        work.gate.set()
        await asyncio.gather(*tasks)

    played(play, quick_seconds=0.05)


def test_a_client_that_left_does_not_come_back_when_its_work_gives_way() -> None:
    async def play(admission: Admission, work: Work) -> None:
        tasks = begin(admission, work, "a")
        await work.is_slow("a")
        (left,) = begin(admission, work, "b")
        await work.is_slow("b")
        left.cancel()
        tasks += begin(admission, work, "c")
        await work.begins("a", "b", "c")
        work.gate.set()
        await asyncio.gather(*tasks)
        assert work.begun == ["a", "b", "c"]

    played(play, quick_seconds=0.05)


def test_an_answer_is_given_up_at_its_time_and_the_slot_is_freed_when_the_work_ends() -> None:
    async def play(admission: Admission, work: Work) -> None:
        began = time.monotonic()
        with pytest.raises(ProcessingTimeout):
            await admission.run(work.named("a"), deadline=soon(), seconds=0.1)
        assert 0.1 <= time.monotonic() - began < LONG / 2
        assert admission.quick.busy == 1

    played(play)


def test_once_started_no_work_needs_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(admission: Admission, work: Work) -> list[str]:
        admission.start()
        monkeypatch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        work.gate.set()
        return await asyncio.gather(*(admission.run(work.named(n), deadline=soon(), seconds=LONG) for n in "abcd"))

    assert played(play, slots=2, slow_slots=2, queue=4) == ["a", "b", "c", "d"]


def test_a_limit_on_threads_fails_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    allowed = iter(range(2))

    def limited(thread: threading.Thread) -> None:
        if next(allowed, None) is None:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    admission = Admission(**DEFAULTS | {"slots": 2})
    with pytest.raises(RuntimeError, match="thread"):
        admission.start()
    admission.close()
