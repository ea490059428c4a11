"""Codes of other symbologies than the QR family in a picture that is climbed: read if asked for, named if not."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from app.pipeline.climb import LEAST_SCAN, Climb
from app.pipeline.engines.other_codes import UNASKED, OtherCodes, variants_of
from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.variants import Variant, read_variants
from app.pipeline.imaging import GreyImage, LookAgain
from app.pipeline.reading import Read
from app.pipeline.results import Effort, Reason, Unread
from app.pipeline.rungs import DIRECT, VARIANTS_RUNG

NAMING: Final = "others"
"""The stage of a trace that looks for codes of symbologies that were not asked for."""


def read_others(climb: Climb, symbologies: frozenset[str], look_again: LookAgain | None) -> None:
    """Reads the codes of these symbologies, none of the QR family, in the untouched picture of a climb, then in its
    variants and in the pictures of ``look_again``: up to the first that shows any, with thorough effort in all of them,
    with fast effort in none but the untouched one."""
    before = len(climb.found)
    for picture in _pictures(climb, look_again):
        for rung, symbols in _looks(climb, picture, symbologies):
            climb.take(map(Read, symbols), rung)
            if climb.is_over or (len(climb.found) > before and not climb.is_thorough):
                return
        if climb.effort is Effort.FAST:
            return


def name_others(climb: Climb) -> list[Unread]:
    """The codes of other symbologies in the untouched picture of a climb that found nothing, as not asked for."""
    if climb.is_over:
        return []
    with climb.timed(NAMING):
        symbols = climb.scan(OtherCodes(UNASKED).read, climb.image) or []
    return [
        Unread(one.corners, Reason.OTHER_SYMBOLOGY, confidence=1.0, symbology=one.symbology)
        for one in symbols[: climb.max_codes]
    ]


def _pictures(climb: Climb, look_again: LookAgain | None) -> Iterator[GreyImage]:
    yield climb.image
    if look_again is not None:
        yield from look_again(colours=True)


def _looks(climb: Climb, picture: GreyImage, symbologies: frozenset[str]) -> Iterator[tuple[str, list[Symbol]]]:
    """Each look at a picture: its rung, and the codes that it shows."""
    yield DIRECT, climb.scan(OtherCodes(symbologies).read, picture) or []
    for variant in variants_of(symbologies):
        yield VARIANTS_RUNG, climb.scan(partial(_read_variant, variant), picture, least=LEAST_SCAN) or []


def _read_variant(variant: Variant, picture: GreyImage) -> list[Symbol]:
    return [symbol for _, symbols in read_variants(picture, [variant]) for symbol in symbols]
