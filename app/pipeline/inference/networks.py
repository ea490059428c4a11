"""The networks that a pipeline works with, by kind and name, on whatever runs them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from app.errors import UnknownNetwork
from app.models.contract import Card, Kind
from app.pipeline.inference.module_reader import NetworkModuleReader
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.runners import Runner
from app.pipeline.inference.window_locator import WindowLocator

Network = NetworkRestorer | NetworkModuleReader | WindowLocator
N = TypeVar("N", bound=Network)


@dataclass(frozen=True)
class Networks:
    """Networks of each kind by name."""

    restorers: Mapping[str, NetworkRestorer]
    readers: Mapping[str, NetworkModuleReader]
    locators: Mapping[str, WindowLocator]

    @classmethod
    def of(cls, cards: Iterable[Card], runner: Callable[[Card], Runner]) -> "Networks":
        """The networks that these cards describe, each on the runner made for it."""
        restorers, readers, locators = {}, {}, {}
        for card in cards:
            match card.kind:
                case Kind.RESTORER:
                    restorers[card.name] = NetworkRestorer(card, runner(card))
                case Kind.MODULE_READER:
                    readers[card.name] = NetworkModuleReader(card, runner(card))
                case Kind.QUAD_LOCATOR:
                    locators[card.name] = WindowLocator(card, runner(card))
        return cls(restorers=restorers, readers=readers, locators=locators)

    @property
    def every(self) -> list[Network]:
        """All of them, by name."""
        together: list[Network] = [*self.restorers.values(), *self.readers.values(), *self.locators.values()]
        return sorted(together, key=lambda network: network.card.name)

    @property
    def cards(self) -> list[Card]:
        """The card of each, by name."""
        return [network.card for network in self.every]

    @property
    def runners(self) -> dict[str, Runner]:
        """What runs each, by name."""
        return {network.card.name: network.runner for network in self.every}

    def reader(self, name: str) -> NetworkModuleReader:
        """The module reader of this name. Raises UnknownNetwork."""
        return _named(self.readers, name)

    def locator(self, name: str) -> WindowLocator:
        """The quad locator of this name. Raises UnknownNetwork."""
        return _named(self.locators, name)


def _named(networks: Mapping[str, N], name: str) -> N:
    if name not in networks:
        loaded = ", ".join(networks) or "none"
        raise UnknownNetwork(f"No network named {name} of this kind is loaded; there is {loaded}.")
    return networks[name]
