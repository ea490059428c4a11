"""Takes the chunked coding off a request body, within bounds on what the coding itself may cost."""

import re
from typing import Final

from app.errors import MalformedBody

_FREE_BYTES: Final = 16 * 1024
_SHARE: Final = 8
_MOST_BYTES: Final = 256 * 1024
"""What sizes, extensions, line ends and trailers of a body may come to: 16 KiB and an eighth of the body, never over
256 KiB. Chunks of 1 KiB cost 0.7 % of the body, lines of base64 8 %, single bytes 500 %."""
_LINE_BYTES: Final = 1024
"""Longest line of a size with its extensions, and longest line of a trailer."""
_PIECE_CHUNKS: Final = 128
"""Chunks that are handled in one go: about 0.1 ms."""
_PIECE_BYTES: Final = 64 * 1024
_WORTHWHILE_BYTES: Final = 4096
"""Payload is handed on in pieces of this size at least, for each costs the application some 0.2 ms."""
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_INVALID: Final = "The chunks of the body are not valid."
_TRAILER: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*")


class Dechunker:
    """Reads the chunks of one body (RFC 9112, 7.1). Extensions and trailers are checked and dropped.

    h11 reads chunks, too, but takes 20 µs for each of them, counts none of what they cost, and parses a trailer of any
    number of lines in one go. So it is given the payload in a few large chunks.
    """

    def __init__(self) -> None:
        self._left = 0
        """Bytes of the chunk that are to come."""
        self._after_chunk = self._in_trailer = False
        self._payload = bytearray()
        self._received = 0
        self._overhead = 0
        self.ended = False

    def take(self, buffer: bytearray) -> bytes:
        """Takes one piece from the front of ``buffer``; returns the payload in it, which may be empty.

        What can be handled further is left in the buffer, and so is a line that is not complete. Raises MalformedBody
        if the coding is not valid or costs too much.
        """
        at = 0
        for _ in range(_PIECE_CHUNKS):
            if self.ended or len(self._payload) >= _PIECE_BYTES:
                break
            if self._left:
                taken = min(self._left, _PIECE_BYTES, len(buffer) - at)
                self._payload += buffer[at : at + taken]
                self._left -= taken
                self._received += taken
                at += taken
                if not taken:
                    break
                self._after_chunk = not self._left
            else:
                end = self._line_end(buffer, at)
                if end < 0:
                    break
                self._take_line(bytes(buffer[at:end]))
                self._overhead += end + 2 - at
                at = end + 2
        del buffer[:at]
        self._check_overhead()
        return self._payload_if_worthwhile(exhausted=not at or not buffer)

    def _line_end(self, buffer: bytearray, at: int) -> int:
        """Where the line that begins at ``at`` ends, -1 if it is not complete yet. Raises MalformedBody."""
        most = 0 if self._after_chunk else _LINE_BYTES
        end = buffer.find(b"\r\n", at, at + most + 2)
        if end < 0 and (len(buffer) - at >= most + 2 or (not most and not b"\r".startswith(buffer[at : at + 1]))):
            raise MalformedBody(_INVALID)
        return end

    def _take_line(self, line: bytes) -> None:
        """Takes the line behind a chunk, which is empty, the size of the next one, or a line of the trailer."""
        if self._after_chunk:
            self._after_chunk = False
        elif self._in_trailer:
            if line and not _TRAILER.fullmatch(line):
                raise MalformedBody(_INVALID)
            self.ended = not line
        else:
            size = _SIZE.fullmatch(line)
            if not size:
                raise MalformedBody(_INVALID)
            self._left = int(size[1], 16)
            self._in_trailer = not self._left

    def _check_overhead(self) -> None:
        if self._overhead > min(_FREE_BYTES + self._received // _SHARE, _MOST_BYTES):
            raise MalformedBody("The chunks of the body are too small.")

    def _payload_if_worthwhile(self, *, exhausted: bool) -> bytes:
        if not (exhausted or self.ended or len(self._payload) >= _WORTHWHILE_BYTES):
            return b""
        payload = bytes(self._payload)
        self._payload.clear()
        return payload
