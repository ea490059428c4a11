"""Obtains the codewords of a symbol from the place where an engine that does not state them found it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from app.pipeline.crops.redrawing import dark_modules
from app.pipeline.engines.symbol import Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region, find_regions
from app.pipeline.qrcode.contents import Contents, read_contents
from app.pipeline.qrcode.patterns import dimension
from app.pipeline.quad import SAME_PLACE
from app.pipeline.reading import Reading

_HYPOTHESES: Final = 2  # regions that are tried
_SIZES: Final = tuple(dimension(version) for version in range(3, 41, 5))
"""Guesses at the size of a symbol; a registration tries two versions to both sides of a guess."""


def state(image: GreyImage, symbol: Symbol, reader: ModuleReader) -> Symbol:
    """A QR code with what its codewords say, and whether the picture shows it inverted.

    Registers its place, then decides on the modules by their grey values and, where error correction does not bear
    that, by the module reader and soft decoding. If none of these gives a message, registers it once more at several
    guesses at its size: among all versions, a large one is lost where a corner is half a module off. The modules say
    which corner is the first, too: engines and registrations may take a symbol upside down. The symbol as it is if it
    is exact already, or, not exact, if nothing gives a message.
    """
    if symbol.exact:
        return symbol
    for sizes in ((None,), _SIZES):
        candidates = [Candidate(symbol.corners, size, 1.0) for size in sizes]
        found = (region for one in candidates for region in find_regions(image, [one], limit=_HYPOTHESES))
        best = sorted(found, key=lambda region: -region.registration.agreement)[:_HYPOTHESES]
        for region, contents in _read(best, symbol, reader):
            if contents is not None:
                corners = symbol.corners if contents.mirrored else symbol.corners.in_order_of(region.corners)
                return replace(symbol.stating(contents), inverted=region.registration.inverted, corners=corners)
    return symbol


def _read(regions: list[Region], symbol: Symbol, reader: ModuleReader) -> Iterator[tuple[Region, Contents | None]]:
    regions = [one for one in regions if one.corners.overlap(symbol.corners) >= SAME_PLACE]
    for region in regions:
        for local in (True, False):
            yield region, read_contents(dark_modules(region.crop, region.version, local=local))
    for region in regions:
        reading = Reading(region, region.crop, reader.read([region.crop], region.version)[0])
        modules = reading.soft_modules
        yield region, None if modules is None else read_contents(modules, reading.log_odds > 0)
