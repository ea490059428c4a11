"""What the ladder did, as far as its climb tells: which rungs it tried on a place, and which it did not, and why."""

from dataclasses import replace
from typing import Final

from app.cli.inspection_records import RungRecord, SymbolRecord
from app.pipeline.climb import Climb, Rung
from app.pipeline.engines.symbol import Symbol
from app.pipeline.micro import MICRO
from app.pipeline.place import Place
from app.pipeline.results import Found, Stage, Unread
from app.pipeline.rungs import DIRECT, FLATTENED, LAST_RUNGS, MODULE_RUNGS, QUICK_RUNGS, RUNGS, SLOW_RUNGS

_PLACE_RUNGS: Final = (*QUICK_RUNGS, *SLOW_RUNGS, *LAST_RUNGS)
_MODULES: Final = MODULE_RUNGS[0].name
_ORDER: Final = (*RUNGS[: -len(LAST_RUNGS)], MICRO, *RUNGS[-len(LAST_RUNGS) :])
_LAST: Final = frozenset(rung.name for rung in LAST_RUNGS)


class Climbed:
    """What a climb knew when the ladder had ended it; the climb itself may learn more afterwards."""

    def __init__(self, climb: Climb) -> None:
        self._climb = climb
        self.surveys = len(climb.surveys)
        self.stages: tuple[Stage, ...] = tuple(climb.stages.values())
        self.found: tuple[Found, ...] = tuple(climb.found)
        self.unread: tuple[Unread, ...] = tuple(climb.unread)
        self.is_complete = climb.is_complete
        self._ran = frozenset(climb.stages)
        self._readings = {place: tuple(place.readings) for place in climb.places}

    @property
    def answer(self) -> tuple[SymbolRecord, ...]:
        return tuple(SymbolRecord.of(found.symbol, rung=found.rung) for found in self.found)

    def told(self, place: Place) -> Unread | None:
        """What the answer says of a place that stayed unread, if anything."""
        return next((unread for unread in self.unread if unread.corners is place.corners), None)

    def result(self, place: Place) -> str:
        """What became of a place, in words."""
        if place not in self._readings:
            return "not seen by the ladder: it did not make this survey"
        if found := self._read_here(place):
            return f"read by {found.rung}: {found.symbol.text!r}"
        if found := self._read_over(place):
            return f"read by {found.rung}, there or from a place around it: {found.symbol.text!r}"
        if told := self.told(place):
            return f"seen but not read: {told.reason.value}"
        credible = self._climb.gates.credible
        if place.agreement < credible:
            return f"not read, and not told: {_agreement(place)}, told from {credible}"
        if self._climb.holds(place.corners):
            return "not read, and not told: it is made of parts of codes that were read"
        return "not read, and not told: it overlaps a more credible place, or there are too many"

    def rungs(self, place: Place) -> tuple[RungRecord, ...]:
        """What the ladder did with a place, rung by rung; none if it did not see it."""
        if place not in self._readings:
            return ()
        return tuple(RungRecord(rung.name, self._done(rung, place)) for rung in _PLACE_RUNGS)

    def _done(self, rung: Rung, place: Place) -> str:
        here = self._read_here(place)
        read = here or self._read_over(place)
        if read and read.rung == rung.name:
            return "read it" if here else "read it, there or from a place around it"
        if self._has_left_readings(rung, place):
            return "tried"
        shut = f"kept away by a gate: {_agreement(place)}, score {place.candidate.score:.2f}"
        if not rung.is_worth(self._climb, place):
            return shut
        if read and _ORDER.index(read.rung) < _ORDER.index(rung.name):
            # A code read from another place may have been read after this one was tried, unless the rungs say which
            # came first: those of the first look and the last ones.
            is_sure = here or read.rung == DIRECT or rung.name in _LAST or rung.name not in self._ran
            return f"not tried: {read.rung} read it before" if is_sure else f"tried, unless {read.rung} read it before"
        if rung.name not in self._ran:
            return "not tried: the climb ended before"
        if rung.name == _MODULES:
            return shut  # when the place climbed, for it has no reading
        return self._idle(rung, place) or ("tried" if self.is_complete else "tried, unless the climb ended before")

    def _idle(self, rung: Rung, place: Place) -> str:
        """Why a rung that takes every place, or parts of places only, had nothing to do on one."""
        if rung.name == "soft" and not self._readings[place]:
            return "had nothing to do: the ladder did not read the modules"
        light = self._climb.tools.light
        if rung.name == "light" and all(self._climb.route_of(region).network != light for region in place.regions):
            return "had nothing to do: the routing unit sent no region to it"
        if rung.name == "upscale" and not any(region.is_small for region in place.regions):
            return "had nothing to do: no region has small modules"
        return ""

    def _has_left_readings(self, rung: Rung, place: Place) -> bool:
        kinds = {FLATTENED.name if reading.has_other_crop else _MODULES for reading in self._readings[place]}
        return rung.name in kinds

    def _read_here(self, place: Place) -> Found | None:
        """The read that came of one of the place's regions: it has the very corners of the region."""
        return next((found for found in self.found if _is_of(found.symbol, place)), None)

    def _read_over(self, place: Place) -> Found | None:
        """The first read that keeps the ladder away from the place, wherever it came from."""
        each = (found for found in self.found if replace(self._climb, found=[found]).covers(place.corners))
        return next(each, None)


def _agreement(place: Place) -> str:
    return f"agreement {place.agreement:.2f}" if place.regions else "no region"


def _is_of(symbol: Symbol, place: Place) -> bool:
    return any(symbol.corners is region.corners for region in place.regions)
