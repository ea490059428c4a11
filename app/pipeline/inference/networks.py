"""The networks that a pipeline uses, by kind and name, each on a runner."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
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
    """Networks of each kind, by name.

    ``engine`` says what runs them, for people, and ``device`` where. ``probed`` holds the milliseconds that each engine
    took in the probe that chose it; it is empty where there was no choice. ``makers`` make another runner of each
    network that runs often, for one call at a time, in whichever process: they can be pickled. With torch there are
    none.
    """

    restorers: Mapping[str, NetworkRestorer]
    readers: Mapping[str, NetworkModuleReader]
    locators: Mapping[str, WindowLocator]
    engine: str = ""
    device: str = "cpu"
    probed: Mapping[str, float] = field(default_factory=dict)
    makers: Mapping[str, Callable[[], Runner]] = field(default_factory=dict)

    @classmethod
    def of(cls, cards: Iterable[Card], runner: Callable[[Card], Runner]) -> "Networks":
        """Makes the networks that these cards describe, each on the runner that ``runner`` makes for its card."""
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
        """All networks, sorted by name."""
        networks: list[Network] = [*self.restorers.values(), *self.readers.values(), *self.locators.values()]
        return sorted(networks, key=lambda network: network.card.name)

    @property
    def cards(self) -> list[Card]:
        """The card of each network, sorted by name."""
        return [network.card for network in self.every]

    @property
    def runners(self) -> dict[str, Runner]:
        """The runner of each network, by name."""
        return {network.card.name: network.runner for network in self.every}

    def reader(self, name: str) -> NetworkModuleReader:
        """The module reader of this name. Raises UnknownNetwork."""
        return _look_up(self.readers, name)

    def locator(self, name: str) -> WindowLocator:
        """The quad locator of this name. Raises UnknownNetwork."""
        return _look_up(self.locators, name)


def _look_up(networks: Mapping[str, N], name: str) -> N:
    if name not in networks:
        loaded = ", ".join(networks) or "none"
        raise UnknownNetwork(f"No network named {name} of this kind is loaded; there is {loaded}.")
    return networks[name]
