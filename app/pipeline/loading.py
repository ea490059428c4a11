"""Loads what a weights folder holds: restorers, the module reader and the quad locator, each by its architecture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from app.errors import InvalidCheckpoint, UnknownNetwork
from app.models import checkpoint
from app.models.checkpoint import Checkpoint
from app.models.module_reader import ModuleReader
from app.models.quad_locator import QuadLocator
from app.pipeline.modules import TorchModuleReader
from app.pipeline.restoring import TorchRestorer
from app.pipeline.windows import WindowLocator

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Networks:
    """The networks of a folder, each kind by name."""

    restorers: Mapping[str, TorchRestorer]
    readers: Mapping[str, TorchModuleReader]
    locators: Mapping[str, WindowLocator]

    @property
    def cards(self) -> list[Checkpoint]:
        """Every checkpoint, by name."""
        cards = [restorer.card for restorer in self.restorers.values()]
        cards += [reader.card for reader in self.readers.values()]
        cards += [locator.card for locator in self.locators.values()]
        return sorted(cards, key=lambda card: card.name)

    def reader(self, name: str) -> TorchModuleReader:
        """The named module reader. Raises UnknownNetwork."""
        return _named(self.readers, name)

    def locator(self, name: str) -> WindowLocator:
        """The named quad locator. Raises UnknownNetwork."""
        return _named(self.locators, name)


def _named(kinds: Mapping[str, Kind], name: str) -> Kind:
    if name not in kinds:
        raise UnknownNetwork(f"No network named {name} of this kind is loaded; there is {', '.join(kinds) or 'none'}.")
    return kinds[name]


def load_networks(directory: Path, device: str) -> Networks:
    """Every checkpoint of a directory on the device, each having run once, so that no request pays for that.

    Raises InvalidCheckpoint for a bad one and where there is none.
    """
    paths = sorted(directory.glob(f"*{checkpoint.SUFFIX}"))
    if not paths:
        raise InvalidCheckpoint(directory, f"it holds no *{checkpoint.SUFFIX} file")
    restorers, readers, locators = {}, {}, {}
    for path in paths:
        card = checkpoint.load(path)
        if isinstance(card.network, ModuleReader):
            readers[card.name] = TorchModuleReader(card, device=device)
            readers[card.name].warm_up()
        elif isinstance(card.network, QuadLocator):
            locators[card.name] = WindowLocator(card, device=device)
            locators[card.name].warm_up()
        else:
            restorers[card.name] = TorchRestorer(card, device=device)
            restorers[card.name].warm_up()
    return Networks(restorers=restorers, readers=readers, locators=locators)
