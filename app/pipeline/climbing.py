"""One picture on its way up the ladder: the tools, what is known so far, and what comes of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.codewords import LogOdds
from app.pipeline.imaging import GreyImage
from app.pipeline.loading import Networks
from app.pipeline.locating import FinderLocator, Locator, SightingLocator, WholePicture
from app.pipeline.modules import ModuleReader, surety
from app.pipeline.reading import Corners, Engine, Symbol, ZBar, ZXing
from app.pipeline.regions import Region, find_regions
from app.pipeline.restoring import Restorer
from app.pipeline.severity import PAPER_THRESHOLD, THRESHOLD_KEY, Route, choose, laplacian_variance
from app.pipeline.soft import decode_soft
from app.pipeline.windows import StretchedLocator

SOFT = "soft"
"""Engine of symbols that soft decoding read."""


class Effort(StrEnum):
    """How far up the ladder a request may go: "fast" reads the untouched picture only, "balanced" stops at the first
    rung that reads, "thorough" climbs every rung for codes that lower ones left unread."""

    FAST = "fast"
    BALANCED = "balanced"
    THOROUGH = "thorough"

    @property
    def regions(self) -> int:
        """Most regions that the rungs above the whole picture take from one locator."""
        return {Effort.FAST: 0, Effort.BALANCED: 4, Effort.THOROUGH: 12}[self]

    @property
    def flattened(self) -> int:
        """Most regions that are flattened, which takes several inferences each."""
        return {Effort.FAST: 0, Effort.BALANCED: 3, Effort.THOROUGH: 12}[self]

    @property
    def decoded_softly(self) -> int:
        """Most readings that soft decoding is tried on."""
        return {Effort.FAST: 0, Effort.BALANCED: 4, Effort.THOROUGH: 24}[self]

    @property
    def fused(self) -> int:
        """Most readings of a frame that are compared with those of other frames."""
        return {Effort.FAST: 0, Effort.BALANCED: 16, Effort.THOROUGH: 64}[self]


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the trace: a rung, or the locating before the first that needs it; its seconds and codes."""

    stage: str
    seconds: float
    codes: int


@dataclass(frozen=True, slots=True)
class Found:
    """A symbol and the rung that read it; its corners are in pixels of the picture handed in: of several, ``frame``."""

    symbol: Symbol
    rung: str
    frame: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a picture. ``route`` is of the region that was read, else of the best; None if no network ran."""

    codes: tuple[Found, ...]
    width: int
    height: int
    route: Route | None
    trace: tuple[Stage, ...]
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What the rungs work with. ``locators`` are asked in turn, each only when what the ones before it found did not
    read; ``slow_locators`` after them, where thoroughness was asked for. ``restorers`` holds every network by name;
    ``light``, ``heavy`` and ``upscaler`` name the ones of the ladder, and ``threshold`` is the Laplacian variance above
    which the light one goes first."""

    zxing: ZXing
    zbar: Engine
    locators: Sequence[Locator]
    slow_locators: Sequence[Locator] = ()
    reader: ModuleReader
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
        cls, networks: Networks, *, light: str, heavy: str, upscaler: str, reader: str, locator: str
    ) -> "Tools":
        """Both engines, every locator, and the threshold that calibration left in the light checkpoint.

        Raises UnknownNetwork where ``reader`` or ``locator`` names none.
        """
        measured = networks.restorers[light].card.measured if light in networks.restorers else {}
        threshold = measured.get(THRESHOLD_KEY, PAPER_THRESHOLD)
        windows = networks.locator(locator)
        return cls(
            zxing=ZXing(),
            zbar=ZBar(),
            locators=(
                SightingLocator(),
                windows,
                WholePicture(),
                windows.finer(),
                StretchedLocator(windows),
                FinderLocator(),
            ),
            slow_locators=(windows.finest(),),
            reader=networks.reader(reader),
            restorers=networks.restorers,
            light=light,
            heavy=heavy,
            upscaler=upscaler,
            threshold=float(threshold) if isinstance(threshold, int | float) else PAPER_THRESHOLD,
        )


@dataclass(frozen=True, eq=False)
class Reading:
    """What the module reader made of a region; ``crop`` is what it saw, which may be straighter than the region's."""

    region: Region
    crop: GreyImage
    log_odds: LogOdds

    @cached_property
    def surety(self) -> float:
        """How far the modules are from even odds, on average, 0 to 1, times how well the known patterns agree."""
        return surety(self.log_odds) * self.region.registration.agreement

    def decoded(self) -> NDArray[np.bool_] | None:
        """The symbol (True is dark) that soft decoding makes of it, mirrored too."""
        for mirrored in (False, True):
            soft = decode_soft(
                np.ascontiguousarray(self.log_odds.T if mirrored else self.log_odds), self.region.version
            )
            if soft:
                return soft.modules.T if mirrored else soft.modules
        return None

    def read_decoded(self, modules: NDArray[np.bool_], engines: Sequence[Engine]) -> list[Symbol]:
        """What the engines read in the symbol that soft decoding made; ``engine`` is "soft", whichever parsed it."""
        symbols = self.region.read_symbol(modules, engines, self.crop)
        return [replace(symbol, engine=SOFT) for symbol in symbols]


