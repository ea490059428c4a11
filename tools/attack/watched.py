"""The service, with a watch on its event loop: ``python -m tools.attack.watched [--descriptors N]``.

On SIGUSR1 it writes a line with what it saw since the last such line, in seconds of the thread's own processor time, so
that other processes do not count: the longest time that one callback of the event loop has run, and for each answer to
/livez the time from the connection to the end of the answer, which is what the event loop has done meanwhile.
"""

import asyncio
import json
import resource
import signal
import sys
import time
from types import FrameType
from typing import Any

from app.http.wire.protocol import Protocol
from app.main import serve
from app.settings import Settings

MARK = "longest callback"


class Watch:
    """Times every callback of the event loops of this process, and every answer to /livez."""

    def __init__(self) -> None:
        self._longest, self._name = 0.0, ""
        self._answers: list[float] = []

    def start(self) -> None:
        self.watch_callbacks(asyncio.events.Handle)
        signal.signal(signal.SIGUSR1, self.report)

    def watch_callbacks(self, kind: Any) -> None:
        plain = kind._run

        def run(handle: asyncio.Handle) -> None:
            began = time.thread_time()
            plain(handle)
            spent = time.thread_time() - began
            if spent > self._longest:
                self._longest, self._name = spent, repr(handle)

        kind._run = run

    def watch_answers(self, protocol: Any) -> None:
        """Has connections of this class say how long they took to answer /livez."""
        made, complete = protocol.connection_made, protocol.on_response_complete

        def connection_made(connection: Any, transport: Any) -> None:
            connection.watched_since = time.thread_time()
            made(connection, transport)

        def on_response_complete(connection: Any) -> None:
            if connection.scope["path"] == "/livez":
                self._answers.append(time.thread_time() - connection.watched_since)
            complete(connection)

        protocol.connection_made, protocol.on_response_complete = connection_made, on_response_complete

    def report(self, number: int, frame: FrameType | None) -> None:
        report = {MARK: self._longest, "callback": self._name[:300], "answers": self._answers}
        sys.stderr.write(json.dumps(report) + "\n")
        sys.stderr.flush()
        self._longest, self._name, self._answers = 0.0, "", []


def _main(arguments: list[str]) -> None:
    if arguments[:1] == ["--descriptors"]:
        count = int(arguments[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
    watch = Watch()
    watch.start()
    watch.watch_answers(Protocol)
    serve(Settings(port=0))


if __name__ == "__main__":
    _main(sys.argv[1:])
