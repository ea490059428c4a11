"""The systems that the comparison sets side by side, each as one way to read a picture.

Every system but the stock decoders sees the same regions, located as in service. Networks of scale 1 see the canonical
crops of these, as the light and heavy rungs do; networks that enlarge, and plain interpolation, see codes of small
modules as they lie in the picture, as the upscaling rung does.
"""

import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import cv2
import numpy as np

from app.pipeline.climb import Climb, Rung
from app.pipeline.engines.symbol import Engine, Symbol, merge_symbols
from app.pipeline.engines.zbar import ZBar
from app.pipeline.imaging import GreyImage, normalise
from app.pipeline.inference.restorer import Restorer
from app.pipeline.ladder import Ladder
from app.pipeline.locating.regions import Region
from app.pipeline.results import Effort
from app.pipeline.rungs import QUICK, read_direct, read_flattened, read_modules, read_softly
from app.pipeline.tools import Tools
from training.measure.decoders import plain_engines, stock_decoders

ROUTED, TOSSED = "adnet", "random routing"
DIRECT, STRAIGHTENED, LADDER = "direct rung", "straightened only", "whole ladder"
READER, SOFT_TOO, FLATTENED_TOO = "module reader", "+ soft decoding", "+ flattening"
_MODULES, _SOFT, _FLATTENED = (
    Rung("modules", read_modules),
    Rung("soft", read_softly),
    Rung("flattened", read_flattened),
)
_SEED = 5
_MAX_CODES = 256

Value = TypeVar("Value")


class Kind(StrEnum):
    """What a system is; the first three have learned nothing."""

    DECODER = "stock decoder"
    STRAIGHTENED = "no restoration"
    INTERPOLATION = "interpolation"
    RESTORER = "restoring network"
    ENLARGER = "enlarging network"
    ROUTING = "routed pair"
    READER = "module reader"
    LADDER = "ladder"


class Interpolation:
    """Enlarges by ``scale`` without a network, after the contrast stretch that networks get; see `Restorer`."""

    def __init__(self, *, name: str, method: int, scale: int = 4) -> None:
        self._name = name
        self._method = method
        self._scale = scale

    @property
    def name(self) -> str:
        return self._name

    @property
    def scale(self) -> int:
        return self._scale

    def restore(self, crops: Sequence[GreyImage]) -> list[GreyImage]:
        return [self._enlarged(crop) for crop in crops]

    def _enlarged(self, crop: GreyImage) -> GreyImage:
        stretched = normalise(crop)
        if self._scale > 1:
            size = crop.shape[1] * self._scale, crop.shape[0] * self._scale
            stretched = np.asarray(cv2.resize(stretched, size, interpolation=self._method), dtype=np.float32)
        return np.rint(np.clip(stretched, 0, 1) * 255).astype(np.uint8)


