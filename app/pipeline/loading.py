"""Loads what a weights folder holds: restorers, the module reader and the quad locator, each by its architecture."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import torch

from app.errors import InvalidCheckpoint, UnknownNetwork
from app.models import checkpoint
from app.models.checkpoint import Checkpoint
from app.models.module_reader import ModuleReader
from app.models.quad_locator import QuadLocator
from app.pipeline.modules import TorchModuleReader
from app.pipeline.onnx_running import OnnxRunner, exported_file
from app.pipeline.restoring import Runner, TorchRestorer
from app.pipeline.windows import WindowLocator

Kind = TypeVar("Kind")


class Backend(StrEnum):
    """What runs the networks: torch on a device, or ONNX Runtime on the CPU, from 8-bit files where there are any."""

    TORCH = "torch"
    ONNX = "onnx"
    ONNX_INT8 = "onnx-int8"


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


def load_networks(directory: Path, device: str, *, backend: Backend = Backend.TORCH) -> Networks:
    """Every checkpoint of a directory on the device, each having run once, so that no request pays for that.

    With another backend than torch they run on the CPU with as many threads as torch has, each from the exported file
    beside its checkpoint. Raises InvalidCheckpoint for a bad one, an absent export, and where there is none.
    """
    paths = sorted(directory.glob(f"*{checkpoint.SUFFIX}"))
    if not paths:
        raise InvalidCheckpoint(directory, f"it holds no *{checkpoint.SUFFIX} file")

    def runner(card: Checkpoint) -> Runner | None:
        if backend is Backend.TORCH:
            return None
        file = exported_file(directory, card.name, int8=backend is Backend.ONNX_INT8)
        return OnnxRunner(file, card, threads=torch.get_num_threads())

    restorers, readers, locators = {}, {}, {}
    for path in paths:
        card = checkpoint.load(path)
        if isinstance(card.network, ModuleReader):
            readers[card.name] = TorchModuleReader(card, device=device, runner=runner(card))
            readers[card.name].warm_up()
        elif isinstance(card.network, QuadLocator):
            locators[card.name] = WindowLocator(card, device=device, runner=runner(card))
            locators[card.name].warm_up()
        else:
            restorers[card.name] = TorchRestorer(card, device=device, runner=runner(card))
            restorers[card.name].warm_up()
    return Networks(restorers=restorers, readers=readers, locators=locators)
