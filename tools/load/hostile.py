"""What honest clients see beside hostile ones: beside each of some attacks of `tools.attack`, then all together."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from app.pipeline.files.png import encode_png
from tests.support.live.servers import Server, upload
from tests.support.paths import ROOT
from tools.attack import dripping, idle, slow_pictures, small_chunks
from tools.attack.bench import service
from tools.attack.figures import percentile

HONEST: Final = 4
"""Clients with quick pictures; each sends the next one a while after the last answer."""
_PAUSE: Final = 0.1
_ADDRESS: Final = "127.0.0.2"
_DESCRIPTORS: Final = 256
_BLANK: Final = upload(encode_png(np.full((512, 512), 200, np.uint8)), path=b"/restore?network=srgan&scale=4")

Attack = Callable[[Server, float], AbstractContextManager[object]]
"""Attacks a service for so many seconds."""


@contextmanager
def _idle(server: Server, _: float) -> Iterator[None]:
    with ExitStack() as kept:
        idle.keep_idle(server, kept)
        yield


ATTACKS: Final[Mapping[str, Attack]] = {
    "50 connections, chunks of one byte": lambda server, seconds: small_chunks.flooded(
        server.port, seconds=seconds, **small_chunks.FLOODS["a valid key"]
    ),
    "500 idle connections, 256 descriptors": _idle,
    "4 clients, slow pictures": lambda server, _: slow_pictures.sending(
        server, slow_pictures.REQUESTS["balanced effort"]
    ),
    "32 uploads, a byte a second": lambda server, _: dripping.dripping(server, b"x"),
    "4 clients, the slowest network": lambda server, _: slow_pictures.sending(server, _BLANK),
}


@dataclass
class Seen:
    """What honest clients saw: milliseconds of each answer that was right, and how many were not."""

    milliseconds: list[float] = field(default_factory=list)
    failed: int = 0

    def words(self) -> str:
        total = len(self.milliseconds) + self.failed
        p50, p95, p99 = (percentile(self.milliseconds, share) for share in (0.5, 0.95, 0.99))
        share = 100 * len(self.milliseconds) / max(1, total)
        return f"{p50:.0f} | {p95:.0f} | {p99:.0f} | {share:.1f} % of {total}"


def _honest(server: Server, seconds: float) -> Seen:
    """Has the honest clients send for so long."""
    seen, until, lock = Seen(), time.monotonic() + seconds, threading.Lock()

    def send() -> None:
        while time.monotonic() < until:
            began = time.monotonic()
            right = server.reads(_ADDRESS)
            spent = 1000 * (time.monotonic() - began)
            with lock:
                if right:
                    seen.milliseconds.append(spent)
                else:
                    seen.failed += 1
            time.sleep(_PAUSE)

    with ThreadPoolExecutor(HONEST) as clients:
        for each in [clients.submit(send) for _ in range(HONEST)]:
            each.result()
    return seen


def lines(seconds: float) -> Iterator[str]:
    """A table in Markdown: milliseconds to the answer, and the share of honest requests that were read at the first
    try."""
    yield "| beside | p50 | p95 | p99 | read |"
    yield "|---|---|---|---|---|"
    with service("--descriptors", str(_DESCRIPTORS), weights=ROOT / "weights") as server:
        _honest(server, 1.0)
        yield f"| nothing | {_honest(server, seconds).words()} |"
        for name, attack in ATTACKS.items():
            with attack(server, seconds + 2):
                time.sleep(1.0)
                seen = _honest(server, seconds)
            yield f"| {name} | {seen.words()} |"
            time.sleep(1.0)
        with ExitStack() as together:
            for attack in ATTACKS.values():
                together.enter_context(attack(server, seconds + 3))
            time.sleep(1.0)
            seen = _honest(server, seconds)
        yield f"| all of them | {seen.words()} |"
