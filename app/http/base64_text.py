"""Base64 as people send it: as a data URL or bare, in either alphabet, in lines, with padding or without."""

import asyncio
import re
from base64 import b64decode
from typing import Final

_LONGEST_HEAD: Final = 256
_DATA_URL: Final = re.compile(r"data:[^,;\s]*(?:;[^,;\s]+)*,", re.IGNORECASE)
_PIECE: Final = 256 * 1024
"""Characters that are decoded in one go: 0.6 ms."""
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_SPACE: Final = b" \t\r\n"


async def decode_base64(text: str) -> bytes:
    """Decodes base64 (RFC 4648, sections 4 and 5), after the head of a data URL (RFC 2397) if there is one.

    Works in pieces, between which the event loop does other work. Raises ValueError, also for a last group of one
    character, which holds no byte, and for padding that does not fit.
    """
    decoded, left, padding = bytearray(), b"", 0
    for start in range(_begin(text), len(text), _PIECE):
        piece = text[start : start + _PIECE].encode("ascii").translate(_STANDARD, _SPACE)
        if padding and piece.strip(b"="):
            raise ValueError("padding before the end")
        characters, _, after = piece.partition(b"=")
        if after.strip(b"="):
            raise ValueError("padding before the end")
        padding += len(piece) - len(characters)
        left += characters
        whole = len(left) // 4 * 4
        decoded += b64decode(left[:whole], validate=True)
        left = left[whole:]
        await asyncio.sleep(0)
    if len(left) == 1 or (padding and len(left) + padding != (4 if left else 0)):
        raise ValueError("the last group is incomplete")
    return bytes(decoded + b64decode(left + b"=" * (-len(left) % 4), validate=True))


def _begin(text: str) -> int:
    """Where the base64 begins. Raises ValueError for a data URL that holds something else."""
    text = text[:_LONGEST_HEAD]
    begin = len(text) - len(text.lstrip())
    if text[begin : begin + 5].lower() != "data:":
        return 0
    head = _DATA_URL.match(text, begin)
    if head is None or not head[0].lower().endswith(";base64,"):
        raise ValueError("a data URL that is no base64")
    return head.end()
