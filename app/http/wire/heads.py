"""Examines the head of a request before it is parsed: its size, and what RFC 9112 wants refused."""

import re
from typing import Final

from app.errors import HeadTooLarge, MalformedBody, QrestoreError, TargetTooLong

HEALTH: Final = (b"/livez", b"/readyz")

_MOST_BYTES: Final = 16 * 1024
_MOST_LINES: Final = 100
_MOST_TARGET: Final = 8 * 1024
_MOST_METHOD: Final = 32
"""Longest method. Those that HTTP registers have 17 letters at most."""
_END: Final = re.compile(rb"\n\r?\n")
_FORBIDDEN: Final = re.compile(rb"[\x00\x0b\x0c]|\r(?!\n)|\n[ \t]")
"""What no field may hold (RFC 9110, 5.5), and folded lines (RFC 9112, 5.2). h11 takes quadratic time to find it out."""
_LENGTH: Final = re.compile(rb"(?im)^content-length[ \t]*:(.*)$")
_CODING: Final = re.compile(rb"(?im)^transfer-encoding[ \t]*:")


def end_of(received: bytearray) -> int:
    """Where the head ends and what follows begins; -1 if it is incomplete, or longer than heads may be."""
    found = _END.search(received, 0, _MOST_BYTES)
    return found.end() if found else -1


def fault_of(received: bytearray, end: int) -> QrestoreError | None:
    """What is wrong with a head that ends at ``end``, or that is incomplete if ``end`` is -1. None: nothing so far.

    h11 bounds incomplete heads only, and takes 3 µs for a line: 0.2 s for a head of short lines in one packet.
    """
    head = bytes(received[: end if end >= 0 else _MOST_BYTES])
    method, _, rest = head.partition(b"\n")[0].partition(b" ")
    if (head and head[:1] < b"!") or len(method) > _MOST_METHOD:
        return MalformedBody("The request is not valid HTTP.")
    if len(rest) > _MOST_TARGET:
        return TargetTooLong()
    if head.count(b"\n") > _MOST_LINES or (end < 0 and len(received) > _MOST_BYTES):
        return HeadTooLarge()
    return _fault_of_fields(head) if end >= 0 else None


def _fault_of_fields(head: bytes) -> QrestoreError | None:
    if _FORBIDDEN.search(head):
        return MalformedBody("The request is not valid HTTP.")
    lengths = _LENGTH.findall(head)
    if len(lengths) > 1 or (lengths and b"," in lengths[0]):
        return MalformedBody("The Content-Length is repeated.")
    if lengths and _CODING.search(head):  # request smuggling: whoever is in front may have gone by the other one
        return MalformedBody("A request may have a Content-Length or a Transfer-Encoding, not both.")
    return None


def asks_for_health(head: bytes) -> bool:
    target = head.split(b" ", 2)[1:2]
    return bool(target) and target[0].partition(b"?")[0] in HEALTH
