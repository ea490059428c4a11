"""What pictures do to the children that read them, in `tests.support.live.poison`. Imports no more than a child has anyway."""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from typing import Any, Final

import numpy as np

from app.errors import UnknownNetwork
from app.pipeline import PIXEL_CEILING
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.results import Effort, Found, Outcome, Restoration, Stage
from app.workers.jobs import Pipeline
from app.workers.process import Handler, Infer

SECRET: Final = "what nobody outside may see"
_PIECE: Final = 64 << 20


class Mood(IntEnum):
    """What a picture with this first pixel does to the child that reads it."""

    GOOD = 0
    SLOW = 1
    """Takes as many tenths of a second as the second pixel says, and is read."""
    HANG = 2
    STUBBORN = 3
    """Hangs, in native code, and ignores every signal that can be ignored."""
    CRASH = 4
    ABORT = 5
    EXIT = 6
    EAT = 7
    """Takes memory without end."""
    RAISE = 8
    FLOOD = 9
    """Writes megabytes to standard error, as native libraries do."""


def _hang() -> None:
    while True:
        time.sleep(3600)


def _hang_stubbornly() -> None:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    ctypes.PyDLL(None).sleep(3600)  # holds the interpreter's lock, so that no Python code runs beside it


def _crash(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    _hang()


def _eat() -> None:
    pieces = []
    while True:
        pieces.append(np.ones(_PIECE, np.uint8))


def _fail() -> None:
    raise RuntimeError(SECRET)


def _flood() -> None:
    os.write(2, b"native: a warning of some length\n" * 100_000)


_DEEDS: Final[dict[Mood, Callable[[], None]]] = {
    Mood.HANG: _hang,
    Mood.STUBBORN: _hang_stubbornly,
    Mood.CRASH: partial(_crash, signal.SIGSEGV),
    Mood.ABORT: os.abort,
    Mood.EXIT: partial(os._exit, 3),
    Mood.EAT: _eat,
    Mood.RAISE: _fail,
    Mood.FLOOD: _flood,
}


class PoisonedLadder:
    """Reads by zxing-cpp what its mood lets it."""

    def __init__(self) -> None:
        self._engine = ZXing()

    def run(self, image: GreyImage, *, effort: Effort) -> Outcome:
        del effort
        began = time.perf_counter()
        mood = int(image[0, 0])
        if mood == Mood.SLOW:
            time.sleep(int(image[0, 1]) / 10)
        elif mood in _DEEDS:
            _DEEDS[Mood(mood)]()
        codes = tuple(Found(symbol=symbol, rung="direct") for symbol in self._engine.read(image))
        height, width = image.shape
        trace = (Stage("direct", time.perf_counter() - began, len(codes)),)
        return Outcome(codes=codes, width=width, height=height, route=None, trace=trace, truncated=False)

    def fuse(self, frames: Sequence[GreyImage], *, effort: Effort) -> Outcome:
        return self.run(frames[0], effort=effort)

    def restore(self, image: GreyImage, **_: Any) -> Restoration:
        raise UnknownNetwork


def factory(_: Infer) -> Handler:
    """What the service builds in each child."""
    return Pipeline(ladder=PoisonedLadder(), max_pixels=PIXEL_CEILING).do