@dataclass
class Climb:
    """What later rungs learn from earlier ones: regions wave by wave, readings, and which of these were decoded softly
    or flattened."""

    image: GreyImage
    effort: Effort
    tools: Tools
    route: Route | None = None
    trace: list[Stage] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    waves: list[list[Region]] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    straightened: set[Region] = field(default_factory=set)
    decoded: set[Reading] = field(default_factory=set)
    flattened: set[Region] = field(default_factory=set)

    def add(self, symbols: Iterable[Symbol], rung: str) -> None:
        """Takes what a rung read, less what lies where a code was found before."""
        for symbol in symbols:
            if not covered(symbol.corners, (found.symbol for found in self.found)):
                self.found.append(Found(symbol=symbol, rung=rung))

    @property
    def locators(self) -> Sequence[Locator]:
        """Those that this effort may ask."""
        slow = self.tools.slow_locators if self.effort is Effort.THOROUGH else ()
        return (*self.tools.locators, *slow)

    def wave(self, index: int) -> list[Region]:
        """Where the locator of this place in turn sees unread codes that none before it saw, best first."""
        while len(self.waves) <= index:
            self.waves.append(self._locate(self.locators[len(self.waves)]))
        symbols = [found.symbol for found in self.found]
        return [region for region in self.waves[index] if not covered(region.corners, symbols)]

    def _locate(self, locator: Locator) -> list[Region]:
        began = perf_counter()
        regions = find_regions(self.image, locator.locate(self.image), limit=self.effort.regions)
        known = [region for wave in self.waves for region in wave]
        self.trace.append(Stage("locate", perf_counter() - began, 0))
        return [region for region in regions if not any(region.resembles(other) for other in known)]

    def best_region(self) -> Region | None:
        """The most credible region of the first wave that has one."""
        waves = (self.wave(index) for index in range(len(self.locators)))
        return next((wave[0] for wave in waves if wave), None)

    def best_readings(self, most: int) -> list[Reading]:
        """The ``most`` surest readings of places not yet read, one for each region."""
        symbols = [found.symbol for found in self.found]
        surest: dict[Region, Reading] = {}
        for reading in self.readings:
            rival = surest.get(reading.region)
            if not covered(reading.region.corners, symbols) and (rival is None or reading.surety > rival.surety):
                surest[reading.region] = reading
        return sorted(surest.values(), key=lambda reading: -reading.surety)[:most]

    def route_of(self, region: Region) -> Route:
        """The decision of the routing unit."""
        score = laplacian_variance(region.crop)
        return choose(score, self.tools.threshold, light=self.tools.light, heavy=self.tools.heavy)

    def read_each(self, read: Callable[[Region], list[Symbol]], *, waves: int | None = None) -> list[Symbol]:
        """Reads the regions one by one; rival regions of a place that was read are left out.

        Wave after wave, at most ``waves``, until one gives a read; all of them when thorough.
        """
        symbols: list[Symbol] = []
        for index in range(len(self.locators))[:waves]:
            for region in self.wave(index):
                if not covered(region.corners, symbols):
                    symbols = merged(symbols, read(region))
            if symbols and self.effort is not Effort.THOROUGH:
                break
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


def moved(symbol: Symbol, factor: float, offset: tuple[int, int]) -> Symbol:
    """The symbol with its corners scaled, then shifted."""
    first, second, third, fourth = ((x * factor + offset[0], y * factor + offset[1]) for x, y in symbol.corners)
    return replace(symbol, corners=(first, second, third, fourth))


def covered(corners: Corners, symbols: Iterable[Symbol]) -> bool:
    """Whether a place's centre lies within one of the symbols."""
    centre = sum(x for x, _ in corners) / 4, sum(y for _, y in corners) / 4
    return any(cv2.pointPolygonTest(np.array(symbol.corners, np.float32), centre, False) >= 0 for symbol in symbols)


def merged(*readings: list[Symbol]) -> list[Symbol]:
    """All symbols, one for each place: of several readings of one place the first counts."""
    together: list[Symbol] = []
    for symbol in (symbol for reading in readings for symbol in reading):
        if not covered(symbol.corners, together):
            together.append(symbol)
    return together
