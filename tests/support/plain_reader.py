"""A reader that looks once at a picture, with one engine and no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.results import Found, Outcome, Stage, Unread


@dataclass(frozen=True)
class PlainReader:
    """Reads what zxing-cpp reads, and sees ``unread`` wherever it reads nothing."""

    unread: tuple[Unread, ...] = ()

    def run(self, image: GreyImage, **_: Any) -> Outcome:
        codes = tuple(Found(symbol, "direct") for symbol in ZXing().read(image))
        height, width = image.shape
        unread = () if codes else self.unread
        return Outcome(codes, width, height, None, (Stage("direct", 0.0, len(codes)),), False, unread)

    def fuse(self, frames: Sequence[GreyImage], **options: Any) -> Outcome:
        """Each payload once, from the first frame that shows it."""
        outcomes = [self.run(frame, **options) for frame in frames]
        found: dict[bytes, Found] = {}
        for number, outcome in enumerate(outcomes):
            for one in outcome.codes:
                found.setdefault(one.symbol.payload, Found(one.symbol, one.rung, number))
        first = outcomes[0]
        return Outcome(tuple(found.values()), first.width, first.height, None, first.trace, False)
