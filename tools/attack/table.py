"""Every attack, under its number."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

from tools.attack import dripping, idle, operator, protocol, signals, slow_networks, slow_pictures, small_chunks
from tools.attack.figures import Figure


def _of_operators(number: int) -> Iterator[Figure]:
    for name, check in operator.ROWS[number].items():
        yield Figure(name, *check())


ATTACKS: Final[Mapping[int, Callable[[], Iterator[Figure]]]] = {
    1: small_chunks.measure,
    2: idle.measure,
    3: slow_pictures.measure,
    4: dripping.measure,
    5: slow_networks.measure,
    6: partial(_of_operators, 6),
    7: partial(_of_operators, 7),
    8: protocol.measure,
    9: partial(_of_operators, 9),
    10: signals.measure,
    11: partial(_of_operators, 11),
}
