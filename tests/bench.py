"""A ladder on real engines and networks of a few lines, and pictures that only a network's answer makes readable."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import Effort, Ladder, Outcome, Tools
from app.pipeline.locating import Candidate, whole_picture
from app.pipeline.reading import Corners, ZBar, ZXing
from app.pipeline.symbology import render
from tests.helpers import FakeRestorer, encode, photograph, scrambled, square_at

FIRST, SECOND = encode("the first truth", version=2), encode("the other truth", version=2)
BROKEN = {0: scrambled(FIRST, seed=1), 1: scrambled(SECOND, seed=2)}
"""Symbols whose codewords are destroyed: found and registered, but only their true modules can be read."""
PLACE = square_at(70.0, 55.0, 125.0)
OTHER_PLACE = square_at(300.0, 60.0, 125.0)
NEVER, ALWAYS = float("inf"), 0.0  # thresholds of the light network


def broken_picture() -> GreyImage:
    return photograph(BROKEN[0], PLACE, (240, 270))


def broken_pair() -> GreyImage:
    return photograph(BROKEN[1], OTHER_PLACE, (250, 500), paper=photograph(BROKEN[0], PLACE, (250, 500)))


def truth(crop: GreyImage) -> GreyImage:
    """What a perfect network makes of a canonical crop of a broken symbol."""
    likeness = [np.abs(crop.astype(int) - render(modules, pixels=4)).mean() for modules in BROKEN.values()]
    return render((FIRST, SECOND)[int(np.argmin(likeness))], pixels=4)


@dataclass
class FakeLocator:
    """Knows its quads, and counts how often it is asked."""

    quads: Sequence[NDArray[np.float64]] = ()
    asked: int = 0

    def locate(self, image: GreyImage) -> list[Candidate]:
        self.asked += 1
        return [*(Candidate(as_corners(quad), 25, 1.0) for quad in self.quads), whole_picture(image)]


def as_corners(quad: NDArray[np.float64]) -> Corners:
    first, second, third, fourth = ((float(x), float(y)) for x, y in quad)
    return first, second, third, fourth


@dataclass
class Bench:
    """A ladder on networks that leave everything as it is unless told otherwise."""

    tools: Tools
    light: FakeRestorer
    heavy: FakeRestorer
    upscaler: FakeRestorer

    def ladder(self, max_codes: int = 16) -> Ladder:
        return Ladder(tools=self.tools, max_codes=max_codes)

    def run(self, image: GreyImage, effort: Effort = Effort.BALANCED, *, max_codes: int = 16) -> Outcome:
        return self.ladder(max_codes).run(image, effort=effort)


def enlarge(crop: GreyImage) -> GreyImage:
    return np.asarray(crop.repeat(4, axis=0).repeat(4, axis=1))


def bench(threshold: float = ALWAYS, *quads: NDArray[np.float64]) -> Bench:
    light, heavy = FakeRestorer("quick"), FakeRestorer("slow")
    upscaler = FakeRestorer("large", enlarge, scale=4)
    tools = Tools(
        zxing=ZXing(),
        zbar=ZBar(),
        locator=FakeLocator(quads or (PLACE + 1.5,)),
        restorers={restorer.name: restorer for restorer in (light, heavy, upscaler)},
        light="quick",
        heavy="slow",
        upscaler="large",
        threshold=threshold,
    )
    return Bench(tools, light, heavy, upscaler)


def texts(outcome: Outcome) -> list[str]:
    return [found.symbol.text for found in outcome.codes]


def rungs(outcome: Outcome) -> set[str]:
    return {found.rung for found in outcome.codes}


def stages(outcome: Outcome) -> list[str]:
    return [stage.stage for stage in outcome.trace]
