"""The compared systems, each as one way to read a picture.

Except for the stock decoders, all systems see the same regions, located as in service. Networks of scale 1 see their
canonical crops, as the light and heavy rungs do. Upscalers and plain interpolation see the patches of codes with small
modules as they are in the picture, as the upscaling rung does.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import count
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
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region
from app.pipeline.place import Place
from app.pipeline.reading import Read
from app.pipeline.results import Effort
from app.pipeline.rungs import FLATTENED, LAST_RUNGS, MODULE_RUNGS, read_direct
from app.pipeline.tools import Tools
from training.data.degrade import to_uint8
from training.measure.decoders import plain_engines, stock_decoders
from training.measure.served_tools import MAX_CODES
from training.measure.surveying import survey_places

ROUTED, RANDOM_ROUTING = "adnet", "random routing"
DIRECT, RECTIFIED, LADDER = "direct rung", "rectified only", "whole ladder"
READER, WITH_SOFT, WITH_FLATTENING = "module reader", "+ soft decoding", "+ flattening"
_UPSCALE = next(rung for rung in LAST_RUNGS if rung.name == "upscale")
_SEED = 5
Value = TypeVar("Value")


class Kind(StrEnum):
    """What a compared system is made of; the first three involve no training."""

    DECODER = "stock decoder"
    RECTIFIED = "no restoration"
    INTERPOLATION = "interpolation"
    RESTORER = "restoring network"
    UPSCALER = "upscaling network"
    ROUTING = "routed pair"
    READER = "module reader"
    LADDER = "ladder"


class Interpolation:
    """A system's `Restorer` without a network: stretches the contrast as for networks and enlarges by ``scale``.

    ``method``: one of OpenCV's interpolations.
    """

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
        return [self._enlarge(crop) for crop in crops]

    def _enlarge(self, crop: GreyImage) -> GreyImage:
        stretched = normalise(crop)
        if self._scale > 1:
            size = crop.shape[1] * self._scale, crop.shape[0] * self._scale
            stretched = np.asarray(cv2.resize(stretched, size, interpolation=self._method), dtype=np.float32)
        return to_uint8(stretched)


class SharedPicture:
    """One picture that every compared system reads. Shared intermediate results are computed once and charged to each
    system.

    ``seed`` determines random routing. ``spent``: seconds charged since it was last set to 0.
    """

    def __init__(self, image: GreyImage, tools: Tools, *, seed: Sequence[int]) -> None:
        self.image = image
        self.tools = tools
        self.climb = Climb(image, Effort.BALANCED, tools)
        self.spent = 0.0
        self._coin = np.random.default_rng((_SEED, *seed))
        self._results: dict[Hashable, tuple[Any, float]] = {}
        self._surveys: Iterator[list[Place]] | None = None

    def cached(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """The result of ``compute``, which runs only the first time; its seconds are charged every time."""
        if key not in self._results:
            began = perf_counter()
            result = compute()
            self._results[key] = result, perf_counter() - began
        value, seconds = self._results[key]
        self.spent += seconds
        return value  # type: ignore[no-any-return]  # every key has results of one type

    def look(self) -> tuple[list[Read], list[Candidate]]:
        """The first rung: what it reads, and where it sees codes that it cannot read."""
        return self.cached(DIRECT, lambda: read_direct(self.climb))

    def places(self) -> Iterator[Place]:
        """Places of candidates, survey by survey; a survey is made only when the caller gets that far."""
        _, sighted = self.look()
        for index in count():
            places = self.cached(("survey", index), partial(self._survey, sighted))
            if places is None:
                return
            yield from places

    def _survey(self, sighted: Sequence[Candidate]) -> list[Place] | None:
        """The places of the next survey; None if there is none."""
        self._surveys = self._surveys or survey_places(self.climb, sighted)
        return next(self._surveys, None)

    def regions(self) -> Iterator[Region]:
        """Candidate regions, survey by survey, the most credible place first."""
        return (region for place in self.places() for region in place.regions)

    def flip_coin(self, region: Region) -> bool:
        """A random choice with equal odds, the same each time for a region."""
        return self.cached(("coin", region), lambda: bool(self._coin.random() < 0.5))

    def read_crop(self, region: Region, restorer: Restorer, engines: Sequence[Engine]) -> list[Symbol]:
        """Reads a region's canonical crop after ``restorer``."""
        restored = self.cached((restorer.name, region), lambda: restorer.restore([region.crop])[0])
        key = "read", restorer.name, region, _names(engines)
        return self.cached(key, lambda: region.read(restored, engines, restored=True))

    def upscale(self, region: Region, restorer: Restorer) -> GreyImage:
        """The patch around a region after ``restorer``; regions with the same patch share it."""
        patch, _ = region.cut_out(self.image)
        return self.cached(self._patch_key(region, restorer), lambda: restorer.restore([patch])[0])

    def read_patch(self, region: Region, restorer: Restorer, engines: Sequence[Engine]) -> list[Symbol]:
        """Reads the patch around a region after ``restorer``."""
        patch = self.upscale(region, restorer)
        key = "read", self._patch_key(region, restorer), _names(engines)
        return self.cached(key, lambda: merge_symbols(*(engine.read(patch) for engine in engines)))

    def _patch_key(self, region: Region, restorer: Restorer) -> Hashable:
        patch, offset = region.cut_out(self.image)
        return restorer.name, offset, patch.shape, region.registration.inverted

    def read_by_modules(self, region: Region, engines: Sequence[Engine]) -> list[Symbol]:
        """Reads the symbol that the module reader rebuilds from a region's canonical crop."""
        reader = self.tools.reader
        log_odds = self.cached((READER, region), lambda: reader.read([region.crop], region.version)[0])
        key = "read", READER, region, _names(engines)
        return self.cached(key, lambda: region.read_modules(region.crop, log_odds, engines))


