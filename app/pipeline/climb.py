"""One picture while it is read: the places where codes may be, what is known of each, and what was read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from time import monotonic, perf_counter
from typing import NamedTuple, TypeVar

from app.pipeline.engines.bounded import Unfinished, run_within
from app.pipeline.engines.symbol import Symbol
from app.pipeline.gates import Gates
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.severity import Route, choose, laplacian_variance
from app.pipeline.inference.window_locator import Levels
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Hypothesis, Region, weigh_candidates
from app.pipeline.place import Place
from app.pipeline.quad import SAME_PLACE, Quad
from app.pipeline.reading import Read, Reading
from app.pipeline.results import Effort, Found, Outcome, Reason, Stage, Unread, add_up
from app.pipeline.stating import state
from app.pipeline.tools import Tools

T = TypeVar("T")

LOCATE = "locate"
"""The stage of a trace that looks for places."""
LEAST_SCAN = 1.0
"""Seconds that one scan of an engine may take, if so many are left."""
_INSIDE = 0.5  # part of a candidate that lies in codes that were read, from which it is taken for parts of these
_FINDER = 0.25  # of the way from a corner to the centre, where a finder pattern lies
_BORROWED = 2  # corners
_MOST_FAILURES = 16  # candidates of a survey, one after another, without a credible region: the rest are worse
_HYPOTHESES = 2  # regions of a candidate, at most
_TRUSTED_SCORE = 0.85  # of a candidate without a region that some rungs may still try
_TOO_SMALL = 1.5  # pixels a module below which an unread place counts as too small
_SCANNED_AT_ONCE = 250_000  # pixels up to which an engine needs no bound: none keeps it busy for a second
_SCAN_SHARE = 0.5  # of the time left that one scan may take
_CUT_OFF = 0.5  # modules that a corner may lie outside the picture


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to read a place.

    ``name`` appears in answers and metrics. ``read`` yields what it reads; ``is_worth`` says which places are worth its
    time.
    """

    name: str
    read: Callable[["Climb", Place], Iterator[Read]]
    is_worth: Callable[["Climb", Place], bool] = lambda *_: True


@dataclass(frozen=True, slots=True)
class Survey:
    """One look for places: ``name`` says how, ``candidates`` are those of its locator, best first.

    ``is_second``: they have better corners for candidates of the survey before and are registered patiently; after
    them the slow rungs are due for every place so far.
    """

    name: str
    candidates: Sequence[Candidate]
    is_second: bool = False


class Original(NamedTuple):
    """The picture that another one was made of, ``scale`` times as large as that, 1 or more."""

    image: GreyImage
    scale: float


