"""Sends good pictures and poison at twice the service's capacity and prints what came back and how fast.

    python -m tools.load.poison --count 500

starts a service whose children misbehave as pictures say, measures how many good pictures it reads in a second, then
sends `count` pictures at twice that rate, whatever the answers; one in twenty is poison. It asks /livez all the while.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.live import pictures
from tests.support.live.behaviours import Behaviour
from tests.support.live.poison import MISBEHAVING, picture
from tests.support.live.servers import Server, running, upload
from tools.attack.bench import Health, probed
from tools.attack.figures import percentile

POISON_SHARE: Final = 0.05
SETTINGS: Final = {"workers": 2, "queue": 8, "request_seconds": 5.0}
_CLIENTS: Final = 3
"""One more than there are slots, so that no slot is ever idle."""
_MEASURED_SECONDS: Final = 1.5
_SETTLE_SECONDS: Final = 60.0

KINDS: Final = ("hang", "crash", "bomb", "garbage", "broken")
_EXPECTED: Final = {"hang": 504, "crash": 500, "bomb": 422, "garbage": 415, "broken": 422}
"""The status that each kind of poison gets once it is admitted and its turn comes."""
REFUSED: Final = 429
_LATE: Final = {"queue_timeout", "processing_timeout"}


@dataclass(frozen=True, slots=True)
class Shot:
    """One request: its picture, and the text that a good one must be answered with."""

    kind: str
    data: bytes
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the status (0 for no answer), the problem's category, whether it is right, and the time."""

    kind: str
    status: int
    category: str
    right: bool
    milliseconds: float


@dataclass
class Report:
    """The outcome of a volley; `livez` is how /livez answered meanwhile."""

    replies: list[Reply]
    livez: Health
    capacity: float
    seconds: float
    restarts: dict[str, float]
    same_process: bool
    killed: int = 0

    def of(self, kind: str) -> list[Reply]:
        return [reply for reply in self.replies if reply.kind == kind]

    @property
    def refused(self) -> list[Reply]:
        return [reply for reply in self.replies if reply.status == REFUSED]

    @property
    def good_admitted(self) -> list[Reply]:
        return [reply for reply in self.of("good") if reply.status != REFUSED]

    @property
    def late(self) -> list[Reply]:
        """Good ones that were admitted and answered that their deadline passed."""
        return [reply for reply in self.good_admitted if reply.category in _LATE]

    @property
    def wrong(self) -> list[Reply]:
        """Good ones that were admitted and neither read nor answered that they are late."""
        return [reply for reply in self.good_admitted if not reply.right and reply.category not in _LATE]

    @property
    def surprising(self) -> list[Reply]:
        """Poison that got another answer than its own, a refusal or a timeout in the queue."""
        return [
            reply
            for kind, status in _EXPECTED.items()
            for reply in self.of(kind)
            if reply.status not in (status, REFUSED) and reply.category != "queue_timeout"
        ]

    def lines(self) -> Iterator[str]:
        rate = len(self.replies) / self.seconds
        yield f"capacity {self.capacity:.0f} good pictures/s; {len(self.replies)} sent at {rate:.0f}/s"
        statuses = sorted({reply.status for reply in self.replies})
        yield f"{'kind':10}" + "".join(f"{status or 'none':>7}" for status in statuses)
        for kind in ("good", *KINDS):
            counted = Counter(reply.status for reply in self.of(kind))
            yield f"{kind:10}" + "".join(f"{counted[status]:7}" for status in statuses)
        right = sum(reply.right for reply in self.good_admitted)
        yield (
            f"good and admitted {len(self.good_admitted)}: right {right}, late {len(self.late)}, "
            f"wrong {len(self.wrong)}"
        )
        yield from _percentiles("good, 200", [r.milliseconds for r in self.of("good") if r.right])
        yield from _percentiles("429", [reply.milliseconds for reply in self.refused])
        yield from _percentiles("/livez", self.livez.milliseconds)
        yield f"/livez without an answer: {self.livez.lacking} of {self.livez.lacking + len(self.livez.milliseconds)}"
        yield f"children killed from outside: {self.killed}; restarts by cause: {self.restarts}"
        yield f"server restarted: {'no' if self.same_process else 'YES'}"


def _percentiles(name: str, values: Sequence[float]) -> Iterator[str]:
    spread = "  ".join(f"p{100 * share:.0f} {percentile(values, share):8.1f}" for share in (0.5, 0.95, 0.99, 1.0))
    yield f"{name:10} n {len(values):5}  {spread}  (ms)"


