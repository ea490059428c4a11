"""Turns: nobody waits for another's many pieces, and the event loop for nobody's."""

import asyncio
from collections.abc import Callable

from app.http.wire.turns import Turns


class Log(list[str]):
    """Who was handled, in order."""

    def __init__(self, until: int) -> None:
        super().__init__()
        self._until = until
        self.full = asyncio.Event()

    def append(self, name: str) -> None:
        super().append(name)
        if len(self) >= self._until:
            self.full.set()


class Piecemeal:
    """A connection of so many pieces, which takes down that it was handled."""

    def __init__(self, name: str, pieces: int, log: Log, *, begins: bool = False) -> None:
        self._name, self._left, self._log = name, pieces, log
        self.begins = begins

    @property
    def urgent(self) -> bool:
        return self._name == "health"

    def advance(self) -> bool:
        self._log.append(self._name)
        self._left -= 1
        return self._left > 0

    def drain(self) -> None:
        self._log.append(self._name)


def handled(*pieces: tuple[str, int, bool], until: int, then: Callable[[Log], None] | None = None) -> list[str]:
    log = Log(until)

    async def run() -> None:
        turns = Turns()
        for name, count, begins in pieces:
            turns.wait(Piecemeal(name, count, log, begins=begins))
        if then:
            then(log)
        await log.full.wait()

    asyncio.run(asyncio.wait_for(run(), 20))
    return log


def test_they_take_turns() -> None:
    assert handled(("a", 3, False), ("b", 2, False), ("c", 1, False), until=6) == ["a", "b", "c", "a", "b", "a"]


def test_a_head_waits_for_one_piece_of_a_body_at_most() -> None:
    bodies = [(f"body {number}", 5, False) for number in range(20)]
    log = handled(*bodies, ("head", 1, True), until=40)
    assert log.index("head") <= 1


def test_who_asks_for_health_comes_first() -> None:
    others = [(f"head {number}", 1, True) for number in range(20)]
    assert handled(*others, ("health", 1, True), until=21)[0] == "health"


def test_a_few_heads_in_a_pass_and_the_event_loop_in_between() -> None:
    passes = 0

    def count(log: Log) -> None:
        def again() -> None:
            nonlocal passes
            passes += len(log) < 6
            asyncio.get_running_loop().call_soon(again)

        again()

    handled(*[(f"head {number}", 1, True) for number in range(6)], until=6, then=count)
    assert passes >= 2


def test_who_has_left_is_not_called() -> None:
    log = Log(2)

    async def run() -> None:
        turns = Turns()
        gone, stays = Piecemeal("gone", 9, log), Piecemeal("stays", 1, log)
        for each in (gone, stays):
            turns.wait(each)
            turns.wait(each)
            turns.drain(each)
        turns.leave(gone)
        await log.full.wait()
        await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 20))
    assert log == ["stays", "stays"]
