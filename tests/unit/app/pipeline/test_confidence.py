"""The confidence of a code: of which reads it says something, and what makes it rise and fall."""

from dataclasses import replace

import numpy as np
import pytest
import zxingcpp

from app.pipeline.confidence import GROUPS, confidence, features
from app.pipeline.fusing import FUSED
from app.pipeline.qrcode.contents import Contents, read_contents
from app.pipeline.results import Effort, Found
from app.pipeline.rungs import RUNGS
from tests.support.bench import shipped_ladder
from tests.support.codes import encode, photograph, square_at
from tests.support.fakes import symbol

BLOCK = np.ones((6, 6), np.uint8)
MODULES = encode("confidence", version=2)


def contents() -> Contents:
    read = read_contents(MODULES)
    assert read is not None
    return read


def found(rung: str = "direct", *, agreement: float = 1.0) -> Found:
    return Found(symbol().stating(replace(contents(), agreement=agreement)), rung)


def said(rung: str, agreement: float = 1.0) -> float:
    chance = confidence(found(rung, agreement=agreement))
    assert chance is not None
    return chance


def test_the_chances_that_were_fitted() -> None:
    assert said("direct") == pytest.approx(0.9988, abs=1e-4)
    assert said("modules", 0.84) == pytest.approx(0.957, abs=1e-3)
    assert said("soft", 0.6) == pytest.approx(0.756, abs=1e-3)


@pytest.mark.parametrize("rung", [rung for group in GROUPS for rung in group])
def test_it_rises_with_the_function_patterns(rung: str) -> None:
    chances = [said(rung, agreement) for agreement in np.linspace(0, 1, 11)]
    assert chances == sorted(chances)
    assert 0 < chances[0] < chances[-1] < 1


def test_the_less_is_left_to_fall_back_on_the_less_it_says() -> None:
    chances = [said(group[0]) for group in GROUPS]
    assert chances == sorted(chances, reverse=True)
    for group in GROUPS:
        assert {said(rung) for rung in group} == {said(group[0])}


@pytest.mark.parametrize("rung", sorted({*RUNGS, FUSED} - {rung for group in GROUPS for rung in group}))
def test_nothing_is_said_of_what_was_not_measured(rung: str) -> None:
    assert rung in {"light", "heavy", "upscale", "fused"}
    assert features(found(rung)) is None
    assert confidence(found(rung)) is None


def test_nothing_is_said_of_small_symbols() -> None:
    code = zxingcpp.create_barcode("1234567", zxingcpp.MicroQRCode, ec_level="L")
    picture = np.kron(np.pad(np.asarray(code.to_image(scale=1, add_quiet_zones=False)), 4, constant_values=255), BLOCK)
    (one,) = shipped_ladder(8).run(picture, effort=Effort.FAST).codes
    assert (one.rung, one.symbol.symbology) == ("direct", "MicroQRCode")
    assert one.symbol.contents is not None
    assert confidence(one) is None


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
