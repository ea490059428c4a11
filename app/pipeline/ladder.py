"""The ladder: ways to read a picture, cheapest first. It stops at the first that reads, unless told to be thorough."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from time import perf_counter

import cv2
import numpy as np

from app.errors import UnknownNetwork
from app.pipeline.flattening import flatten
from app.pipeline.imaging import GreyImage
from app.pipeline.locating import ClassicalLocator, Locator
from app.pipeline.reading import Corners, Engine, Symbol, ZBar, ZXing, read_variants, resize
from app.pipeline.regions import Region, find_regions
from app.pipeline.restoring import Restorer, TorchRestorer
from app.pipeline.severity import PAPER_THRESHOLD, THRESHOLD_KEY, Route, choose, laplacian_variance

_WHOLE_SIDE = 512  # longest side of a whole picture that a network is run on


class Effort(StrEnum):
    """How far up the ladder a request may go: "fast" reads the untouched picture only, "balanced" stops at the first
    rung that reads, "thorough" climbs every rung for codes that lower ones left unread."""

    FAST = "fast"
    BALANCED = "balanced"
    THOROUGH = "thorough"

    @property
    def regions(self) -> int:
        """Most regions that the rungs above the whole picture look into."""
        return {Effort.FAST: 0, Effort.BALANCED: 4, Effort.THOROUGH: 12}[self]

    @property
    def flattened(self) -> int:
        """Most regions that are flattened, which takes several inferences each."""
        return {Effort.FAST: 0, Effort.BALANCED: 2, Effort.THOROUGH: 12}[self]


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the trace: a rung, or the locating before the first that needs it; its seconds and codes."""

    stage: str
    seconds: float
    codes: int


@dataclass(frozen=True, slots=True)
class Found:
    """A symbol and the rung that read it; its corners are in pixels of the picture handed in."""

    symbol: Symbol
    rung: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a picture. ``route`` is of the region that was read, else of the best; None if no network ran."""

    codes: tuple[Found, ...]
    width: int
    height: int
    route: Route | None
    trace: tuple[Stage, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Restoration:
    """A restored code; ``network`` is None where no network made it. ``outcome`` is what reads from it."""

    image: GreyImage
    network: str | None
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What the rungs work with. ``restorers`` holds every network by name; ``light``, ``heavy`` and ``upscaler`` name
    the ones of the ladder, and ``threshold`` is the Laplacian variance above which the light one goes first."""

    zxing: ZXing
    zbar: Engine
    locator: Locator
    restorers: Mapping[str, Restorer]
    light: str
    heavy: str
    upscaler: str
    threshold: float

    @property
    def engines(self) -> tuple[Engine, Engine]:
        """Both, in the order in which crops are shown to them."""
        return self.zxing, self.zbar

    @classmethod
    def standard(
        cls,
        restorers: Mapping[str, TorchRestorer],
        *,
        light: str,
        heavy: str,
        upscaler: str,
        locator: Locator | None = None,
    ) -> "Tools":
        """Both engines, the classical locator, and the threshold that calibration left in the light checkpoint."""
        measured = restorers[light].card.measured if light in restorers else {}
        threshold = measured.get(THRESHOLD_KEY, PAPER_THRESHOLD)
        return cls(
            zxing=ZXing(),
            zbar=ZBar(),
            locator=locator or ClassicalLocator(),
            restorers=restorers,
            light=light,
            heavy=heavy,
            upscaler=upscaler,
            threshold=float(threshold) if isinstance(threshold, int | float) else PAPER_THRESHOLD,
        )


@dataclass
class Climb:
    """One picture on its way up: what later rungs learn from earlier ones."""

    image: GreyImage
    effort: Effort
    tools: Tools
    route: Route | None = None
    trace: list[Stage] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    located: list[Region] | None = None

    def add(self, symbols: Iterable[Symbol], rung: str) -> None:
        """Takes what a rung read, less what lies where a code was found before."""
        for symbol in symbols:
            if not _covered(symbol.corners, (found.symbol for found in self.found)):
                self.found.append(Found(symbol=symbol, rung=rung))

    def regions(self) -> list[Region]:
        """Where unread codes may be, best first; located when first asked for."""
        if self.located is None:
            began = perf_counter()
            self.located = find_regions(self.image, self.tools.locator, limit=self.effort.regions)
            self.trace.append(Stage("locate", perf_counter() - began, 0))
        symbols = [found.symbol for found in self.found]
        return [region for region in self.located if not _covered(region.corners, symbols)]

    def route_of(self, region: Region) -> Route:
        """The decision of the routing unit."""
        score = laplacian_variance(region.crop)
        return choose(score, self.tools.threshold, light=self.tools.light, heavy=self.tools.heavy)

    def read_each(self, read: Callable[[Region], list[Symbol]], *, most: int | None = None) -> list[Symbol]:
        """Reads the regions one by one, at ``most`` so many; rival regions of a place that was read are left out."""
        symbols: list[Symbol] = []
        for region in self.regions()[:most]:
            if not _covered(region.corners, symbols):
                symbols = _merged(symbols, read(region))
        return symbols

    def timed(self, stage: str, read: Callable[[], list[Symbol]]) -> list[Symbol]:
        """Runs ``read`` and adds a line to the trace; what locating took inside it has its own line and is left out."""
        began, before = perf_counter(), len(self.trace)
        symbols = read()
        inside = sum(line.seconds for line in self.trace[before:])
        self.trace.append(Stage(stage, perf_counter() - began - inside, len(symbols)))
        return symbols

    def read_restored(self, region: Region, route: Route, network: str) -> list[Symbol]:
        """Runs a network on a region and reads what it made."""
        self.route = self.route or route
        symbols = region.read(
            self.tools.restorers[network].restore([region.crop])[0], self.tools.engines, restored=True
        )
        if symbols:
            self.route = route
        return symbols