def volley(count: int, *, seed: int = 0, poison: float = POISON_SHARE) -> list[Shot]:
    """`count` requests in random order; the share `poison` of them is poison, all kinds equally often.

    One of each kind comes first if there are enough.
    """
    bomb = pictures.uniform_png(20_000, 20_000, depth=1)
    generator = random.Random(seed)
    made = {
        "hang": lambda number: picture(f"hang {number}", Behaviour.HANG),
        "crash": lambda number: picture(f"crash {number}", Behaviour.CRASH),
        "bomb": lambda _: bomb,
        "garbage": lambda _: b"\0" + generator.randbytes(2000),
        "broken": lambda _: pictures.PNG_SIGNATURE + generator.randbytes(2000),
    }
    bad = [KINDS[number % len(KINDS)] for number in range(round(count * poison))]
    shots = [Shot(kind, made[kind](number)) for number, kind in enumerate(bad)]
    first, rest = shots[: len(KINDS)], shots[len(KINDS) :]
    texts = [f"good {number}" for number in range(count - len(shots))]
    rest += [Shot("good", picture(text), text) for text in texts]
    generator.shuffle(rest)
    return first + rest


async def _shoot(server: Server, shot: Shot) -> Reply:
    """Sends one request over a connection of its own."""
    began = time.perf_counter()
    status, body = 0, b""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            writer.write(upload(shot.data, b"Connection: close"))
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
            status = int(head.split()[1])
        finally:
            writer.close()
    except (OSError, asyncio.IncompleteReadError):
        body = b""
    spent = 1000 * (time.perf_counter() - began)
    answer = json.loads(body) if body else {}
    category = str(answer.get("type", "")).rpartition(":")[2]
    texts = [code["text"] for code in answer.get("codes", [])]
    return Reply(shot.kind, status, category, status == 200 and texts == [shot.text], spent)


async def _measure_capacity(server: Server, seconds: float) -> float:
    """Good pictures a second that the service reads when it always has work."""
    done, until = 0, time.monotonic() + seconds
    shot = Shot("good", picture("how fast"), "how fast")

    async def client() -> None:
        nonlocal done
        while time.monotonic() < until:
            done += (await _shoot(server, shot)).right

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    if not done:
        raise RuntimeError("the service reads nothing:\n" + server.log_text()[-2000:])
    return done / seconds


async def _fire(server: Server, shots: Sequence[Shot], rate: float) -> list[Reply]:
    """Sends them at this rate, regardless of answers."""
    began = time.monotonic()
    tasks = []
    for number, shot in enumerate(shots):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        tasks.append(asyncio.create_task(_shoot(server, shot)))
    return list(await asyncio.wait_for(asyncio.gather(*tasks), _SETTLE_SECONDS))


@contextmanager
def killing(server: Server, pause: float | None) -> Iterator[list[int]]:
    """Kills a random child every `pause` seconds inside the block; the list holds the processes that it killed."""
    killed: list[int] = []
    over = threading.Event()
    generator = random.Random(1)

    def run() -> None:
        while not over.wait(pause):
            for pid in generator.sample(children := server.workers(), min(1, len(children))):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    thread = threading.Thread(target=run, daemon=True)
    if pause is not None:
        thread.start()
    try:
        yield killed
    finally:
        over.set()
        if pause is not None:
            thread.join()


def fire(server: Server, shots: Sequence[Shot], *, load: float = 2.0, kill_every: float | None = None) -> Report:
    """Measures the capacity, then sends `shots` at `load` times of it."""
    capacity = asyncio.run(_measure_capacity(server, _MEASURED_SECONDS))
    restarts = {reason: server.restarts(reason) for reason in ("crash", "timeout", "recycled")}
    began = time.monotonic()
    with probed(server.port) as livez, killing(server, kill_every) as killed:
        replies = asyncio.run(_fire(server, shots, load * capacity))
        seconds = time.monotonic() - began
    server.wait_until_busy(0)  # an answer need not wait for the end of its child
    alive = server.process.poll() is None and server.get("/livez").status == 200
    counted = {reason: server.restarts(reason) - count for reason, count in restarts.items()}
    return Report(
        replies=replies,
        livez=livez,
        capacity=capacity,
        seconds=seconds,
        restarts=counted,
        same_process=alive,
        killed=len(killed),
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.load.poison", description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=500, help="requests (default 500)")
    parser.add_argument("--poison", type=float, default=POISON_SHARE, help="share of poison (default 0.05)")
    parser.add_argument("--load", type=float, default=2.0, help="rate as a multiple of the capacity (default 2)")
    parser.add_argument("--kill-every", type=float, help="kill a random child every so many seconds (default: never)")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, running(entry=MISBEHAVING, folder=Path(folder), **SETTINGS) as server:
        shots = volley(options.count, poison=options.poison)
        report = fire(server, shots, load=options.load, kill_every=options.kill_every)
    for line in report.lines():
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
