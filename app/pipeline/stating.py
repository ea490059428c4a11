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
from app.pipeline.reading import Reading

_HYPOTHESES: Final = 2  # regions that are tried
_SAME_PLACE: Final = 0.3  # overlap from which two quads are one place


def state(image: GreyImage, symbol: Symbol, reader: ModuleReader) -> Symbol:
    """A QR code with what its codewords say, and whether the picture shows it inverted.

    Registers its place, then decides on the modules by their grey values and, where error correction does not bear
    that, by the module reader and soft decoding. The symbol as it is if it is exact already, or, not exact, if none of
    these gives a message.
    """
    if symbol.exact:
        return symbol
    candidate = Candidate(symbol.corners, None, 1.0)
    for region, contents in _read(find_regions(image, [candidate], limit=_HYPOTHESES), symbol, reader):
        if contents is not None:
            return replace(symbol.stating(contents), inverted=region.registration.inverted)
    return symbol


def _read(regions: list[Region], symbol: Symbol, reader: ModuleReader) -> Iterator[tuple[Region, Contents | None]]:
    regions = [one for one in regions if one.corners.overlap(symbol.corners) >= _SAME_PLACE]
    for region in regions:
        for local in (True, False):
            yield region, read_contents(dark_modules(region.crop, region.version, local=local))
    for region in regions:
        reading = Reading(region, region.crop, reader.read([region.crop], region.version)[0])
        modules = reading.soft_modules
        yield region, None if modules is None else read_contents(modules, reading.log_odds > 0)