def read_direct(climb: Climb) -> list[Symbol]:
    """The untouched picture: zxing-cpp, and ZBar where that reads nothing or sees a code that it cannot read."""
    symbols, sightings = climb.tools.zxing.look(climb.image)
    unread = any(not _covered(sighting.corners, symbols) for sighting in sightings)
    return symbols if symbols and not unread else _merged(symbols, climb.tools.zbar.read(climb.image))


def read_scaled_and_filtered(climb: Climb) -> list[Symbol]:
    """The picture at other sizes and contrasts: up to the first that reads, or all of them when thorough."""
    readings = (symbols for _, symbols in read_variants(climb.image) if symbols)
    return _merged(*readings) if climb.effort is Effort.THOROUGH else next(readings, [])


def read_rectified(climb: Climb) -> list[Symbol]:
    """Regions straightened but not restored."""
    return climb.read_each(lambda region: region.read(region.crop, climb.tools.engines, restored=False))


def read_light(climb: Climb) -> list[Symbol]:
    """Regions above the routing threshold, restored by the light network."""
    light = climb.tools.light

    def read(region: Region) -> list[Symbol]:
        route = climb.route_of(region)
        return climb.read_restored(region, route, light) if route.network == light else []

    return climb.read_each(read)


def read_heavy(climb: Climb) -> list[Symbol]:
    """Regions at or below the threshold, and those the light network left unreadable, restored by the heavy one."""
    return climb.read_each(lambda region: climb.read_restored(region, climb.route_of(region), climb.tools.heavy))


def read_flattened(climb: Climb) -> list[Symbol]:
    """The best regions, straightened along what the light network makes of them."""
    light = climb.tools.restorers[climb.tools.light]

    def read(region: Region) -> list[Symbol]:
        rounds = flatten(climb.image, region.registration, light)
        reads = (region.read(restored, climb.tools.engines, restored=True) for restored in rounds)
        return next(filter(None, reads), [])

    return climb.read_each(read, most=climb.effort.flattened)


