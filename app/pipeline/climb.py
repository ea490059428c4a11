"""One picture on its way up the ladder: what is known so far, and what rungs may ask."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from app.pipeline.engines.symbol import Engine, Symbol, is_covered
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.severity import Route, choose, laplacian_variance
from app.pipeline.locating.candidates import Locator
from app.pipeline.locating.regions import Hypothesis, Region, Verdict, weigh_candidates
from app.pipeline.qrcode.log_odds import LogOdds, confidence
from app.pipeline.qrcode.soft import SoftRead, SoftRefusal, try_soft
from app.pipeline.quad import Quad
from app.pipeline.results import SOFT, Effort, Found, Outcome, Stage
from app.pipeline.tools import Tools


@dataclass(frozen=True, eq=False)
class Reading:
    """A reading that a climb made and keeps: log-odds (M, M) of a region's modules.

    ``crop`` is what the module reader saw; it may be straighter than the region's own crop.
    """

    region: Region
    crop: GreyImage
    log_odds: LogOdds

    @cached_property
    def confidence(self) -> float:
        """Mean confidence of the modules times the agreement of the function patterns with the picture, 0 to 1."""
        return confidence(self.log_odds) * self.region.registration.agreement

    @property
    def is_flattened(self) -> bool:
        """Whether the reading comes from flattening."""
        return self.crop is not self.region.crop

    @cached_property
    def soft_attempts(self) -> tuple[SoftRead | SoftRefusal, ...]:
        """What soft decoding makes of the log-odds and, if it refuses them, of their mirror image."""
        attempts: list[SoftRead | SoftRefusal] = []
        for log_odds in (self.log_odds, self.log_odds.T):
            attempts.append(try_soft(np.ascontiguousarray(log_odds), self.region.version))
            if isinstance(attempts[-1], SoftRead):
                break
        return tuple(attempts)

    @cached_property
    def soft_modules(self) -> NDArray[np.bool_] | None:
        """The symbol (M, M), True is dark, that soft decoding makes of the log-odds, upright or mirrored; None if it
        refuses both."""
        last = self.soft_attempts[-1]
        if isinstance(last, SoftRefusal):
            return None
        return last.modules if len(self.soft_attempts) == 1 else last.modules.T

    def read_corrected(self, engines: Sequence[Engine]) -> list[Symbol]:
        """Parses the corrected symbol: one symbol, or none if it is not believed. ``engine`` is "soft", whichever
        engine parsed it."""
        return self.judge_corrected(engines).symbols

    def judge_corrected(self, engines: Sequence[Engine]) -> Verdict:
        """As `read_corrected`, and says why nothing was read."""
        if self.soft_modules is None:
            reasons = (one.reason for one in self.soft_attempts if isinstance(one, SoftRefusal))
            return Verdict([], "; mirrored: ".join(reasons))
        verdict = self.region.judge(self.region.show_symbol(self.crop, self.soft_modules), engines)
        return replace(verdict, symbols=[replace(symbol, engine=SOFT) for symbol in verdict.symbols])


@dataclass(frozen=True, eq=False)
class Read:
    """What a rung yields to the climb that runs it: a symbol that it read.

    Rungs that read regions set ``region``. Rungs that read modules set ``modules`` (M, M), True is dark, which the
    engines were shown, and ``reading``, from which it was made.
    """

    symbol: Symbol
    region: Region | None = None
    modules: NDArray[np.bool_] | None = None
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """A rung as a climb runs it: a name and a way to read.

    ``name`` appears in answers and metrics. ``read`` yields every symbol that it reads; by the time it resumes, the
    climb has recorded the symbol.
    """

    name: str
    read: Callable[["Climb"], Iterator[Read]]


@dataclass
class Climb:
    """One climb of the ladder: what earlier rungs learnt and later ones need.

    ``regions_by_locator`` and ``hypotheses`` have one list for each locator that has run: the regions that it was the
    first to see, and what became of its candidates. ``readings`` holds every result of the module reader. ``route`` is
    that of the region that a network made readable, else of the first region that one was tried on.
    """

    image: GreyImage
    effort: Effort
    tools: Tools
    route: Route | None = None
    trace: list[Stage] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    regions_by_locator: list[list[Region]] = field(default_factory=list)
    hypotheses: list[list[Hypothesis]] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)

    @property
    def is_thorough(self) -> bool:
        return self.effort is Effort.THOROUGH

    @property
    def symbols(self) -> Iterator[Symbol]:
        """Every symbol found so far."""
        return (found.symbol for found in self.found)

    def run(self, rung: Rung) -> list[Read]:
        """Runs a rung, adds a line to the trace, and returns its reads; those where no code was found before enter
        ``found``.

        Locators that run inside the rung have lines of their own; the rung's line leaves their seconds out.
        """
        began, before = perf_counter(), len(self.trace)
        reads: list[Read] = []
        for read in rung.read(self):
            reads.append(read)
            if not self.covers(read.symbol.corners):
                self.found.append(Found(symbol=read.symbol, rung=rung.name))
        locating = sum(stage.seconds for stage in self.trace[before:])
        self.trace.append(Stage(rung.name, perf_counter() - began - locating, len(reads)))
        return reads

    def covers(self, corners: Quad) -> bool:
        """Whether the centre of a place lies on a code found so far."""
        return is_covered(corners, self.symbols)

    # --- regions ----------------------------------------------------------------------------------------------------

    @property
    def locators(self) -> Sequence[Locator]:
        """The locators that this effort allows, cheapest first."""
        slow = self.tools.slow_locators if self.is_thorough else ()
        return (*self.tools.locators, *slow)

    def regions(self, locators: slice = slice(None)) -> Iterator[Region]:
        """Yields regions without a code so far, locator after locator, best first.

        A locator runs when its turn comes, and only if no region of the previous one was read, unless the climb is
        thorough.
        """
        for index in range(len(self.locators))[locators]:
            before = len(self.found)
            yield from (region for region in self.regions_of(index) if not self.covers(region.corners))
            if len(self.found) > before and not self.is_thorough:
                return

    def regions_of(self, index: int) -> list[Region]:
        """The regions that locator number ``index`` sees and no earlier one saw, best first."""
        while len(self.regions_by_locator) <= index:
            self.regions_by_locator.append(self._locate(self.locators[len(self.regions_by_locator)]))
        return self.regions_by_locator[index]

    def _locate(self, locator: Locator) -> list[Region]:
        began = perf_counter()
        known = [region for earlier in self.regions_by_locator for region in earlier]
        candidates = locator.locate(self.image)
        self.hypotheses.append(weigh_candidates(self.image, candidates, limit=self.effort.max_regions, known=known))
        self.trace.append(Stage("locate", perf_counter() - began, 0))
        return [one.region for one in self.hypotheses[-1] if one.region]

    # --- readings ---------------------------------------------------------------------------------------------------

    def read_modules_of(self, region: Region) -> Reading:
        """Reads a region's crop with the module reader and keeps the reading."""
        log_odds = self.tools.reader.read([region.crop], region.version)[0]
        return self.keep(Reading(region, region.crop, log_odds))

    def keep(self, reading: Reading) -> Reading:
        """Adds a reading to ``readings`` and returns it."""
        self.readings.append(reading)
        return reading

    def best_readings(self, limit: int) -> list[Reading]:
        """The ``limit`` most confident readings of places without a code so far, at most one a region."""
        best: dict[Region, Reading] = {}
        for reading in self.readings:
            rival = best.get(reading.region)
            if not self.covers(reading.region.corners) and (rival is None or reading.confidence > rival.confidence):
                best[reading.region] = reading
        return sorted(best.values(), key=lambda reading: -reading.confidence)[:limit]

    def is_flattened(self, region: Region) -> bool:
        """Whether flattening was tried on a region."""
        return any(reading.region is region and reading.is_flattened for reading in self.readings)

    # --- networks ---------------------------------------------------------------------------------------------------

    def route_of(self, region: Region) -> Route:
        """The network that the routing unit chooses for a region's crop."""
        score = laplacian_variance(region.crop)
        return choose(score, self.tools.threshold, light=self.tools.light, heavy=self.tools.heavy)

    def outcome(self, *, max_codes: int) -> Outcome:
        """Sums up the climb, with at most ``max_codes`` codes; ``truncated`` says that there are more."""
        height, width = self.image.shape
        return Outcome(
            codes=tuple(self.found[:max_codes]),
            width=width,
            height=height,
            route=self.route,
            trace=tuple(self.trace),
            truncated=len(self.found) > max_codes,
        )
