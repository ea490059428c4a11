"""The transport of a connection, as uvicorn sees it: one that can be held back, and that does not cut answers off."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

_LINGER_SECONDS: Final = 5.0


def _nothing() -> None:
    pass


class LingeringTransport(asyncio.Transport):
    """Passes on to an asyncio transport what uvicorn asks of one, with two differences.

    Reading goes on only if neither uvicorn nor the connection itself, by `hold`, wants it paused.

    `close` waits for the client where it may still be sending: a reset for what was sent too much would take the answer
    from it. As RFC 9112 (9.6) says, the sending side is closed at once; what still arrives is dropped unread, up to
    ``most`` bytes and for five seconds at most.
    """

    def __init__(
        self, transport: asyncio.Transport, *, sends_still: Callable[[], bool], resumed: Callable[[], None], most: int
    ) -> None:
        """``sends_still`` says whether a request is incomplete; ``resumed`` is called when uvicorn wants to read on."""
        super().__init__()
        self._transport = transport
        self._sends_still = sends_still
        self._resumed = resumed
        self._most = most
        self._paused = self._held = self._closing = False
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def lingers(self) -> bool:
        """Whether the answer is sent and the transport only waits for the client to stop."""
        return self._deadline is not None

    def drop_unread(self, count: int) -> bool:
        """Counts bytes that have arrived since `close`, and pauses. Returns whether there may be more, by `read_on`."""
        self._most -= count
        if self._most < 0:
            self.end()
        else:
            self._transport.pause_reading()
        return not self._transport.is_closing()

    def read_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        if not self._sends_still() or self._transport.is_closing():
            self._transport.close()
            return
        self._deadline = asyncio.get_running_loop().call_later(_LINGER_SECONDS, self.end)
        self._transport.write_eof()
        self._transport.resume_reading()

    def end(self) -> None:
        """Closes without waiting any longer."""
        self._stop_waiting()
        self._closing = True
        self._transport.close()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def forget(self) -> None:
        """Lets go of the connection, which has ended: thousands that only the garbage collector can free stop the event
        loop for 0.1 s when it comes."""
        self._stop_waiting()
        self._sends_still, self._resumed = bool, _nothing

    def abort(self) -> None:
        self._stop_waiting()
        self._closing = True
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def pause_reading(self) -> None:
        self._paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._paused = False
        self._read_on()
        self._resumed()

    def hold(self) -> None:
        """Pauses reading, whatever uvicorn wants, until `release`."""
        self._held = True
        self._transport.pause_reading()

    def release(self) -> None:
        if self._held:
            self._held = False
            self._read_on()

    def _read_on(self) -> None:
        if not (self._paused or self._held) and not self._transport.is_closing():
            self._transport.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.lingers:
            self._transport.write(data)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)