def read_upscaled(climb: Climb) -> list[Symbol]:
    """Regions of small modules, super-resolved as they lie in the picture."""
    upscaler = climb.tools.restorers[climb.tools.upscaler]

    def read(region: Region) -> list[Symbol]:
        if not region.is_small:
            return []
        patch, offset = region.cut_out(climb.image)
        enlarged = upscaler.restore([patch])[0]
        symbols = _merged(*(engine.read(enlarged) for engine in climb.tools.engines))
        return [_moved(symbol, 1 / upscaler.scale, offset) for symbol in symbols]

    return climb.read_each(read)


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to read, by the name that answers and metrics know it under."""

    name: str
    read: Callable[[Climb], list[Symbol]]


LADDER: tuple[Rung, ...] = (
    Rung("direct", read_direct),
    Rung("variants", read_scaled_and_filtered),
    Rung("rectified", read_rectified),
    Rung("light", read_light),
    Rung("heavy", read_heavy),
    Rung("flattened", read_flattened),
    Rung("upscale", read_upscaled),
)
RUNGS = tuple(rung.name for rung in LADDER)


class Ladder:
    """Reads and restores pictures; holds no state of a picture, so threads may share it.

    ``max_codes`` bounds an outcome; what is over sets ``truncated``.
    """

    def __init__(self, *, tools: Tools, max_codes: int) -> None:
        missing = [name for name in (tools.light, tools.heavy, tools.upscaler) if name not in tools.restorers]
        if missing:
            raise UnknownNetwork(f"No network named {', '.join(missing)} is loaded.")
        self._tools = tools
        self._max_codes = max_codes

    def run(self, image: GreyImage, *, effort: Effort) -> Outcome:
        """Every code that the first successful rung reads in a picture; when thorough, that any rung reads."""
        climb = Climb(image=image, effort=effort, tools=self._tools)
        for rung in LADDER[:1] if effort is Effort.FAST else LADDER:
            climb.add(climb.timed(rung.name, partial(rung.read, climb)), rung.name)
            if climb.found and effort is not Effort.THOROUGH:
                break
        return self._outcome(climb)

    def restore(self, image: GreyImage, *, network: str = "auto", scale: int = 1, binary: bool = False) -> Restoration:
        """The best region of a picture, restored by ``network``; "auto" asks the routing unit, as the ladder does.

        The answer is a canonical crop of ``PIXELS_PER_MODULE`` times ``scale`` pixels a module, quiet zone included;
        where no region was found, the whole picture, reduced to ``_WHOLE_SIDE`` if larger. ``scale`` is 1 or 4: at 4,
        networks that do not enlarge are followed by the upscaler. ``binary`` redraws the symbol dark and light from its
        modules; without a region it thresholds. Raises UnknownNetwork.
        """
        tools = self._tools
        if network != "auto" and network not in tools.restorers:
            raise UnknownNetwork(f"No network of this name is loaded; there are {', '.join(sorted(tools.restorers))}.")
        climb = Climb(image=image, effort=Effort.BALANCED, tools=tools)
        region = next(iter(climb.regions()), None)
        crop = region.crop if region else resize(image, min(1.0, _WHOLE_SIDE / max(image.shape)))
        route = choose(laplacian_variance(crop), tools.threshold, light=tools.light, heavy=tools.heavy)
        order = (network,) if network != "auto" else dict.fromkeys((route.network, tools.heavy))
        for name in order:
            began = perf_counter()
            restored = self._enlarged(crop, name, scale)
            symbols = _read_back(climb, region, restored)
            climb.trace.append(Stage(name, perf_counter() - began, len(symbols)))
            if symbols:
                climb.add(symbols, self._role(name))
                break
        climb.route = replace(route, network=name)
        if binary:
            restored = region.binarised(restored) if region else _thresholded(restored)
        return Restoration(image=restored, network=name, outcome=self._outcome(climb))

    def _enlarged(self, crop: GreyImage, name: str, scale: int) -> GreyImage:
        """A crop through the named network, brought to ``scale``."""
        restorer = self._tools.restorers[name]
        restored = restorer.restore([crop])[0]
        if restorer.scale < scale:
            return self._tools.restorers[self._tools.upscaler].restore([restored])[0]
        return resize(restored, scale / restorer.scale)

    def _role(self, name: str) -> str:
        roles = {self._tools.light: "light", self._tools.heavy: "heavy"}
        return roles.get(name, "upscale" if self._tools.restorers[name].scale > 1 else "heavy")

    def _outcome(self, climb: Climb) -> Outcome:
        height, width = climb.image.shape
        return Outcome(
            codes=tuple(climb.found[: self._max_codes]),
            width=width,
            height=height,
            route=climb.route,
            trace=tuple(climb.trace),
            truncated=len(climb.found) > self._max_codes,
        )


def _read_back(climb: Climb, region: Region | None, restored: GreyImage) -> list[Symbol]:
    """What reads from a restored picture, at its place in the original."""
    if region:
        return region.read(restored, climb.tools.engines, restored=True)
    factor = max(climb.image.shape) / max(restored.shape)
    return _merged(
        *([_moved(symbol, factor, (0, 0)) for symbol in engine.read(restored)] for engine in climb.tools.engines)
    )


def _thresholded(image: GreyImage) -> GreyImage:
    return np.asarray(cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1], dtype=np.uint8)


def _moved(symbol: Symbol, factor: float, offset: tuple[int, int]) -> Symbol:
    first, second, third, fourth = ((x * factor + offset[0], y * factor + offset[1]) for x, y in symbol.corners)
    return replace(symbol, corners=(first, second, third, fourth))


def _centre(corners: Corners) -> tuple[float, float]:
    return sum(x for x, _ in corners) / 4, sum(y for _, y in corners) / 4


def _covered(corners: Corners, symbols: Iterable[Symbol]) -> bool:
    """Whether a place's centre lies within one of the symbols."""
    centre = _centre(corners)
    return any(cv2.pointPolygonTest(np.array(symbol.corners, np.float32), centre, False) >= 0 for symbol in symbols)


def _merged(*readings: list[Symbol]) -> list[Symbol]:
    """All symbols, one for each place: of several readings of one place the first counts."""
    merged: list[Symbol] = []
    for symbol in (symbol for reading in readings for symbol in reading):
        if not _covered(symbol.corners, merged):
            merged.append(symbol)
    return merged
