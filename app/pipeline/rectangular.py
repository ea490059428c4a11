"""Reads rMQR codes that no engine reads: registered from a finder pattern along the symbol, read by the module reader,
and decoded softly."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from app.pipeline.crops.rectifying import rectify
from app.pipeline.engines.symbol import Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.locating.rectangular import LEFT, LeftEnd, RectangularPlace, follow
from app.pipeline.qrcode.small.contents import read_small_contents
from app.pipeline.qrcode.small.patterns import format_information
from app.pipeline.qrcode.small.rectangular import decode_rectangular, likely_versions
from app.pipeline.qrcode.small.soft import function_agreement
from app.pipeline.results import SOFT

RECTANGULAR: Final = "RMQRCode"
"""What answers call the symbology."""
_TRIED: Final = 3  # hypotheses on left end and version that are followed
# Of 72 left ends of codes, blurred or sharp, the least agreement is 0.95 and the least share of the format information
# 1.0; of the five left ends that finder patterns gave in 130 photographs without a code the most is 0.06 and 0.56.
_LEAST_AGREEMENT: Final = 0.4  # of the function patterns' log-odds in a left end with their values
_LEAST_FORMAT: Final = 0.6  # share of the log-odds of the format information that speaks for the likeliest word
_CLOSE: Final = 20.0  # difference from the best score up to which another hypothesis is followed


def read_left_ends(image: GreyImage, left_ends: Iterable[LeftEnd], reader: ModuleReader) -> Symbol | None:
    """The symbol that one of several hypotheses on the left end belongs to; None if none reads."""
    for left_end, version in _hypotheses(image, left_ends, reader):
        place = follow(image, left_end, version)
        if place and (symbol := read_place(image, place, reader)):
            return symbol
    return None


def _hypotheses(image: GreyImage, left_ends: Iterable[LeftEnd], reader: ModuleReader) -> list[tuple[LeftEnd, str]]:
    """Left ends and versions by what their format information says, the likeliest first: that of R7 codes, whose left
    end is its own mirror image, also says which of the two it is."""
    ranked: list[tuple[float, LeftEnd, str]] = []
    for left_end in left_ends:
        crop = rectify(image, left_end.corners, LEFT, rows=left_end.height)
        crop = np.bitwise_not(crop) if left_end.inverted else crop
        log_odds = reader.read_small([crop], left_end.version, LEFT)[0]
        if function_agreement(log_odds, left_end.version) < _LEAST_AGREEMENT:
            continue
        information = format_information(left_end.version)
        seen = log_odds[information.rows[0], information.columns[0]]
        least = _LEAST_FORMAT * float(np.abs(seen).sum())
        likely = likely_versions(seen, left_end.height)
        ranked += ((score, left_end, version) for version, score in likely if score >= least)
    ranked.sort(key=lambda one: -one[0])
    return [(left_end, version) for score, left_end, version in ranked[:_TRIED] if ranked[0][0] - score <= _CLOSE]


def read_place(image: GreyImage, place: RectangularPlace, reader: ModuleReader) -> Symbol | None:
    """The symbol in a place; None if it does not decode."""
    crop = place.strip.rectify(image)
    log_odds = reader.read_small([np.bitwise_not(crop) if place.inverted else crop], place.version)[0]
    read = decode_rectangular(log_odds, place.version)
    contents = read and read_small_contents(read.modules, log_odds > 0)
    if not contents:
        return None
    symbol = Symbol.of(contents, symbology=RECTANGULAR, engine=SOFT, corners=place.quad, inverted=place.inverted)
    return replace(symbol, mirrored=True) if place.mirrored else symbol
