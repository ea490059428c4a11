"""The confidence of a code: of which reads it says something, and what makes it rise and fall."""

from dataclasses import replace

import numpy as np
import pytest

from app.pipeline.confidence import LARGE, SMALL, Chances, confidence, features
from app.pipeline.fusing import FUSED
from app.pipeline.micro import MICRO
from app.pipeline.qrcode.contents import Contents, read_contents
from app.pipeline.qrcode.small.contents import read_small_contents
from app.pipeline.results import Effort, Found
from app.pipeline.rungs import RUNGS
from tests.support.bench import shipped_ladder
from tests.support.codes import encode, photograph, square_at
from tests.support.fakes import symbol
from tests.support.micro_codes import micro_modules, micro_picture

MODULES = encode("confidence", version=2)


SMALL_MODULES = micro_modules("M3", "L", "LOT 4711")


def contents(*, small: bool) -> Contents:
    read = read_small_contents(SMALL_MODULES) if small else read_contents(MODULES)
    assert read is not None
    return read


def found(rung: str = "direct", *, agreement: float = 1.0, small: bool = False) -> Found:
    return Found(symbol().stating(replace(contents(small=small), agreement=agreement)), rung)


def said(rung: str, agreement: float = 1.0, *, small: bool = False) -> float:
    chance = confidence(found(rung, agreement=agreement, small=small))
    assert chance is not None
    return chance


def test_the_chances_that_were_fitted() -> None:
    assert said("direct") == pytest.approx(0.9997, abs=1e-4)
    assert said("modules", 0.84) == pytest.approx(0.917, abs=1e-3)
    assert said("soft", 0.6) == pytest.approx(0.789, abs=1e-3)


@pytest.mark.parametrize(
    ("chances", "rung"), [(one, rung) for one in (LARGE, SMALL) for group in one.groups for rung in group]
)
def test_it_rises_with_the_function_patterns_where_they_tell_something(chances: Chances, rung: str) -> None:
    steps = [said(rung, agreement, small=chances is SMALL) for agreement in np.linspace(0, 1, 11)]
    assert steps == sorted(steps)
    is_graded = any(rung in chances.groups[number] for number in chances.graded)
    assert (steps[0] < steps[-1]) is is_graded
    assert 0 < steps[0] <= steps[-1] < 1


def test_the_less_is_left_to_fall_back_on_the_less_it_says() -> None:
    chances = [said(group[0]) for group in LARGE.groups]
    assert chances == sorted(chances, reverse=True)
    for group in LARGE.groups:
        assert {said(rung) for rung in group} == {said(group[0])}


@pytest.mark.parametrize("chances", [LARGE, SMALL], ids=["large", "small"])
def test_nothing_is_said_of_what_was_not_measured(chances: Chances) -> None:
    others = {*RUNGS, MICRO, FUSED} - {rung for group in chances.groups for rung in group}
    assert others >= {"light", "heavy", "upscale", "fused"}
    for rung in others:
        assert features(found(rung, small=chances is SMALL)) is None
        assert confidence(found(rung, small=chances is SMALL)) is None


def test_small_symbols_have_chances_of_their_own() -> None:
    sharp = micro_picture(SMALL_MODULES, pixels=6, blur=0.1, noise=2)
    blurred = micro_picture(SMALL_MODULES, pixels=6, blur=0.6, noise=10)
    chances = []
    for picture, rung in ((sharp, "direct"), (blurred, MICRO)):
        (one,) = shipped_ladder(8).run(picture, effort=Effort.BALANCED).codes
        assert (one.rung, one.symbol.symbology) == (rung, "MicroQRCode")
        chances.append(confidence(one))
    assert chances == pytest.approx([said("direct", small=True), said(MICRO, small=True)], abs=0.1)
    assert said("direct", small=True) != said("direct")


def test_nothing_is_said_without_codewords() -> None:
    assert confidence(Found(symbol(), "direct")) is None


def test_a_code_near_its_limit_is_told_from_a_clear_one() -> None:
    clear = photograph(MODULES, square_at(60.0, 60.0, 130.0), (250, 250))
    grain = np.random.default_rng(4).normal(0, 90, clear.shape)
    noisy = np.clip(0.5 * clear + 60 + grain, 0, 255).astype(np.uint8)
    chances = []
    for picture in (clear, noisy):
        (one,) = shipped_ladder(8).run(picture, effort=Effort.BALANCED).codes
        assert one.symbol.payload == b"confidence"
        chances.append(confidence(one))
    at_first, later = chances
    assert at_first is not None
    assert later is not None
    assert later < 0.98 < at_first
