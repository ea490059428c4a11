"""The rungs: every way to read a picture, or a place in it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from app.pipeline.climb import Climb, Rung
from app.pipeline.crops.halftones import middles_of_modules
from app.pipeline.crops.rectifying import surroundings
from app.pipeline.engines.symbol import Sighting, Symbol, is_covered, merge_symbols
from app.pipeline.engines.variants import PATCH_VARIANTS, SMALL_VARIANTS, VARIANTS, Variant, read_variants
from app.pipeline.flattening import flatten
from app.pipeline.imaging import GreyImage, resize
from app.pipeline.inference.severity import Route
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region
from app.pipeline.nesting import may_be_inside, painted_over
from app.pipeline.place import Place
from app.pipeline.qrcode.log_odds import rebuild_modules
from app.pipeline.quad import SAME_PLACE, Quad, side_length
from app.pipeline.reading import Read, Reading

DIRECT: Final = "direct"
SMALL_PICTURE: Final = 400_000
"""Pixels up to which a picture is worth `read_small_picture`."""
_ENLARGED_PICTURE: Final = 1_200_000  # pixels up to which a picture with small codes is read enlarged
_ENLARGEMENTS: Final = (2.0, 3.0)
_SMALL_CODE: Final = 60.0  # pixels a side
_HIGH_VERSION: Final = 10  # whose modules take ten times as long to read as those of version 1
_LARGE: Final = 0.04  # of the longest side of the picture, from which a candidate is large
# Of the 23 that the rung read in the set halftone, n = 60, none had less than 0.65; of 64 places of creased codes half
# had less than 0.6.
_LEAST_HALFTONE: Final = 0.62  # confidence of a reading of the middles of modules, from which it is decoded
_AROUND: Final = 0.2  # of a place's side that a patch has to spare
_PATCH_SIDE: Final = 800  # pixels, at most
_MANY: Final = 5  # results of zxing-cpp from which those with errors push out those without
_CROWD: Final = 12  # candidates and codes together, from which the picture is read in tiles
_TILE: Final = 6.0  # sides of a code that a tile takes
_TILE_OVERLAP: Final = 1.6  # sides of a code


def read_direct(climb: Climb) -> tuple[list[Read], list[Candidate]]:
    """Reads the untouched picture with zxing-cpp; returns what it reads, and where it sees codes that it cannot
    read. Codes that may lie inside another are painted over for a second look."""
    symbols, sightings = climb.scan(climb.tools.zxing.look, climb.image) or ([], [])
    if len(symbols) + len(sightings) >= _MANY:
        symbols = merge_symbols(climb.scan(climb.tools.zxing.read, climb.image) or [], symbols)
    unread = [one for one in sightings if one.corners.is_sound and not is_covered(one.corners, symbols)]
    inner = [one.corners for one in symbols if may_be_inside(climb.image, one.corners)] if len(symbols) < _MANY else []
    if inner:
        others, seen = climb.scan(climb.tools.zxing.look, painted_over(climb.image, inner)) or ([], [])
        symbols = [*symbols, *(one for one in others if not _is_among(one.corners, symbols))]
        unread += [one for one in seen if one.corners.is_sound and not _is_among(one.corners, [*symbols, *unread])]
    return [Read(one) for one in symbols], [Candidate(one.corners, one.dimension, 1.0) for one in unread]


def _is_among(corners: Quad, others: Iterable[Symbol | Sighting]) -> bool:
    """Whether one of the others has nearly this outline; a code inside it does not count."""
    return any(corners.overlap(other.corners) >= SAME_PLACE for other in others)


def read_plainly(climb: Climb) -> Iterator[Read]:
    """Reads the untouched picture with zxing-cpp, and with ZBar if that reads nothing or sees a code that it cannot
    read."""
    reads, sighted = read_direct(climb)
    symbols = [read.symbol for read in reads]
    if not symbols or sighted:
        symbols = merge_symbols(symbols, climb.scan(climb.tools.zbar.read, climb.image) or [])
    yield from map(Read, symbols)


def read_crowd(climb: Climb, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Where candidates and codes are many, reads the picture in tiles; returns the candidates that are still not read.

    Reads every tile while the picture has no places, later those with candidates.
    """
    if len(candidates) + len(climb.found) >= _CROWD:
        places = [one.corners for one in candidates]
        everywhere = not climb.places
        if places or everywhere:
            climb.take(read_tiles(climb, places, everywhere=everywhere), DIRECT)
    return [one for one in candidates if not climb.holds(one.corners)]


