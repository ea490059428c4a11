"""One picture on its way up the ladder: the tools, what is known so far, and what comes of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from app.pipeline.engines.symbol import Engine, Symbol, covered, merged
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.severity import Route, choose, laplacian_variance
from app.pipeline.locating.locators import Locator
from app.pipeline.locating.regions import Region, find_regions
from app.pipeline.qrcode.log_odds import LogOdds, surety
from app.pipeline.qrcode.soft import decode_soft
from app.pipeline.results import SOFT, Effort, Found, Stage
from app.pipeline.tools import Tools


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