@dataclass
class Climb:
    """What is known of a picture while its places are read.

    ``budget``: seconds after which the climb ends. ``expect``: codes after which it ends; it also ends when there are
    more than ``max_codes``. ``surveys`` holds each survey so far with what became of its candidates. ``route`` is that
    of the region that a network made readable, else of the first region that one was tried on. ``is_complete``: nothing
    was left out for want of time. ``is_late``: the budget has ended the climb. ``is_steep``: a candidate shows a code
    in steep perspective. ``shows_evened``: without its shading the picture seems to show a code. ``original``: what
    this one, without its shading or with its dots run together, was made of; large codes are looked for in it.
    ``others``: the codes of other symbologies in it, once they were looked for.
    """

    image: GreyImage
    effort: Effort
    tools: Tools
    budget: float = inf
    expect: int | None = None
    max_codes: int = 1 << 20
    route: Route | None = None
    found: list[Found] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    surveys: list[tuple[Survey, list[Hypothesis]]] = field(default_factory=list)
    stages: dict[str, Stage] = field(default_factory=dict)
    is_complete: bool = True
    is_late: bool = False
    is_steep: bool = False
    shows_evened: bool = False
    original: Original | None = None
    others: list[Unread] | None = None
    began: float = field(default_factory=monotonic)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        height, width = self.image.shape
        return width, height

    @property
    def given(self) -> GreyImage:
        """The picture, or what it was made of."""
        return self.original.image if self.original else self.image

    @property
    def scale(self) -> float:
        """How many times as large as the picture the one that was given is."""
        return self.original.scale if self.original else 1.0

    @cached_property
    def levels(self) -> Levels:
        """The picture at the sizes at which it is searched."""
        return Levels(self.image)

    @property
    def gates(self) -> Gates:
        return self.tools.gates

    @property
    def is_thorough(self) -> bool:
        return self.effort is Effort.THOROUGH

    @property
    def is_beside(self) -> bool:
        """Whether a place is looked at beside a code that was found: it must show more, unless the effort is
        thorough."""
        return bool(self.found) and not self.is_thorough

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be read: enough codes, or no time left."""
        enough = self.max_codes + 1 if self.expect is None else min(self.expect, self.max_codes + 1)
        if len(self.found) >= enough:
            return True
        if not self.is_late and monotonic() - self.began >= self.budget:
            self.is_late, self.is_complete = True, False
        return self.is_late

    @property
    def left(self) -> float:
        """Seconds of the budget that are left, at least 0."""
        return max(0.0, self.budget - (monotonic() - self.began))

    @property
    def still_expected(self) -> int | None:
        """How many of the codes after which the climb ends are not found yet; None if it ends at no such number."""
        return None if self.expect is None else self.expect - len(self.found)

    # --- reads ------------------------------------------------------------------------------------------------------

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the seconds spent inside and the codes found there to a line of the trace."""
        began, before = perf_counter(), len(self.found)
        try:
            yield
        finally:
            self.spend(stage, perf_counter() - began, codes=len(self.found) - before)

    def spend(self, stage: str, seconds: float, *, codes: int = 0) -> None:
        """Adds seconds and codes to a line of the trace."""
        line = self.stages.get(stage, Stage(stage, 0.0, 0))
        self.stages[stage] = Stage(stage, line.seconds + seconds, line.codes + codes)

    def take_made(self, other: "Climb") -> None:
        """Takes what the climb of a picture made of this one has found, and accounts for it."""
        for one in other.found:
            symbol = one.symbol.at(one.symbol.corners.scaled(other.scale))
            if not self.knows(symbol):
                self.found.append(replace(one, symbol=symbol, size=self.size))
        self.account_for(other)

    def account_for(self, other: "Climb") -> None:
        """Adds the time of another picture's climb to the trace; takes over that it was incomplete, and its route if
        there is none."""
        self.stages = add_up((*self.stages.values(), *other.stages.values()))
        self.is_complete = self.is_complete and other.is_complete
        self.route = self.route or other.route

    def scan(self, call: Callable[[GreyImage], T], picture: GreyImage, *, least: float = 0.0) -> T | None:
        """What an engine's ``call`` makes of a picture; None if it takes longer than ``least`` seconds and than its
        share of the time left."""
        if self.budget == inf or picture.size <= _SCANNED_AT_ONCE:
            return call(picture)
        left = self.left
        try:
            return run_within(max(_SCAN_SHARE * left, min(left, LEAST_SCAN), least), lambda: call(picture))
        except Unfinished:
            self.is_complete = False
            return None

    def take(self, reads: Iterable[Read], rung: str) -> list[Read]:
        """Takes what a rung reads, less what was found before; returns what is new."""
        new: list[Read] = []
        with self.timed(rung):
            for read in reads:
                if not self.knows(read.symbol):
                    symbol = state(self.image, read.symbol, self.tools.reader)
                    self.found.append(Found(symbol, rung, size=self.size))
                    new.append(replace(read, symbol=symbol))
        return new

    def knows(self, symbol: Symbol) -> bool:
        """Whether a symbol was found before: in the same place, or with the same payload where it overlaps."""
        for found in self.found:
            overlap = symbol.corners.overlap(found.symbol.corners)
            if overlap >= SAME_PLACE or (overlap > 0 and symbol.payload == found.symbol.payload):
                return True
        return False

    def covers(self, corners: Quad) -> bool:
        """Whether a place is one where a code was found."""
        return any(corners.overlap(found.symbol.corners) >= SAME_PLACE for found in self.found)

    def holds(self, corners: Quad) -> bool:
        """Whether a place is one where a code was found, or is made of parts of such codes: half of it lies in them, or
        two of its corners, where finder patterns would be, do."""
        corner_points = corners.towards_centre(_FINDER)
        inside, borrowed = 0.0, 0
        for found in self.found:
            other = found.symbol.corners
            shared = corners.share_inside(other)
            if shared > 0:
                inside += shared
                borrowed += sum(other.contains(point) for point in corner_points)
                if inside >= _INSIDE or borrowed >= _BORROWED or corners.overlap(other) >= SAME_PLACE:
                    return True
        return False

    # --- places -----------------------------------------------------------------------------------------------------

    def register(self, survey: Survey) -> list[Place]:
        """The new places of a survey, the most credible first: not where a code was found or a region of an earlier
        place lies."""
        new: list[Place] = []
        known = [region for place in self.places for region in place.regions]
        hypotheses: list[Hypothesis] = []
        self.surveys.append((survey, hypotheses))
        failures = 0
        for rank, candidate in enumerate(survey.candidates):
            if self.is_over or (failures >= _MOST_FAILURES and not self.is_thorough):
                break
            if self.holds(candidate.corners):
                hypotheses.append(Hypothesis(rank, candidate, refusal="lies on a code that was read"))
                continue
            least_start = 0.0 if self.is_thorough else self.gates.start
            weighed = weigh_candidates(
                self.image,
                [candidate],
                limit=_HYPOTHESES,
                known=known,
                least_start=least_start,
                is_patient=survey.is_second,
            )
            hypotheses += (replace(one, rank=rank) for one in weighed)
            regions = [one.region for one in weighed if one.region]
            is_credible = any(region.registration.agreement >= self.gates.credible for region in regions)
            failures = 0 if is_credible else failures + 1
            if regions or (candidate.score >= _TRUSTED_SCORE and not any(one.twin for one in weighed)):
                known += regions
                new.append(Place(candidate, regions))
        new.sort(key=lambda place: -place.agreement)
        self.places += new
        return new

    def regions(self, places: Iterable[Place]) -> Iterator[Region]:
        """The regions of places without a code."""
        for place in places:
            for region in place.regions:
                if not self.covers(region.corners):
                    yield region

    def read_modules_of(self, place: Place, region: Region) -> Reading:
        """Reads a region's crop with the module reader and keeps the reading."""
        log_odds = self.tools.reader.read([region.crop], region.version)[0]
        place.readings.append(Reading(region, region.crop, log_odds))
        return place.readings[-1]

    def best_readings(self, limit: int) -> list[Reading]:
        """The ``limit`` most confident readings of places without a code so far, at most one a region."""
        best: dict[Region, Reading] = {}
        for reading in (reading for place in self.places for reading in place.readings):
            rival = best.get(reading.region)
            if not self.covers(reading.region.corners) and (rival is None or reading.confidence > rival.confidence):
                best[reading.region] = reading
        return sorted(best.values(), key=lambda reading: -reading.confidence)[:limit]

    def route_of(self, region: Region) -> Route:
        """The network that the routing unit chooses for a region's crop."""
        score = laplacian_variance(region.crop)
        return choose(score, self.tools.threshold, light=self.tools.light, heavy=self.tools.heavy)

    # --- climbing ---------------------------------------------------------------------------------------------------

    def survey(self, surveys: Iterable[Survey], quick: Sequence[Rung], slow: Sequence[Rung] = ()) -> Iterator[Read]:
        """Has the places of each survey climb the quick rungs before the next survey is made, and those left unread the
        slow ones before the picture is searched for others; yields what is read."""
        for survey in surveys:
            with self.timed(LOCATE):
                places = self.register(survey)
            yield from self.ascend(places, quick)
            if survey.is_second:
                yield from self.ascend([place for place in self.places if place.pending], slow)
                for place in self.places:
                    place.pending = place.pending and self.is_over
            if self.is_over:
                return

    def ascend(self, places: Sequence[Place], rungs: Sequence[Rung], *, patience: float = inf) -> Iterator[Read]:
        """Takes places up rung by rung, the most credible first, so that what is cheap is tried on all of them before
        what is dear is tried on any; yields what is read.

        A rung is left after ``patience`` places, one after another, of which it read nothing, unless the effort is
        thorough. Places that it is not worth, or that an answer covers, do not count.
        """
        patience = inf if self.is_thorough else patience
        for rung in rungs:
            failures = 0
            for place in places:
                if self.is_over:
                    return
                if failures >= patience:
                    break
                if rung.is_worth(self, place) and not self.covers(place.corners):
                    new = self.take(rung.read(self, place), rung.name)
                    failures = 0 if new else failures + 1
                    yield from new

    # --- the result -------------------------------------------------------------------------------------------------

    @property
    def unread(self) -> list[Unread]:
        """The codes that were seen but not read, the most credible first; at most ``max_codes``."""
        told: list[Unread] = []
        for place in sorted(self.places, key=lambda place: -place.agreement):
            if place.agreement < self.gates.credible or self.holds(place.corners):
                continue
            if not any(place.corners.overlap(other.corners) > 0 for other in told):
                told.append(self._tell(place))
        return told[: self.max_codes]

    def _tell(self, place: Place) -> Unread:
        region = place.regions[0]
        if self.is_late:
            reason = Reason.BUDGET
        elif region.module < _TOO_SMALL:
            reason = Reason.TOO_SMALL
        elif self._is_cut_off(region):
            reason = Reason.CUT_OFF
        else:
            reason = Reason.UNREADABLE
        return Unread(
            corners=place.corners,
            reason=reason,
            confidence=place.agreement,
            module_pixels=region.module,
            version=region.version,
        )

    def _is_cut_off(self, region: Region) -> bool:
        left, top, right, bottom = region.corners.bounds
        height, width = self.image.shape
        spare = _CUT_OFF * region.module
        return left < -spare or top < -spare or right > width + spare or bottom > height + spare

    def outcome(self) -> Outcome:
        """Sums up the climb, with at most ``max_codes`` codes; ``truncated`` says that there are more."""
        height, width = self.image.shape
        return Outcome(
            codes=tuple(self.found[: self.max_codes]),
            width=width,
            height=height,
            route=self.route,
            trace=tuple(self.stages.values()),
            truncated=len(self.found) > self.max_codes,
            unread=tuple(self.unread),
            complete=self.is_complete,
        )