def read_tiles(climb: Climb, places: Sequence[Quad], *, everywhere: bool = False) -> Iterator[Read]:
    """Reads the picture, or the parts of it that hold these places, tile by tile: the more codes a picture holds, the
    fewer of them zxing-cpp reads."""
    quads = [*places, *(found.symbol.corners for found in climb.found)]
    centres = np.array([quad.centre for quad in places]).reshape(-1, 2)
    side = float(np.median([side_length(quad) for quad in quads]))
    size, overlap = _TILE * side, _TILE_OVERLAP * side
    height, width = climb.image.shape
    for top in np.arange(0, max(height - overlap, 1), size - overlap):
        for left in np.arange(0, max(width - overlap, 1), size - overlap):
            inside = (centres >= (left, top)).all(axis=1) & (centres < (left + size, top + size)).all(axis=1)
            if not everywhere and not inside.any():
                continue
            x, y = int(left), int(top)
            tile = climb.image[y : int(top + size), x : int(left + size)]
            for symbol in climb.scan(climb.tools.zxing.read, tile) or []:
                yield Read(symbol.at(symbol.corners.moved(x, y)))


def read_rectified(climb: Climb, place: Place) -> Iterator[Read]:
    """Reads the place straightened but not restored."""
    for region in climb.regions([place]):
        for symbol in region.read(region.crop, climb.tools.engines, restored=False):
            yield Read(symbol, region)


def read_modules(climb: Climb, place: Place) -> Iterator[Read]:
    """Reads the place module by module."""
    for region in climb.regions([place]):
        if region.version < _HIGH_VERSION or region.registration.agreement >= climb.gates.modules_of_high:
            yield from _decode(climb, climb.read_modules_of(place, region))


def read_softly(climb: Climb, place: Place) -> Iterator[Read]:
    """Soft-decodes the readings of the place: the error correction knows how certain each module is."""
    for reading in sorted(place.readings, key=lambda one: -one.confidence):
        if not climb.covers(reading.region.corners):
            yield from _decode_softly(climb, reading)


def read_small_picture(climb: Climb) -> Iterator[Read]:
    """Reads a picture at a few other sizes and contrasts, up to the first that reads."""
    yield from map(Read, _first_read(climb.image, SMALL_VARIANTS))


def shows_small_codes(climb: Climb, sighted: Sequence[Candidate]) -> bool:
    """Whether a picture that is not large shows small codes, read or ``sighted``: zxing-cpp sees more of them in the
    enlarged picture."""
    corners = [*(one.symbol.corners for one in climb.found), *(one.corners for one in sighted)]
    return climb.image.size <= _ENLARGED_PICTURE and any(side_length(each) <= _SMALL_CODE for each in corners)


def read_enlarged(climb: Climb) -> Iterator[Read]:
    """Reads a picture enlarged."""
    for factor in _ENLARGEMENTS:
        for symbol in climb.scan(climb.tools.zxing.read, resize(climb.image, factor)) or []:
            yield Read(symbol.at(symbol.corners.scaled(1 / factor)))


def read_patch(climb: Climb, place: Place) -> Iterator[Read]:
    """Reads the place with its surroundings at other sizes and contrasts, up to the first that reads."""
    corners = place.candidate.corners
    patch, (left, top) = surroundings(climb.image, corners, _AROUND * side_length(corners))
    factor = min(1.0, _PATCH_SIDE / max(patch.shape))
    patch = np.ascontiguousarray(resize(patch, factor))
    for symbol in _first_read(patch, VARIANTS if climb.is_thorough else PATCH_VARIANTS):
        yield Read(symbol.at(symbol.corners.scaled(1 / factor).moved(left, top)))


def _first_read(picture: GreyImage, variants: Iterable[Variant]) -> list[Symbol]:
    """The symbols of the first variant that reads anything."""
    return next((symbols for _, symbols in read_variants(picture, variants) if symbols), [])


def read_halftone(climb: Climb, place: Place) -> Iterator[Read]:
    """Reads the middles of the place's modules, hard, then softly: of a halftone they alone are the code."""
    for region in climb.regions([place]):
        if (reading := read_middles(climb, region)) is not None:
            yield from [*_decode(climb, reading)] or _decode_softly(climb, reading)


def read_middles(climb: Climb, region: Region) -> Reading | None:
    """The halftone rung's step: reads the middles of a region's modules with the module reader; None if the region
    shows no halftone, or one that the reader is too unsure of."""
    inverted = region.registration.inverted
    crop = middles_of_modules(climb.image, region.corners, region.version, inverted=inverted)
    if crop is None:
        return None
    reading = Reading(region, crop, climb.tools.reader.read([crop], region.version)[0])
    return reading if reading.confidence >= _LEAST_HALFTONE else None


def read_flattened(climb: Climb, place: Place) -> Iterator[Read]:
    """Flattens the code of the place's best reading; each round is decoded hard, then softly."""
    reading = place.best_reading
    if reading is None or climb.covers(reading.region.corners):
        return
    place.is_flattened = True
    region = reading.region
    rounds = flatten(climb.image, region.registration, reading.crop, reading.log_odds, climb.tools.reader)
    for crop, log_odds in rounds:
        straighter = Reading(region, crop, log_odds)
        place.readings.append(straighter)
        if reads := [*_decode(climb, straighter)] or [*_decode_softly(climb, straighter)]:
            yield from reads
            return
        if climb.is_over:
            return