class Look:
    """One picture before every system. What several of them need is made once and its time charged to each.

    ``seed`` decides what random routing draws. ``spent``: seconds charged since it was last set to 0.
    """

    def __init__(self, image: GreyImage, tools: Tools, *, seed: Sequence[int]) -> None:
        self.image = image
        self.tools = tools
        self.climb = Climb(image, Effort.BALANCED, tools)
        self.spent = 0.0
        self._coin = np.random.default_rng((_SEED, *seed))
        self._kept: dict[Hashable, tuple[Any, float]] = {}

    def once(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """What ``make`` gives, asked the first time only; its seconds are charged every time."""
        if key not in self._kept:
            began = perf_counter()
            made = make()
            self._kept[key] = made, perf_counter() - began
        value, seconds = self._kept[key]
        self.spent += seconds
        return value  # type: ignore[no-any-return]  # what is kept under a key has one type

    def regions(self) -> Iterator[Region]:
        """Where codes may be, locator after locator, as far as the caller goes; later locators are not asked before."""
        for index in range(len(self.climb.locators))[QUICK]:
            yield from self.once(("regions", index), partial(self.climb.regions_of, index))

    def tossed(self, region: Region) -> bool:
        """Heads or tails, the same for a region whenever it is asked."""
        return self.once(("coin", region), lambda: bool(self._coin.random() < 0.5))

    def crop_read(self, region: Region, restorer: Restorer, engines: Sequence[Engine]) -> list[Symbol]:
        """What engines read in a region's canonical crop, restored."""
        restored = self.once((restorer.name, region), lambda: restorer.restore([region.crop])[0])
        key = "read", restorer.name, region, _names(engines)
        return self.once(key, lambda: region.read(restored, engines, restored=True))

    def enlarged(self, region: Region, restorer: Restorer) -> GreyImage:
        """The box around a region, enlarged; regions that share a box share the work."""
        patch, _ = region.cut_out(self.image)
        return self.once(self._box(region, restorer), lambda: restorer.restore([patch])[0])

    def patch_read(self, region: Region, restorer: Restorer, engines: Sequence[Engine]) -> list[Symbol]:
        """What engines read in the enlarged box around a region."""
        enlarged = self.enlarged(region, restorer)
        key = "read", self._box(region, restorer), _names(engines)
        return self.once(key, lambda: merge_symbols(*(engine.read(enlarged) for engine in engines)))

    def _box(self, region: Region, restorer: Restorer) -> Hashable:
        patch, offset = region.cut_out(self.image)
        return restorer.name, offset, patch.shape, region.registration.inverted

    def modules_read(self, region: Region, engines: Sequence[Engine]) -> list[Symbol]:
        """What engines read in the symbol that the module reader rebuilds."""
        reader = self.tools.reader
        log_odds = self.once((READER, region), lambda: reader.read([region.crop], region.version)[0])
        key = "read", READER, region, _names(engines)
        return self.once(key, lambda: region.read_modules(region.crop, log_odds, engines))


def _names(engines: Sequence[Engine]) -> tuple[str, ...]:
    return tuple(engine.name for engine in engines)


Read = Callable[[Look, Sequence[Engine]], list[Symbol] | None]
"""Symbols that engines read by a system, or None where the picture holds nothing that the system is for."""


@dataclass(frozen=True, kw_only=True)
class System:
    """``restorer`` turns pixels into pixels, where there is one to judge by fidelity. ``engines_apart``: whether ZBar
    can be asked alone; the stock decoders and the ladder choose their engines themselves."""

    name: str
    kind: Kind
    read: Read
    restorer: Restorer | None = None
    engines_apart: bool = True


@dataclass(frozen=True)
class Reads:
    """One system before one picture: what all engines read, what ZBar alone reads (None where it cannot be asked
    alone), whether there was something to try, and the seconds of reading by all, locating included."""

    by_all: list[Symbol]
    by_zbar: list[Symbol] | None
    tried: bool
    seconds: float


def look_through(system: System, look: Look, *, by_zbar_too: bool = True) -> Reads:
    """One system before one picture; by all engines only where nobody asks what ZBar alone reads."""
    look.spent = 0.0
    by_all = system.read(look, look.tools.engines)
    seconds = look.spent
    by_zbar = by_all if system.name == ZBar.name else None
    if system.engines_apart and by_zbar_too:
        by_zbar = system.read(look, (look.tools.zbar,)) or []
    return Reads(by_all or [], by_zbar, by_all is not None, seconds)


def _in_turn(
    regions: Callable[[Look], Iterable[Region]], read: Callable[[Look, Region, Sequence[Engine]], list[Symbol]]
) -> Read:
    """Regions one by one until one reads."""

    def reading(look: Look, engines: Sequence[Engine]) -> list[Symbol] | None:
        tried = False
        for region in regions(look):
            tried = True
            if symbols := read(look, region, engines):
                return symbols
        return [] if tried else None

    return reading


def _crop_by_crop(order: Callable[[Look, Region], Iterable[Restorer]]) -> Read:
    """Regions in turn, each through its restorers in turn."""

    def read(look: Look, region: Region, engines: Sequence[Engine]) -> list[Symbol]:
        readings = (look.crop_read(region, restorer, engines) for restorer in order(look, region))
        return next((symbols for symbols in readings if symbols), [])

    return _in_turn(Look.regions, read)


def _small(look: Look) -> Iterator[Region]:
    """What the upscaling rung takes."""
    return (region for region in look.regions() if region.is_small and region.is_promising)


def _patch_by_patch(restorer: Restorer) -> Read:
    return _in_turn(_small, lambda look, region, engines: look.patch_read(region, restorer, engines))


def _decoder(engine: Engine) -> System:
    def read(look: Look, _: Sequence[Engine]) -> list[Symbol]:
        return look.once(("decoder", engine.name), lambda: engine.read(look.image))

    return System(name=engine.name, kind=Kind.DECODER, read=read, engines_apart=False)


def _direct() -> System:
    def read(look: Look, _: Sequence[Engine]) -> list[Symbol]:
        return look.once(DIRECT, lambda: [read.symbol for read in read_direct(look.climb)])

    return System(name=DIRECT, kind=Kind.DECODER, read=read, engines_apart=False)


def _straightened() -> System:
    def read(look: Look, region: Region, engines: Sequence[Engine]) -> list[Symbol]:
        key = "read", STRAIGHTENED, region, _names(engines)
        return look.once(key, lambda: region.read(region.crop, engines, restored=False))

    plain = Interpolation(name=STRAIGHTENED, method=cv2.INTER_NEAREST, scale=1)
    return System(name=STRAIGHTENED, kind=Kind.STRAIGHTENED, read=_in_turn(Look.regions, read), restorer=plain)


def network_system(restorer: Restorer) -> System:
    """A network by itself, or plain interpolation."""
    if restorer.scale > 1:
        kind = Kind.INTERPOLATION if isinstance(restorer, Interpolation) else Kind.ENLARGER
        return System(name=restorer.name, kind=kind, read=_patch_by_patch(restorer), restorer=restorer)
    return System(name=restorer.name, kind=Kind.RESTORER, read=_crop_by_crop(lambda *_: (restorer,)), restorer=restorer)


def _routings(tools: Tools) -> Iterator[System]:
    """ADNet's routing unit (Li et al., arXiv 2510.12098, section 2.4), and its ablation, which draws one of the two."""
    light, heavy = tools.restorers[tools.light], tools.restorers[tools.heavy]

    def routed(look: Look, region: Region) -> Iterable[Restorer]:
        return (light, heavy) if look.climb.route_of(region).network == tools.light else (heavy,)

    def tossed(look: Look, region: Region) -> Iterable[Restorer]:
        return (light,) if look.tossed(region) else (heavy,)

    yield System(name=ROUTED, kind=Kind.ROUTING, read=_crop_by_crop(routed))
    yield System(name=TOSSED, kind=Kind.ROUTING, read=_crop_by_crop(tossed))


def _rungs(name: str, *rungs: Rung) -> System:
    """Rungs of the ladder one after the other, until one reads, on the regions that every system sees."""

    def read(look: Look, _: Sequence[Engine]) -> list[Symbol]:
        list(look.regions())  # what the quick locators take is charged, whoever asked them first
        climb = look.once("rungs", lambda: replace(look.climb, trace=[], found=[], readings=[]))
        readings = (look.once(rung, partial(climb.run, rung)) for rung in rungs)
        return next(([read.symbol for read in reads] for reads in readings if reads), [])

    return System(name=name, kind=Kind.READER, read=read, engines_apart=False)


def _ladder(tools: Tools) -> System:
    ladder = Ladder(tools=tools, max_codes=_MAX_CODES)

    def climbed(image: GreyImage) -> list[Symbol]:
        return [found.symbol for found in ladder.run(image, effort=Effort.BALANCED).codes]

    def read(look: Look, _: Sequence[Engine]) -> list[Symbol]:
        return look.once(LADDER, lambda: climbed(look.image))

    return System(name=LADDER, kind=Kind.LADDER, read=read, engines_apart=False)


def all_systems(tools: Tools) -> list[System]:
    """Decoders alone and as the first rung has them, crops as they are, interpolation, each restorer of the tools,
    their routings, the module reader, the ladder."""
    interpolations = (
        Interpolation(name="bicubic x4", method=cv2.INTER_CUBIC),
        Interpolation(name="Lanczos x4", method=cv2.INTER_LANCZOS4),
    )
    return [
        *map(_decoder, stock_decoders()),
        _direct(),
        _straightened(),
        *map(network_system, (*interpolations, *tools.restorers.values())),
        *_routings(tools),
        System(
            name=READER,
            kind=Kind.READER,
            read=_in_turn(Look.regions, lambda look, region, engines: look.modules_read(region, engines)),
        ),
        _ladder(tools),
    ]


def ladder_systems(tools: Tools) -> list[System]:
    """What the ladder is made of, and the whole of it: the two engines alone, the first rung, the networks that it has
    by name, their routings, the module reader, and the reader with the rungs that help it, on what any locator sees."""
    return [
        *map(_decoder, plain_engines()),
        _direct(),
        *(network_system(tools.restorers[name]) for name in (tools.light, tools.heavy, tools.upscaler)),
        *_routings(tools),
        _rungs(READER, _MODULES),
        _rungs(SOFT_TOO, _MODULES, _SOFT),
        _rungs(FLATTENED_TOO, _MODULES, _SOFT, _FLATTENED),
        _ladder(tools),
    ]


def seed_of(name: str, index: int) -> tuple[int, int]:
    """What random routing draws from on picture ``index`` of a set."""
    return zlib.crc32(name.encode()), index