def _names(engines: Sequence[Engine]) -> tuple[str, ...]:
    return tuple(engine.name for engine in engines)


ReadPicture = Callable[[SharedPicture, Sequence[Engine]], list[Symbol] | None]
"""Reads a picture with the given engines; None if the system applies to nothing in it."""
ReadRegion = Callable[[SharedPicture, Region, Sequence[Engine]], list[Symbol]]


@dataclass(frozen=True, kw_only=True)
class System:
    """A compared system: one way to read a picture.

    ``restorer``: for measuring the fidelity of what it makes, if the system has one. ``takes_engines``: whether
    ``read`` uses the engines that it is given, so that ZBar can run alone; the stock decoders and the ladder do not.
    """

    name: str
    kind: Kind
    read: ReadPicture
    restorer: Restorer | None = None
    takes_engines: bool = True


@dataclass(frozen=True)
class SystemResult:
    """What a compared system reads in one picture, before it is known what is right.

    ``by_all``: symbols read by all engines. ``by_zbar``: symbols read by ZBar alone, None where it cannot run alone.
    ``applicable``: whether the system applies to anything in the picture. ``seconds``: of reading by all engines,
    including locating.
    """

    by_all: list[Symbol]
    by_zbar: list[Symbol] | None
    applicable: bool
    seconds: float


def run_system(system: System, picture: SharedPicture, *, zbar_alone: bool = True) -> SystemResult:
    """Runs a compared system: reads a picture by all engines and, with ``zbar_alone``, by ZBar alone where that is
    possible."""
    picture.spent = 0.0
    by_all = system.read(picture, picture.tools.engines)
    seconds = picture.spent
    by_zbar = by_all if system.name == ZBar.name else None
    if system.takes_engines and zbar_alone:
        by_zbar = system.read(picture, (picture.tools.zbar,)) or []
    return SystemResult(by_all or [], by_zbar, by_all is not None, seconds)


def _until_read(regions: Callable[[SharedPicture], Iterable[Region]], read: ReadRegion) -> ReadPicture:
    """Reads regions one by one until one gives a symbol."""

    def read_picture(picture: SharedPicture, engines: Sequence[Engine]) -> list[Symbol] | None:
        applicable = False
        for region in regions(picture):
            applicable = True
            if symbols := read(picture, region, engines):
                return symbols
        return [] if applicable else None

    return read_picture


def _by_crops(order: Callable[[SharedPicture, Region], Iterable[Restorer]]) -> ReadPicture:
    """Reads the crop of each region after each of its restorers in turn."""

    def read(picture: SharedPicture, region: Region, engines: Sequence[Engine]) -> list[Symbol]:
        attempts = (picture.read_crop(region, restorer, engines) for restorer in order(picture, region))
        return next((symbols for symbols in attempts if symbols), [])

    return _until_read(SharedPicture.regions, read)


def _small_regions(picture: SharedPicture) -> Iterator[Region]:
    """The regions that the upscaling rung takes."""
    places = (place for place in picture.places() if _UPSCALE.is_worth(picture.climb, place))
    return (region for place in places for region in place.regions if region.is_small)


def _by_patches(restorer: Restorer) -> ReadPicture:
    return _until_read(_small_regions, lambda picture, region, engines: picture.read_patch(region, restorer, engines))


def _decoder(engine: Engine) -> System:
    def read(picture: SharedPicture, _: Sequence[Engine]) -> list[Symbol]:
        return picture.cached(("decoder", engine.name), lambda: engine.read(picture.image))

    return System(name=engine.name, kind=Kind.DECODER, read=read, takes_engines=False)


def _direct() -> System:
    def read(picture: SharedPicture, _: Sequence[Engine]) -> list[Symbol]:
        return [read.symbol for read in picture.look()[0]]

    return System(name=DIRECT, kind=Kind.DECODER, read=read, takes_engines=False)


