"""Mutations of bytes and of the pieces of image files."""

import zlib
from collections.abc import Callable, Sequence
from random import Random

from tools.fuzz.inputs import containers
from tools.fuzz.inputs.containers import REST, Piece

MOST_BYTES = 1 << 16
"""Mutants are cut to this length."""

_NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 254, 255, 256, 257, 1000, 4096, 16383, 16384, 32767)
_LARGE = (32768, 65534, 65535, 65536, 1 << 24, (1 << 24) - 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 32) - 2)


def _flip(rng: Random, data: bytearray, _: bytes) -> None:
    for _index in range(rng.choice((1, 1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _number(rng: Random, data: bytearray, _: bytes) -> None:
    """Overwrites one to four bytes with a number that is likely to be a limit."""
    width = min(rng.choice((1, 2, 2, 4, 4)), len(data))
    value = rng.choice(_NUMBERS + _LARGE) % (1 << 8 * width)
    at = rng.randrange(len(data) - width + 1)
    data[at : at + width] = value.to_bytes(width, rng.choice(("big", "little")))


def _nudge(rng: Random, data: bytearray, _: bytes) -> None:
    at = rng.randrange(len(data))
    data[at] = (data[at] + rng.randint(-16, 16)) % 256


def _noise(rng: Random, data: bytearray, _: bytes) -> None:
    at, length = _span(rng, data)
    data[at : at + length] = rng.randbytes(length)


def _cut(rng: Random, data: bytearray, _: bytes) -> None:
    at, length = _span(rng, data)
    del data[at : at + length]


def _end(rng: Random, data: bytearray, _: bytes) -> None:
    del data[rng.randrange(len(data)) :]


def _repeat(rng: Random, data: bytearray, _: bytes) -> None:
    at, length = _span(rng, data)
    data[at:at] = bytes(data[at : at + length]) * rng.choice((1, 1, 2, 9, 100))


def _swap(rng: Random, data: bytearray, _: bytes) -> None:
    at, length = _span(rng, data)
    moved = bytes(data[at : at + length])
    del data[at : at + length]
    to = rng.randint(0, len(data))
    data[to:to] = moved


def _graft(rng: Random, data: bytearray, donor: bytes) -> None:
    if donor:
        begin, length = _span(rng, donor)
        at = rng.randrange(len(data) + 1)
        over = length if rng.random() < 0.5 else 0
        data[at : at + over] = donor[begin : begin + length]


_OF_BYTES: tuple[Callable[[Random, bytearray, bytes], None], ...] = (
    _flip, _flip, _number, _number, _number, _nudge, _noise, _cut, _end, _repeat, _swap, _graft
)  # fmt: skip


def _span(rng: Random, data: bytes | bytearray) -> tuple[int, int]:
    at = rng.randrange(len(data))
    return at, rng.randint(1, min(len(data) - at, rng.choice((1, 2, 4, 16, 256, 4096))))


def mutate_bytes(rng: Random, data: bytes, donor: bytes = b"", *, times: int | None = None) -> bytes:
    """Applies one to eight changes, or `times`; grafts take their bytes from `donor`."""
    changed = bytearray(data)
    for _ in range(times or rng.choice((1, 1, 1, 2, 2, 4, 8))):
        if not changed:
            changed += rng.randbytes(rng.randint(1, 16))
        rng.choice(_OF_BYTES)(rng, changed, donor)
    return bytes(changed[:MOST_BYTES])


def mutate_image(rng: Random, data: bytes, donor: bytes) -> bytes:
    """Changes one to three pieces of an image file; one time in four, bytes regardless of pieces."""
    container = containers.of(data)
    if container is None or rng.random() < 0.25:
        return mutate_bytes(rng, data, donor)
    pieces = container.split(data)
    lender = containers.of(donor)
    lent = lender.split(donor) if lender is container else []
    for _ in range(rng.choice((1, 1, 2, 3))):
        pieces = _change_pieces(rng, pieces, lent, container.kinds)
    return container.join(pieces, rng)[:MOST_BYTES]


def _change_pieces(rng: Random, pieces: list[Piece], lent: Sequence[Piece], kinds: Sequence[bytes]) -> list[Piece]:
    pieces = list(pieces) or [Piece(REST, b"")]
    at = rng.randrange(len(pieces))
    kind, body = pieces[at]
    what = rng.random()
    if what < 0.5:
        pieces[at] = Piece(kind, mutate_bytes(rng, body, rng.choice(lent).body if lent else b""))
    elif what < 0.62 and any(piece.kind == b"IDAT" for piece in pieces):
        pieces = _redeflate(rng, pieces)
    elif what < 0.68:
        del pieces[at]
    elif what < 0.74:
        pieces[at:at] = [pieces[at]] * rng.choice((1, 1, 2, 20))
    elif what < 0.80:
        pieces.insert(rng.randint(0, len(pieces)), pieces.pop(at))
    elif what < 0.86:
        pieces[at] = Piece(rng.choice(kinds), body)
    elif what < 0.94 and lent:
        pieces.insert(at, rng.choice(lent))
    else:
        pieces.insert(at, Piece(rng.choice(kinds), rng.randbytes(rng.choice((0, 1, 2, 4, 8, 13, 26, 300)))))
    return pieces


def _redeflate(rng: Random, pieces: list[Piece]) -> list[Piece]:
    """Changes the scanlines of a PNG and compresses them again."""
    packed = b"".join(piece.body for piece in pieces if piece.kind == b"IDAT")
    try:
        rows = zlib.decompressobj().decompress(packed, MOST_BYTES)
    except zlib.error:
        return pieces
    first = next(index for index, piece in enumerate(pieces) if piece.kind == b"IDAT")
    others = [piece for piece in pieces if piece.kind != b"IDAT"]
    return [*others[:first], Piece(b"IDAT", zlib.compress(mutate_bytes(rng, rows))), *others[first:]]
