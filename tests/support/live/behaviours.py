"""How children behave that read pictures of `tests.support.live.poison`. Imports no more than a child has anyway."""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import IntEnum
from functools import partial
from typing import Any, Final

import numpy as np

from app.errors import UnknownNetwork
from app.pipeline import PIXEL_CEILING
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.results import Found, Outcome, Reason, Restoration, Stage, Unread
from app.workers.jobs import Pipeline
from app.workers.process import Handler, Infer

SECRET: Final = "what nobody outside may see"
AT_WORK: Final = "native: at work on a bad picture in process "
"""A child writes this and its process id as a line to standard error before it misbehaves."""
RELEASE: Final = signal.SIGUSR1
"""Has a child read what it holds."""
_POLL_SECONDS: Final = 0.01
_PIECE: Final = 64 << 20


class Behaviour(IntEnum):
    """What a child does with a picture whose first pixel has this value."""

    GOOD = 0
    HELD = 1
    """Reads once its child gets RELEASE."""
    HANG = 2
    STUBBORN = 3
    """Hangs in native code and ignores every signal that can be ignored."""
    CRASH = 4
    ABORT = 5
    EXIT = 6
    EAT = 7
    """Allocates memory without end."""
    RAISE = 8
    FLOOD = 9
    """Writes megabytes to standard error, as native libraries do."""
    OVERLOOK = 10
    """Sees what it reads as codes that the budget left unread."""


def _hang() -> None:
    while True:
        time.sleep(3600)


def _hang_stubbornly() -> None:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    ctypes.PyDLL(None).sleep(3600)  # keeps the interpreter's lock, so that no Python code runs meanwhile


def _crash(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    _hang()


def _eat() -> None:
    pieces = []
    while True:
        pieces.append(np.empty(_PIECE, np.uint8))  # address space is what is limited, so no page needs touching


def _fail() -> None:
    raise RuntimeError(SECRET)


def _flood() -> None:
    os.write(2, b"native: a warning of some length\n" * 100_000)


_ACTIONS: Final[dict[Behaviour, Callable[[], None]]] = {
    Behaviour.HANG: _hang,
    Behaviour.STUBBORN: _hang_stubbornly,
    Behaviour.CRASH: partial(_crash, signal.SIGSEGV),
    Behaviour.ABORT: os.abort,
    Behaviour.EXIT: partial(os._exit, 3),
    Behaviour.EAT: _eat,
    Behaviour.RAISE: _fail,
    Behaviour.FLOOD: _flood,
}


class MisbehavingLadder:
    """Reads with zxing-cpp after it has behaved as the picture says. There is one in a process, in its main thread."""

    def __init__(self) -> None:
        self._engine = ZXing()
        self._is_released = False
        signal.signal(RELEASE, self._release)

    def _release(self, *_: object) -> None:
        self._is_released = True

    def _hold(self) -> None:
        while not self._is_released:
            time.sleep(_POLL_SECONDS)
        self._is_released = False

    def run(self, image: GreyImage, **_: Any) -> Outcome:
        began = time.perf_counter()
        behaviour = int(image[0, 0])
        if behaviour != Behaviour.GOOD:
            os.write(2, f"{AT_WORK}{os.getpid()}\n".encode())
        if behaviour == Behaviour.HELD:
            self._hold()
        elif behaviour in _ACTIONS:
            _ACTIONS[Behaviour(behaviour)]()
        symbols = self._engine.read(image)
        height, width = image.shape
        trace = (Stage("direct", time.perf_counter() - began, len(symbols)),)
        outcome = Outcome(codes=(), width=width, height=height, route=None, trace=trace, truncated=False)
        if behaviour == Behaviour.OVERLOOK:
            seen = tuple(Unread(symbol.corners, Reason.BUDGET, confidence=0.75) for symbol in symbols)
            return replace(outcome, unread=seen, complete=False)
        return replace(outcome, codes=tuple(Found(symbol=symbol, rung="direct") for symbol in symbols))

    def fuse(self, frames: Sequence[GreyImage], **_: Any) -> Outcome:
        return self.run(frames[0])

    def restore(self, image: GreyImage, **_: Any) -> Restoration:
        raise UnknownNetwork


def factory(_: Infer) -> Handler:
    """What the service builds in each child."""
    return Pipeline(ladder=MisbehavingLadder(), max_pixels=PIXEL_CEILING).do
