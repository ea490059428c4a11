"""Every attack, under the row that it measures."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tools.attack import dripping, idle, protocol, signals, small_chunks
from tools.attack.figures import Figure

ATTACKS: Final[Mapping[int, Callable[[], Iterator[Figure]]]] = {
    1: small_chunks.measure,
    2: idle.measure,
    4: dripping.measure,
    8: protocol.measure,
    10: signals.measure,
}
