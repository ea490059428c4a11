"""A ladder on real engines and fake networks, pictures that only the answer of a network makes readable, and the ladder
that is shipped."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.module_reader import LogOdds
from app.pipeline.ladder import Ladder
from app.pipeline.qrcode.patterns import render
from app.pipeline.results import Effort, Outcome
from app.pipeline.tools import Tools
from app.settings import Settings
from tests.support.codes import Modules, encode, photograph, scrambled, square_at
from tests.support.fakes import FakeLocator, FakeReader, FakeRestorer, FakeWindows, blank_reading

FIRST, SECOND = encode("the first truth", version=2), encode("the other truth", version=2)
BROKEN = {0: scrambled(FIRST, seed=1), 1: scrambled(SECOND, seed=2)}
"""Symbols with destroyed codewords: they register, but only the true modules decode."""
PLACE = square_at(70.0, 55.0, 125.0)
OTHER_PLACE = square_at(300.0, 60.0, 125.0)
NEVER, ALWAYS = float("inf"), 0.0  # thresholds of the light network


def broken_picture() -> GreyImage:
    return photograph(BROKEN[0], PLACE, (240, 270))


def broken_pair() -> GreyImage:
    return photograph(BROKEN[1], OTHER_PLACE, (250, 500), paper=photograph(BROKEN[0], PLACE, (250, 500)))


def without_a_core(modules: Modules) -> Modules:
    """A symbol that only redrawing makes readable: the core of its first finder pattern is missing."""
    return np.where(np.pad(np.ones((3, 3), np.bool_), ((2, modules.shape[0] - 5),) * 2), False, modules)


def truth(crop: GreyImage) -> GreyImage:
    """The answer of a perfect restorer to the crop of a broken symbol; of other versions it knows nothing."""
    return render(_repaired(crop), pixels=4) if crop.shape == (132, 132) else crop


def true_reading(crop: GreyImage, version: int) -> LogOdds:
    """The answer of a perfect module reader to the crop of a broken symbol; of other versions it knows nothing."""
    if version != 2:
        return blank_reading(crop, version)
    return np.where(_repaired(crop), np.float32(9), np.float32(-9))


def _repaired(crop: GreyImage) -> Modules:
    likeness = [np.abs(crop.astype(int) - render(modules, pixels=4)).mean() for modules in BROKEN.values()]
    return (FIRST, SECOND)[int(np.argmin(likeness))]


@dataclass
class Bench:
    """The tools of a ladder: by default, restorers change nothing and the reader thresholds modules.

    ``windows`` stands for the quad locator and sees the quads of `bench`; ``evened`` and ``locator``, which are asked
    where nothing was read, ``stretched``, and ``spare``, the slow one, find nothing.
    """

    tools: Tools
    windows: FakeWindows
    evened: FakeLocator
    locator: FakeLocator
    stretched: FakeLocator
    spare: FakeLocator
    reader: FakeReader
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
    windows, reader = FakeWindows(quads or (PLACE + 1.5,)), FakeReader()
    evened, locator, stretched, spare = FakeLocator(), FakeLocator(), FakeLocator(), FakeLocator()
    tools = Tools(
        zxing=ZXing(),
        zbar=ZBar(),
        windows=windows,  # type: ignore[arg-type]
        evened=evened,
        locators=(locator,),
        stretched=stretched,
        slow_locators=(spare,),
        reader=reader,
        restorers={restorer.name: restorer for restorer in (light, heavy, upscaler)},
        light="quick",
        heavy="slow",
        upscaler="large",
        threshold=threshold,
    )
    return Bench(tools, windows, evened, locator, stretched, spare, reader, light, heavy, upscaler)


@cache
def shipped_tools() -> Tools:
    """The tools of the service as it is shipped."""
    settings = Settings()
    return Tools.standard(
        load_networks(settings.weights, "cpu"),
        light=settings.light_network,
        heavy=settings.heavy_network,
        upscaler=settings.upscale_network,
        reader=settings.reader_network,
        locator=settings.locator_network,
    )


def shipped_ladder(max_codes: int = 256) -> Ladder:
    return Ladder(tools=shipped_tools(), max_codes=max_codes)


def texts(outcome: Outcome) -> list[str]:
    return [found.symbol.text for found in outcome.codes]


def rungs(outcome: Outcome) -> set[str]:
    return {found.rung for found in outcome.codes}


def stages(outcome: Outcome) -> list[str]:
    return [stage.stage for stage in outcome.trace]
