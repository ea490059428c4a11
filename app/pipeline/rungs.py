"""The ladder: every way to read a picture, cheapest first."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from app.pipeline.climb import Climb, Read, Reading, Rung
from app.pipeline.engines.symbol import Symbol, is_covered, merge_symbols
from app.pipeline.engines.variants import read_variants
from app.pipeline.flattening import flatten
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.severity import Route
from app.pipeline.locating.regions import Region
from app.pipeline.qrcode.log_odds import rebuild_modules

SIGHTINGS: Final = slice(0, 1)
"""The cheapest locator: places that zxing-cpp saw but could not read."""
QUICK: Final = slice(0, 3)
"""That one, the quad locator and the whole picture: restoring networks run on the regions of these only."""
_QUICK_REST: Final = slice(1, 3)
_SLOW: Final = slice(3, None)


def read_direct(climb: Climb) -> Iterator[Read]:
    """Reads the untouched picture with zxing-cpp, and with ZBar if that reads nothing or sees a code that it cannot
    read."""
    symbols, sightings = climb.tools.zxing.look(climb.image)
    if not symbols or any(not is_covered(sighting.corners, symbols) for sighting in sightings):
        symbols = merge_symbols(symbols, climb.tools.zbar.read(climb.image))
    yield from map(Read, symbols)


def read_scaled_and_filtered(climb: Climb) -> Iterator[Read]:
    """Reads the picture at other sizes and contrasts, up to the first that reads or, when thorough, at all of them."""
    before: list[Symbol] = []
    for _, symbols in read_variants(climb.image):
        new = merge_symbols(before, symbols)[len(before) :]
        yield from map(Read, new)
        before += new
        if symbols and not climb.is_thorough:
            return


def read_rectified(climb: Climb, *, locators: slice) -> Iterator[Read]:
    """Reads regions of these locators straightened but not restored."""
    for region in climb.regions(locators):
        for symbol in region.read(region.crop, climb.tools.engines, restored=False):
            yield Read(symbol, region)


def read_modules(climb: Climb, *, locators: slice = slice(None)) -> Iterator[Read]:
    """Reads regions of these locators module by module."""
    for region in climb.regions(locators):
        yield from _decode(climb, climb.read_modules_of(region))


def read_softly(climb: Climb) -> Iterator[Read]:
    """Soft-decodes the most confident readings so far: the error correction knows how certain each module is."""
    for reading in climb.best_readings(climb.effort.max_soft_decoded):
        if climb.covers(reading.region.corners):
            continue
        yield from _decode_softly(climb, reading)
        if climb.found and not climb.is_thorough:
            return


def read_flattened(climb: Climb) -> Iterator[Read]:
    """Flattens the codes of the most confident readings so far; each round is decoded hard, then softly."""
    for reading in climb.best_readings(climb.effort.max_flattened):
        region = reading.region
        if climb.covers(region.corners) or climb.is_flattened(region) or not region.is_promising:
            continue
        rounds = flatten(climb.image, region.registration, reading.crop, reading.log_odds, climb.tools.reader)
        for crop, log_odds in rounds:
            straighter = climb.keep(Reading(region, crop, log_odds))
            if reads := [*_decode(climb, straighter)] or [*_decode_softly(climb, straighter)]:
                yield from reads
                break
        if climb.found and not climb.is_thorough:
            return


def read_light(climb: Climb) -> Iterator[Read]:
    """Restores regions above the routing threshold with the light network and reads them."""
    for region in climb.regions(QUICK):
        if region.is_promising and (route := climb.route_of(region)).network == climb.tools.light:
            yield from _restore(climb, region, route, climb.tools.light)


def read_heavy(climb: Climb) -> Iterator[Read]:
    """Restores regions with the heavy network and reads them: those at or below the routing threshold, and those that
    the light network left unreadable."""
    for region in climb.regions(QUICK):
        if region.is_promising:
            yield from _restore(climb, region, climb.route_of(region), climb.tools.heavy)


def read_upscaled(climb: Climb) -> Iterator[Read]:
    """Super-resolves regions of small modules, as they lie in the picture, and reads them."""
    before: list[Symbol] = []
    for region in climb.regions(QUICK):
        if not (region.is_small and region.is_promising):
            continue
        _, symbols = upscale(climb, region)
        new = merge_symbols(before, symbols)[len(before) :]
        yield from (Read(symbol, region) for symbol in new)
        before += new


def upscale(climb: Climb, region: Region) -> tuple[GreyImage, list[Symbol]]:
    """The upscaling rung's step: super-resolves a region with its surroundings; returns the enlarged patch and the
    symbols read in it, their corners in pixels of the picture."""
    upscaler = climb.tools.restorers[climb.tools.upscaler]
    patch, (left, top) = region.cut_out(climb.image)
    enlarged = upscaler.restore([patch])[0]
    symbols = merge_symbols(*(engine.read(enlarged) for engine in climb.tools.engines))
    return enlarged, [one.at(one.corners.scaled(1 / upscaler.scale).moved(left, top)) for one in symbols]


def _decode(climb: Climb, reading: Reading) -> Iterator[Read]:
    """Reads the symbol rebuilt from a reading."""
    region = reading.region
    for symbol in region.read_modules(reading.crop, reading.log_odds, climb.tools.engines):
        yield Read(symbol, region, rebuild_modules(reading.log_odds, region.version), reading)


def _decode_softly(climb: Climb, reading: Reading) -> Iterator[Read]:
    for symbol in reading.read_corrected(climb.tools.engines):
        yield Read(symbol, reading.region, reading.soft_modules, reading)


def _restore(climb: Climb, region: Region, route: Route, network: str) -> Iterator[Read]:
    """Restores a region's crop with a network and reads it."""
    climb.route = climb.route or route
    restored = climb.tools.restorers[network].restore([region.crop])[0]
    for symbol in region.read(restored, climb.tools.engines, restored=True):
        climb.route = route
        yield Read(symbol, region)


def _region_rungs(locators: slice, *, rectified: bool = True, flattened: bool = True) -> Iterator[Rung]:
    """The rungs that try the regions of some locators before slower locators run."""
    if rectified:
        yield Rung("rectified", partial(read_rectified, locators=locators))
    yield Rung("modules", partial(read_modules, locators=locators))
    yield Rung("soft", read_softly)
    if flattened:
        yield Rung("flattened", read_flattened)


LADDER: Final[tuple[Rung, ...]] = (
    Rung("direct", read_direct),
    Rung("variants", read_scaled_and_filtered),
    *_region_rungs(SIGHTINGS, flattened=False),
    *_region_rungs(_QUICK_REST),
    *_region_rungs(_SLOW, rectified=False),
    Rung("light", read_light),
    Rung("heavy", read_heavy),
    Rung("upscale", read_upscaled),
)
RUNGS: Final = tuple(dict.fromkeys(rung.name for rung in LADDER))
"""Names of the rungs, cheapest first."""
