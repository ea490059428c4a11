"""Pictures that make the children of `tests.support.live.misbehaving_service` misbehave."""

import os
from typing import Final

from app.pipeline.files.png import encode_png
from tests.support.codes import qr_picture
from tests.support.live.behaviours import AT_WORK, RELEASE, Behaviour
from tests.support.live.servers import Server

MISBEHAVING: Final = ("-m", "tests.support.live.misbehaving_service")
"""The entry for `running`."""


def picture(text: str, behaviour: Behaviour = Behaviour.GOOD) -> bytes:
    """A PNG of a symbol that makes its reader behave like this."""
    image = qr_picture(text)
    image[0, 0] = behaviour
    return encode_png(image)


class AtWork:
    """The children that begin to misbehave after it was made."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = len(self._lines())
        self._released = 0

    def pids(self) -> list[int]:
        """Their processes, one entry for each picture, in order of time."""
        return [int(line.removeprefix(AT_WORK)) for line in self._lines()[self._before :]]

    def wait(self, count: int) -> list[int]:
        """Returns the first ``count`` once there are as many."""
        self._server.wait_until(lambda: len(self.pids()) >= count, 30)
        return self.pids()[:count]

    def release(self, count: int, *, after: int = 0) -> None:
        """Has the next ``count`` of them read, each as soon as it holds a picture. The first ``after`` are left out."""
        for _ in range(count):
            self._released = max(self._released, after) + 1
            os.kill(self.wait(self._released)[-1], RELEASE)

    def _lines(self) -> list[str]:
        return [line for line in self._server.log if line.startswith(AT_WORK)]
