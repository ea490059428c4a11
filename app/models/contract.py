"""The contract of a network in service, as plain data that needs no torch, so that child processes can read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

PLANES: Final = 4
"""Input planes of a module reader in addition to the picture; see `app.pipeline.inference.module_reader.planes`."""

MAPS: Final = 10
"""Output maps of a quad locator: log-odds that a code is here, x and y offsets to its four corners, and
log2(modules a side / 32)."""
CORNER_UNIT: Final = 64.0
"""Pixels per unit of an offset in the maps of a quad locator."""
STRIDE: Final = 8
"""Pixels between positions of the maps of a quad locator."""


class Kind(StrEnum):
    """What a network in service is for: a part of its contract. Each architecture states its kind in the class
    attribute ``kind``."""

    RESTORER = "restorer"
    MODULE_READER = "module reader"
    QUAD_LOCATOR = "quad locator"


@dataclass(frozen=True)
class Card:
    """A network's contract in service: everything known about its checkpoint except the weights.

    ``scale``: output pixels per input pixel. ``size_multiple``: inputs are padded to multiples of it, in pixels a side.
    ``parameters``: number of learned values. ``config``, ``provenance`` and ``measured`` as in a `Checkpoint`.
    """

    name: str
    architecture: str
    kind: Kind
    scale: int
    size_multiple: int
    parameters: int
    config: Mapping[str, object] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)
    measured: Mapping[str, object] = field(default_factory=dict)
