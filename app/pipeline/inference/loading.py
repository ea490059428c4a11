"""Loads what a weights folder holds: restorers, the module reader and the quad locator, each by its architecture."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from app.errors import InvalidCheckpoint, UnknownNetwork
from app.models import NETWORKS, checkpoint
from app.models.checkpoint import Checkpoint
from app.models.module_reader import ModuleReader
from app.models.quad_locator import QuadLocator
from app.pipeline.inference.module_reader import TorchModuleReader
from app.pipeline.inference.onnx import OnnxRunner, exported_file
from app.pipeline.inference.restorer import TorchRestorer
from app.pipeline.inference.runners import Runner
from app.pipeline.inference.torch_runner import TorchRunner
from app.pipeline.inference.window_locator import WindowLocator

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
    def every(self) -> list[TorchRestorer | TorchModuleReader | WindowLocator]:
        """All of them, by name."""
        together: list[TorchRestorer | TorchModuleReader | WindowLocator] = []
        for kind in (self.restorers, self.readers, self.locators):
            together += kind.values()
        return sorted(together, key=lambda network: network.card.name)

    @property
    def cards(self) -> list[Checkpoint]:
        """Every checkpoint, by name."""
        return [network.card for network in self.every]

    @property
    def runners(self) -> dict[str, Runner]:
        """What runs each, by name."""
        return {network.card.name: network.runner for network in self.every}

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

    def runner(card: Checkpoint) -> Runner:
        if backend is Backend.TORCH:
            dense = NETWORKS[card.architecture] in (ModuleReader, QuadLocator)
            return TorchRunner(card.network, device=device, dense=dense)
        file = exported_file(directory, card.name, int8=backend is Backend.ONNX_INT8)
        return OnnxRunner(file, card, threads=torch.get_num_threads())

    networks = assembled((checkpoint.load(path) for path in paths), runner)
    for network in networks.every:
        network.warm_up()
    return networks


def assembled(cards: Iterable[Checkpoint], runner: Callable[[Checkpoint], Runner]) -> Networks:
    """The networks of these cards, each of the kind that its architecture says, on the runner that is made for it."""
    restorers, readers, locators = {}, {}, {}
    for card in cards:
        architecture = NETWORKS[card.architecture]
        if architecture is ModuleReader:
            readers[card.name] = TorchModuleReader(card, runner=runner(card))
        elif architecture is QuadLocator:
            locators[card.name] = WindowLocator(card, runner=runner(card))
        else:
            restorers[card.name] = TorchRestorer(card, runner=runner(card))
    return Networks(restorers=restorers, readers=readers, locators=locators)


class Outline(nn.Module):
    """What others need to know of a network that runs elsewhere: its scale and the multiple that it is padded to."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for name in ("scale", "size_multiple"):
            if hasattr(network, name):
                setattr(self, name, int(getattr(network, name)))


def outlined(card: Checkpoint) -> Checkpoint:
    """The card with an outline in the place of its network: a few hundred bytes to hand to another process."""
    return replace(card, network=Outline(card.network))
