"""The rungs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from app.pipeline.climb import Climb, Reading
from app.pipeline.engines.symbol import Symbol, covered, merged, moved
from app.pipeline.engines.variants import read_variants
from app.pipeline.flattening import flatten
from app.pipeline.locating.regions import Region
from app.pipeline.results import Effort

FIRST, QUICK = 1, 3
"""How many locators are asked before what they found was tried in every quick way, and in every way."""


def read_direct(climb: Climb) -> list[Symbol]:
    """The untouched picture: zxing-cpp, and ZBar where that reads nothing or sees a code that it cannot read."""
    symbols, sightings = climb.tools.zxing.look(climb.image)
    unread = any(not covered(sighting.corners, symbols) for sighting in sightings)
    return symbols if symbols and not unread else merged(symbols, climb.tools.zbar.read(climb.image))


def read_scaled_and_filtered(climb: Climb) -> list[Symbol]:
    """The picture at other sizes and contrasts: up to the first that reads, or all of them when thorough."""
    readings = (symbols for _, symbols in read_variants(climb.image) if symbols)
    return merged(*readings) if climb.effort is Effort.THOROUGH else next(readings, [])


def read_rectified(climb: Climb, *, waves: int) -> list[Symbol]:
    """Regions as the first ``waves`` locators see them, straightened but not restored."""

    def read(region: Region) -> list[Symbol]:
        if region in climb.straightened:
            return []
        climb.straightened.add(region)
        return region.read(region.crop, climb.tools.engines, restored=False)

    return climb.read_each(read, waves=waves)


def read_modules(climb: Climb, *, waves: int | None = None) -> list[Symbol]:
    """Regions read module by module, as the first ``waves`` locators see them or all of them do."""
    read_before = {reading.region for reading in climb.readings}

    def read(region: Region) -> list[Symbol]:
        if region in read_before:
            return []
        log_odds = climb.tools.reader.read([region.crop], region.version)[0]
        climb.readings.append(Reading(region, region.crop, log_odds))
        return region.read_modules(region.crop, log_odds, climb.tools.engines)

    return climb.read_each(read, waves=waves)


def read_flattened(climb: Climb) -> list[Symbol]:
    """The best readings, straightened along what was read; each round is decoded hard, then softly."""
    symbols: list[Symbol] = []
    for reading in climb.best_readings(climb.effort.flattened):
        region = reading.region
        if covered(region.corners, symbols) or region in climb.flattened or not region.is_hopeful:
            continue
        climb.flattened.add(region)
        rounds = flatten(climb.image, region.registration, reading.crop, reading.log_odds, climb.tools.reader)
        for crop, log_odds in rounds:
            straighter = Reading(region, crop, log_odds)
            climb.readings.append(straighter)
            read = region.read_modules(crop, log_odds, climb.tools.engines) or _softly(climb, straighter)
            if read:
                symbols = merged(symbols, read)
                break
        if symbols and climb.effort is not Effort.THOROUGH:
            break
    return symbols


def read_softly(climb: Climb) -> list[Symbol]:
    """The best readings, with error correction that knows how sure each module is."""
    symbols: list[Symbol] = []
    for reading in climb.best_readings(climb.effort.decoded_softly):
        if not covered(reading.region.corners, symbols):
            symbols = merged(symbols, _softly(climb, reading))
        if symbols and climb.effort is not Effort.THOROUGH:
            break
    return symbols


def _softly(climb: Climb, reading: Reading) -> list[Symbol]:
    """What soft decoding reads in a reading, which it is shown once."""
    if reading in climb.decoded:
        return []
    climb.decoded.add(reading)
    modules = reading.decoded()
    return [] if modules is None else reading.read_decoded(modules, climb.tools.engines)


def read_light(climb: Climb) -> list[Symbol]:
    """Regions above the routing threshold, restored by the light network."""
    light = climb.tools.light

    def read(region: Region) -> list[Symbol]:
        route = climb.route_of(region)
        return climb.read_restored(region, route, light) if region.is_hopeful and route.network == light else []

    return climb.read_each(read, waves=QUICK)


def read_heavy(climb: Climb) -> list[Symbol]:
    """Regions at or below the threshold, and those the light network left unreadable, restored by the heavy one."""
    heavy = climb.tools.heavy

    def read(region: Region) -> list[Symbol]:
        return climb.read_restored(region, climb.route_of(region), heavy) if region.is_hopeful else []

    return climb.read_each(read, waves=QUICK)


def read_upscaled(climb: Climb) -> list[Symbol]:
    """Regions of small modules, super-resolved as they lie in the picture."""
    upscaler = climb.tools.restorers[climb.tools.upscaler]

    def read(region: Region) -> list[Symbol]:
        if not (region.is_small and region.is_hopeful):
            return []
        patch, offset = region.cut_out(climb.image)
        enlarged = upscaler.restore([patch])[0]
        symbols = merged(*(engine.read(enlarged) for engine in climb.tools.engines))
        return [moved(symbol, 1 / upscaler.scale, offset) for symbol in symbols]

    return climb.read_each(read, waves=QUICK)


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to read, by the name that answers and metrics know it under."""

    name: str
    read: Callable[[Climb], list[Symbol]]


LADDER: tuple[Rung, ...] = (
    Rung("direct", read_direct),
    Rung("variants", read_scaled_and_filtered),
    Rung("rectified", partial(read_rectified, waves=FIRST)),
    Rung("modules", partial(read_modules, waves=FIRST)),
    Rung("soft", read_softly),
    # The same again where slower locators see more.
    Rung("rectified", partial(read_rectified, waves=QUICK)),
    Rung("modules", partial(read_modules, waves=QUICK)),
    Rung("soft", read_softly),
    Rung("flattened", read_flattened),
    # And again where the slowest do.
    Rung("modules", read_modules),
    Rung("soft", read_softly),
    Rung("flattened", read_flattened),
    Rung("light", read_light),
    Rung("heavy", read_heavy),
    Rung("upscale", read_upscaled),
)


RUNGS = tuple(dict.fromkeys(rung.name for rung in LADDER))
