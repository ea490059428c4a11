"""Codes of other symbologies than the QR family in a picture that is climbed: read if asked for, named if not."""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Final

from app.pipeline.climb import LEAST_SCAN, Climb
from app.pipeline.engines.other_codes import UNASKED, OtherCodes, variants_of
from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.variants import Variant, read_variants
from app.pipeline.imaging import Colours, GreyImage, LookAgain, shrink
from app.pipeline.reading import Read
from app.pipeline.results import Effort, Reason, Unread
from app.pipeline.rungs import DIRECT, VARIANTS_RUNG

_MOST_NAMED: Final = 2_000_000
"""Pixels to which a picture is reduced before codes of other symbologies are looked for unasked: at 12 megapixels that
took 0.29 s of the processor, at 2 it takes 0.03 s."""
NAMING: Final = "others"
"""The stage of a trace that looks for codes of symbologies that were not asked for."""


def read_others(climb: Climb, symbologies: frozenset[str], look_again: LookAgain | None) -> None:
    """Reads the codes of these symbologies, none of the QR family, in the untouched picture of a climb, then in its
    variants and in the pictures of ``look_again``: up to the first that shows any, with thorough effort in all of them,
    with fast effort in none but the untouched one."""
    before = len(climb.found)
    if climb.is_over:
        return
    for rung, symbols in _looks(climb, symbologies, look_again):
        climb.take(map(Read, symbols), rung)
        if len(climb.found) > before and not climb.is_thorough:
            return


def name_others(climb: Climb) -> list[Unread]:
    """The codes of other symbologies in the untouched picture of a climb that found nothing, as not asked for."""
    if climb.is_over:
        return []
    if climb.others is None:
        climb.others = _name_others(climb)
    return climb.others


def _name_others(climb: Climb) -> list[Unread]:
    with climb.timed(NAMING):
        picture = shrink(climb.image, min(1.0, (_MOST_NAMED / climb.image.size) ** 0.5))
        symbols = climb.scan(OtherCodes(UNASKED).read, picture) or []
    back = max(climb.image.shape) / max(picture.shape)
    return [
        Unread(one.corners.scaled(back), Reason.OTHER_SYMBOLOGY, confidence=1.0, symbology=one.symbology)
        for one in symbols[: climb.max_codes]
    ]


def _looks(
    climb: Climb, symbologies: frozenset[str], look_again: LookAgain | None
) -> Iterator[tuple[str, list[Symbol]]]:
    """Each look at the pictures: its rung, and the codes that it shows."""
    engine = OtherCodes(symbologies)
    yield DIRECT, climb.scan(engine.read, climb.image) or []
    if climb.effort is Effort.FAST:
        return
    others = iter(()) if look_again is None else look_again(colours=Colours.ALL)
    for picture in chain([climb.image], others):
        if picture is not climb.image:
            yield DIRECT, climb.scan(engine.read, picture) or []
        for variant in variants_of(symbologies):
            if climb.is_over:
                return
            yield VARIANTS_RUNG, climb.scan(partial(_read_variant, variant), picture, least=LEAST_SCAN) or []


def _read_variant(variant: Variant, picture: GreyImage) -> list[Symbol]:
    return [symbol for _, symbols in read_variants(picture, [variant]) for symbol in symbols]