def _rectified() -> System:
    def read(picture: SharedPicture, region: Region, engines: Sequence[Engine]) -> list[Symbol]:
        key = "read", RECTIFIED, region, _names(engines)
        return picture.cached(key, lambda: region.read(region.crop, engines, restored=False))

    plain = Interpolation(name=RECTIFIED, method=cv2.INTER_NEAREST, scale=1)
    return System(name=RECTIFIED, kind=Kind.RECTIFIED, read=_until_read(SharedPicture.regions, read), restorer=plain)


def network_system(restorer: Restorer) -> System:
    """Makes a compared system of a single network, or of plain interpolation."""
    if restorer.scale > 1:
        kind = Kind.INTERPOLATION if isinstance(restorer, Interpolation) else Kind.UPSCALER
        return System(name=restorer.name, kind=kind, read=_by_patches(restorer), restorer=restorer)
    return System(name=restorer.name, kind=Kind.RESTORER, read=_by_crops(lambda *_: (restorer,)), restorer=restorer)


def _routings(tools: Tools) -> Iterator[System]:
    """ADNet's routing unit (Li et al., arXiv 2510.12098, section 2.4), and its ablation, a random choice."""
    light, heavy = tools.restorers[tools.light], tools.restorers[tools.heavy]

    def route(picture: SharedPicture, region: Region) -> Iterable[Restorer]:
        return (light, heavy) if picture.climb.route_of(region).network == tools.light else (heavy,)

    def choose_at_random(picture: SharedPicture, region: Region) -> Iterable[Restorer]:
        return (light,) if picture.flip_coin(region) else (heavy,)

    yield System(name=ROUTED, kind=Kind.ROUTING, read=_by_crops(route))
    yield System(name=RANDOM_ROUTING, kind=Kind.ROUTING, read=_by_crops(choose_at_random))


def _rungs(name: str, *rungs: Rung) -> System:
    """Rungs of the ladder in turn until one reads, on the places that every system sees."""

    def climb(picture: SharedPicture, places: Sequence[Place]) -> Climb:
        unread = [Place(place.candidate, place.regions) for place in places]
        return replace(picture.climb, places=unread, found=[], stages={})

    def ascend(climb: Climb, rung: Rung) -> list[Read]:
        return list(climb.ascend(climb.places, [rung]))

    def read(picture: SharedPicture, _: Sequence[Engine]) -> list[Symbol]:
        places = list(picture.places())  # charges the surveys, whichever system made them first
        own = picture.cached("rungs", partial(climb, picture, places))
        attempts = (picture.cached(("rung", rung.name), partial(ascend, own, rung)) for rung in rungs)
        return next(([read.symbol for read in reads] for reads in attempts if reads), [])

    return System(name=name, kind=Kind.READER, read=read, takes_engines=False)


def _ladder(tools: Tools) -> System:
    ladder = Ladder(tools=tools, max_codes=MAX_CODES)

    def run(image: GreyImage) -> list[Symbol]:
        return [found.symbol for found in ladder.run(image, effort=Effort.BALANCED).codes]

    def read(picture: SharedPicture, _: Sequence[Engine]) -> list[Symbol]:
        return picture.cached(LADDER, lambda: run(picture.image))

    return System(name=LADDER, kind=Kind.LADDER, read=read, takes_engines=False)


def all_systems(tools: Tools) -> list[System]:
    """The systems of `training.compare`: stock decoders, the first rung, rectified crops without restoration,
    interpolation, every restorer of the tools, both routings, the module reader and the ladder."""
    interpolations = (
        Interpolation(name="bicubic x4", method=cv2.INTER_CUBIC),
        Interpolation(name="Lanczos x4", method=cv2.INTER_LANCZOS4),
    )
    return [
        *map(_decoder, stock_decoders()),
        _direct(),
        _rectified(),
        *map(network_system, (*interpolations, *tools.restorers.values())),
        *_routings(tools),
        System(name=READER, kind=Kind.READER, read=_until_read(SharedPicture.regions, SharedPicture.read_by_modules)),
        _ladder(tools),
    ]


def ladder_systems(tools: Tools) -> list[System]:
    """The parts of the ladder and the whole: both engines, the first rung, the ladder's networks, both routings, the
    module reader alone and with the rungs that follow it."""
    return [
        *map(_decoder, plain_engines()),
        _direct(),
        *(network_system(tools.restorers[name]) for name in (tools.light, tools.heavy, tools.upscaler)),
        *_routings(tools),
        _rungs(READER, *MODULE_RUNGS[:1]),
        _rungs(WITH_SOFT, *MODULE_RUNGS),
        _rungs(WITH_FLATTENING, *MODULE_RUNGS, FLATTENED),
        _ladder(tools),
    ]