def read_light(climb: Climb, place: Place) -> Iterator[Read]:
    """Restores the place with the light network and reads it, if it is sharper than the routing threshold."""
    for region in climb.regions([place]):
        if (route := climb.route_of(region)).network == climb.tools.light:
            yield from _restore(climb, region, route, climb.tools.light)


def read_heavy(climb: Climb, place: Place) -> Iterator[Read]:
    """Restores the place with the heavy network and reads it. Sharp places come here, too, if the light network left
    them unreadable."""
    for region in climb.regions([place]):
        yield from _restore(climb, region, climb.route_of(region), climb.tools.heavy)


def read_upscaled(climb: Climb, place: Place) -> Iterator[Read]:
    """Super-resolves the place, as it lies in the picture, and reads it, if its modules are small."""
    for region in climb.regions([place]):
        if region.is_small:
            yield from (Read(symbol, region) for symbol in upscale(climb, region)[1])


def upscale(climb: Climb, region: Region) -> tuple[GreyImage, list[Symbol]]:
    """The upscaling rung's step: super-resolves a region with its surroundings; returns the enlarged patch and the
    symbols read in it, their corners in pixels of the picture."""
    upscaler = climb.tools.restorers[climb.tools.upscaler]
    patch, (left, top) = region.cut_out(climb.image)
    enlarged = upscaler.restore([patch])[0]
    symbols = merge_symbols(*(engine.read(enlarged) for engine in climb.tools.engines))
    inverted = region.registration.inverted
    return enlarged, [
        replace(one, inverted=one.inverted != inverted).at(one.corners.scaled(1 / upscaler.scale).moved(left, top))
        for one in symbols
    ]


def _decode(climb: Climb, reading: Reading) -> Iterator[Read]:
    """Reads the symbol rebuilt from a reading."""
    region = reading.region
    modules = rebuild_modules(reading.log_odds, region.version)
    for symbol in region.read_modules(reading.crop, reading.log_odds, climb.tools.engines):
        yield Read(reading.stating(symbol, modules), region, modules, reading)


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


def _is_worth_rectifying(climb: Climb, place: Place) -> bool:
    return place.agreement >= climb.gates.rectified


def _is_worth_reading(climb: Climb, place: Place) -> bool:
    return place.agreement >= (climb.gates.modules_beside if climb.found else climb.gates.modules)


def _is_worth_variants(climb: Climb, place: Place) -> bool:
    is_large = side_length(place.candidate.corners) >= _LARGE * max(climb.image.shape)
    return place.agreement >= climb.gates.credible or (is_large and place.candidate.score >= climb.gates.variants)


def _may_be_halftone(climb: Climb, place: Place) -> bool:
    """Whether the place agrees enough and, beside a code that was found, is of no high version: a halftone of a high
    version is rare, and trying one takes as long as ten others."""
    is_high = bool(place.regions) and place.regions[0].version >= _HIGH_VERSION
    return place.agreement >= climb.gates.flattened and not (is_high and climb.is_beside)


def _is_worth_flattening(climb: Climb, place: Place) -> bool:
    return place.agreement >= climb.gates.flattened and not place.is_flattened


def _is_worth_restoring(climb: Climb, place: Place) -> bool:
    return place.agreement >= climb.gates.restored


MODULE_RUNGS: Final = (
    Rung("modules", read_modules, _is_worth_reading),
    Rung("soft", read_softly),
)
FLATTENED: Final = Rung("flattened", read_flattened, _is_worth_flattening)
QUICK_RUNGS: Final = (Rung("rectified", read_rectified, _is_worth_rectifying), *MODULE_RUNGS)
"""What every place climbs as soon as a survey has found it, cheapest first."""
VARIANTS_RUNG: Final = "variants"
SLOW_RUNGS: Final = (Rung(VARIANTS_RUNG, read_patch, _is_worth_variants),)
"""What places climb that are still unread after a second survey."""
LAST_RUNGS: Final = (
    Rung("halftone", read_halftone, _may_be_halftone),
    FLATTENED,
    Rung("light", read_light, _is_worth_restoring),
    Rung("heavy", read_heavy, _is_worth_restoring),
    Rung("upscale", read_upscaled, _is_worth_restoring),
)
"""What is tried on places that nothing else read, after the last survey."""
RUNGS: Final = (DIRECT, *(rung.name for rung in (*QUICK_RUNGS, *SLOW_RUNGS, *LAST_RUNGS)))
"""Names of the rungs, cheapest first."""
