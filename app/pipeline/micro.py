"""Reads Micro QR and rMQR codes that no engine reads: found and registered by their one finder pattern, read by the
module reader, and decoded softly."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.pipeline.climb import Climb
from app.pipeline.crops.rectifying import rectify
from app.pipeline.engines.symbol import Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.locating.lone_finders import GLANCE, PATIENT, find_lone_finders
from app.pipeline.locating.micro import MicroPlace, micro_side, register_micro
from app.pipeline.locating.rectangular import find_left_ends
from app.pipeline.locating.surroundings import Surroundings
from app.pipeline.nesting import painted_over
from app.pipeline.qrcode.contents import Contents
from app.pipeline.qrcode.small.contents import read_small_contents
from app.pipeline.qrcode.small.soft import decode_micro
from app.pipeline.quad import Quad
from app.pipeline.reading import Read
from app.pipeline.rectangular import RECTANGULAR, read_left_ends
from app.pipeline.results import SOFT
from app.pipeline.symbologies import SMALL

MICRO: Final = "micro"
"""The rung, which reads no place but the whole picture."""
_NAME: Final = "MicroQRCode"


def read_small(climb: Climb, symbologies: frozenset[str] = SMALL, *, is_patient: bool) -> Iterator[Read]:
    """Reads the Micro QR and rMQR codes of a picture, those of them that are among the ``symbologies``, but nothing
    that overlaps a code that was read, or a place that shows the function patterns of a larger one: remains of these
    resemble small codes. A patient look is for smaller and fainter finder patterns, too."""
    larger = [place.corners for place in climb.places if place.agreement >= climb.gates.credible]
    read = [found.symbol.corners for found in climb.found]
    # Finder patterns of codes that were read are the strongest and would take the few looks of a glance.
    picture = painted_over(climb.image, read) if read else climb.image
    for finder in find_lone_finders(picture, PATIENT if is_patient else GLANCE):
        if climb.is_over:
            return
        taken = [*larger, *(found.symbol.corners for found in climb.found)]
        if any(quad.contains(finder.centre) for quad in taken):
            continue
        around = Surroundings.of(climb.image, finder)
        if around is None:
            continue
        symbol = _read_micro(climb, around, taken) if _NAME in symbologies else None
        if symbol is None and RECTANGULAR in symbologies and not climb.is_over:
            symbol = _read_rectangular(climb, around, taken)
        if symbol:
            yield Read(symbol)


def _read_micro(climb: Climb, around: Surroundings, taken: Sequence[Quad]) -> Symbol | None:
    places = register_micro(climb.image, around)
    if any(place.quad.overlap(quad) > 0 for place in places for quad in taken):
        return None
    return _read_places(climb.image, places, climb.tools.reader)


def _read_rectangular(climb: Climb, around: Surroundings, taken: Sequence[Quad]) -> Symbol | None:
    left_ends = find_left_ends(climb.image, around)
    if any(one.quad.overlap(quad) > 0 for one in left_ends for quad in taken):
        return None
    return read_left_ends(climb.image, left_ends, climb.tools.reader)


def _read_places(image: GreyImage, places: Sequence[MicroPlace], reader: ModuleReader) -> Symbol | None:
    """The symbol of the first of several hypotheses on one place that reads; None if none does."""
    for place in places:
        crop = rectify(image, place.corners, micro_side(place.version))
        log_odds = reader.read_small([np.bitwise_not(crop) if place.inverted else crop], place.version)[0]
        if contents := _decode(log_odds, place.version):
            return Symbol.of(contents, symbology=_NAME, engine=SOFT, corners=place.quad, inverted=place.inverted)
    return None


def _decode(log_odds: NDArray[np.float32], version: str) -> Contents | None:
    for seen in (log_odds, log_odds.T):
        read = decode_micro(np.ascontiguousarray(seen), version)
        if read is not None:
            upright = read.modules if seen is log_odds else read.modules.T
            return read_small_contents(upright, log_odds > 0)
    return None
