"""Puts messages together that several symbols hold in structured append (ISO/IEC 18004:2015, 8)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice, product
from operator import xor
from typing import Final

from app.pipeline.payload.charsets import Charset
from app.pipeline.payload.interpreting import interpret
from app.pipeline.qrcode.segments import Message

_MOST_CHOICES: Final = 4096
"""Ways to choose parts that are compared with the parity, where several messages have the same parity and total."""


_COUNTED: Final = ("latin-1", "shift_jis")


@dataclass(frozen=True, slots=True)
class AppendedMessage:
    """A message of several symbols: ``parts`` are the numbers of its symbols among those given, in the order of the
    message. ``missing``: the indices, from 0, of parts that are not there. ``complete``: nothing is missing, and the
    parity that the symbols state is that of the bytes, or of the text in a charset that encoders count in. ``text`` and
    ``payload`` are those of the parts there are."""

    text: str
    payload: bytes
    parts: tuple[int, ...]
    complete: bool
    missing: tuple[int, ...]


def put_together(messages: Sequence[Message | None], hint: Charset | None = None) -> list[AppendedMessage]:
    """The messages in structured append among those of symbols, by parity and total; the others are left alone.

    A part that several symbols hold alike counts once. Where different symbols claim the same place, several messages
    share parity and total: those whose bytes have this parity are told apart; what is left over is incomplete.
    """
    groups: defaultdict[tuple[int, int], defaultdict[int, dict[bytes, int]]] = defaultdict(lambda: defaultdict(dict))
    for number, message in enumerate(messages):
        place = message.structured_append if message else None
        if message and place and place.index < place.total:
            groups[place.parity, place.total][place.index].setdefault(message.payload, number)
    joined: list[AppendedMessage] = []
    for (parity, total), places in groups.items():
        numbers = {index: list(same.values()) for index, same in places.items()}
        joined += (_join(chosen, messages, parity, total, hint) for chosen in _tell_apart(numbers, messages, parity))
    return joined


def _tell_apart(
    places: dict[int, list[int]], messages: Sequence[Message | None], parity: int
) -> Iterator[dict[int, int]]:
    """Chooses symbols, one an index, for one message after another until all are used; those that cannot be told apart
    one by one."""
    parities = {number: _parity(_payloads([number], messages)) for numbers in places.values() for number in numbers}
    while max(map(len, places.values()), default=0) > 1:
        choices = islice(product(*places.values()), _MOST_CHOICES)
        fitting = (one for one in choices if reduce(xor, (parities[number] for number in one)) == parity)
        choice = next(fitting, None)
        if choice is None:
            yield from ({index: number} for index, numbers in places.items() for number in numbers)
            return
        yield dict(zip(places, choice, strict=True))
        left = {index: [one for one in numbers if one not in choice] for index, numbers in places.items()}
        places = {index: numbers for index, numbers in left.items() if numbers}
    if places:
        yield {index: numbers[0] for index, numbers in places.items()}


def _join(
    chosen: Mapping[int, int], messages: Sequence[Message | None], parity: int, total: int, hint: Charset | None
) -> AppendedMessage:
    order = [chosen[index] for index in sorted(chosen)]
    payloads = _payloads(order, messages)
    missing = tuple(index for index in range(total) if index not in chosen)
    text = interpret([message for number in order if (message := messages[number])], hint).text
    return AppendedMessage(
        text=text,
        payload=b"".join(payloads),
        parts=tuple(order),
        complete=not missing and (_parity(payloads) == parity or _counted_parity(text) == parity),
        missing=missing,
    )


def _counted_parity(text: str) -> int | None:
    """The parity of a text in the first charset that holds it of those in which the standard counts, whatever the
    symbols are written in: segno states this one."""
    for charset in _COUNTED:
        try:
            return _parity([text.encode(charset)])
        except UnicodeEncodeError:
            continue
    return None


def _payloads(numbers: Sequence[int], messages: Sequence[Message | None]) -> list[bytes]:
    return [message.payload for number in numbers if (message := messages[number])]


def _parity(payloads: Sequence[bytes]) -> int:
    return reduce(xor, (byte for payload in payloads for byte in payload), 0)
