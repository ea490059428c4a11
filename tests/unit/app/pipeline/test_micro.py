"""The micro rung: blurred Micro QR codes, and what is no Micro QR code."""

import cv2
import numpy as np
import pytest

from app.pipeline.climb import Climb
from app.pipeline.engines.zxing import ZXing
from app.pipeline.ladder import Ladder
from app.pipeline.micro import MICRO, read_small
from app.pipeline.qrcode.patterns import render
from app.pipeline.results import SOFT, Effort
from tests.support.bench import shipped_tools
from tests.support.codes import qr_picture
from tests.support.micro_codes import SYMBOLS, micro_modules, micro_picture


@pytest.mark.parametrize(("version", "level", "payload"), [one for one in SYMBOLS if one[0] != "M1"])
def test_a_blurred_code_is_read_with_all_its_fields(ladder: Ladder, version: str, level: str, payload: str) -> None:
    modules = micro_modules(version, level, payload, 2)
    picture = micro_picture(modules, pixels=6, blur=0.6, noise=10, turn=93)
    assert ZXing().read(picture) == []
    (found,) = ladder.run(picture, effort=Effort.BALANCED).codes
    symbol = found.symbol
    assert (symbol.payload, symbol.text) == (payload.encode(), payload)
    assert (symbol.symbology, symbol.small_version, symbol.ec_level) == ("MicroQRCode", version, level)
    assert (found.rung, symbol.engine, symbol.identifier) == (MICRO, SOFT, "]Q1")
    assert symbol.contents is not None
    assert symbol.contents.mask == 2
    assert min(abs(symbol.rotation - 267), abs(symbol.rotation - 267 + 360)) < 3
    assert symbol.module_pixels == pytest.approx(6, rel=0.05)
    assert (symbol.mirrored, symbol.inverted, symbol.differs) == (False, False, False)


def test_inverted_and_mirrored_codes_are_read(ladder: Ladder) -> None:
    picture = micro_picture(micro_modules("M4", "L", "part 0815 b").T, pixels=5, blur=0.55, noise=8)
    (found,) = ladder.run(np.bitwise_not(picture), effort=Effort.BALANCED).codes
    assert (found.symbol.text, found.symbol.mirrored, found.symbol.inverted) == ("part 0815 b", True, True)


def test_a_clean_m1_is_read(ladder: Ladder) -> None:
    picture = micro_picture(micro_modules("M1", None, "12345"), pixels=6, blur=0.2, noise=3)
    (found,) = ladder.run(picture, effort=Effort.BALANCED).codes
    assert (found.symbol.text, found.symbol.small_version, found.symbol.ec_level) == ("12345", "M1", "L")


def test_a_picture_with_a_code_is_not_searched(ladder: Ladder) -> None:
    outcome = ladder.run(qr_picture("a larger code"), effort=Effort.BALANCED)
    assert [one.symbol.text for one in outcome.codes] == ["a larger code"]
    assert MICRO not in [stage.stage for stage in outcome.trace]
    asked = ladder.run(qr_picture("a larger code"), effort=Effort.BALANCED, symbologies=frozenset({"MicroQRCode"}))
    assert MICRO in [stage.stage for stage in asked.trace]


def test_noise_holds_no_code(ladder: Ladder) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, 200)).astype(np.uint8)
    assert ladder.run(noise, effort=Effort.BALANCED).codes == ()


def test_an_m1_among_random_modules_is_an_accident(ladder: Ladder) -> None:
    modules = micro_modules("M1", None, "12345")
    around = np.random.default_rng(4).random((27, 27)) < 0.5
    around[8:19, 8:19] = modules
    alone = np.zeros_like(around)
    alone[8:19, 8:19] = modules
    assert [one.symbol.text for one in ladder.run(render(alone, pixels=6), effort=Effort.BALANCED).codes] == ["12345"]
    assert ladder.run(render(around, pixels=6), effort=Effort.THOROUGH).codes == ()


def test_only_requests_for_micro_codes_have_them_looked_for(ladder: Ladder) -> None:
    picture = micro_picture(micro_modules("M4", "M", "hello wor"), pixels=6, blur=0.6, noise=10)
    outcome = ladder.run(picture, effort=Effort.BALANCED, symbologies=frozenset({"QRCode"}))
    assert outcome.codes == ()
    assert MICRO not in [stage.stage for stage in outcome.trace]


@pytest.mark.parametrize("symbologies", [{"MicroQRCode"}, {"MicroQRCode", "DataMatrix"}], ids=len)
def test_requests_for_them_alone_have_them_read_beside_a_larger_code(ladder: Ladder, symbologies: set[str]) -> None:
    small = micro_picture(micro_modules("M4", "M", "hello wor"), pixels=6, blur=0.6, noise=10)
    large = qr_picture("a larger code", scale=6)
    height = max(len(small), len(large))
    parts = [np.pad(one, ((0, height - len(one)), (0, 0)), mode="edge") for one in (small, large)]
    outcome = ladder.run(np.hstack(parts), effort=Effort.BALANCED, symbologies=frozenset(symbologies))
    assert [(one.symbol.text, one.rung) for one in outcome.codes] == [("hello wor", MICRO)]


@pytest.mark.parametrize("seed", range(3))
def test_small_codes_are_read_beside_larger_ones(ladder: Ladder, seed: int) -> None:
    """The finder patterns of the larger ones do not take the few looks that a glance has."""
    small = micro_picture(micro_modules("M4", "M", "hello wor"), pixels=6, blur=0.6, noise=10, seed=seed)
    large = [qr_picture(text, scale=6) for text in ("a larger code", "and another one")]
    height = max(map(len, (small, *large)))
    parts = [np.pad(one, ((0, height - len(one)), (0, 0)), mode="edge") for one in (large[0], small, large[1])]
    outcome = ladder.run(np.hstack(parts), effort=Effort.BALANCED)
    assert sorted(one.symbol.text for one in outcome.codes) == ["a larger code", "and another one", "hello wor"]


def test_small_codes_of_light_dots_on_dark_are_read(ladder: Ladder) -> None:
    """No locator sees them before the dots are run together."""
    modules = np.pad(micro_modules("M4", "M", "hello wor"), 4)
    picture = np.full((len(modules) * 14, len(modules) * 14), 40, np.uint8)
    for row, column in np.argwhere(~modules):
        cv2.circle(picture, (column * 14 + 7, row * 14 + 7), 4, (190,), -1, cv2.LINE_AA)
    assert [one.symbol.text for one in ladder.run(picture, effort=Effort.BALANCED).codes] == ["hello wor"]


def test_remains_of_a_larger_code_are_left_alone(ladder: Ladder) -> None:
    """The finder patterns of a code that is covered in part stand alone, but are not those of small codes."""
    picture = qr_picture("a larger code that is covered in part", scale=6)
    picture[: len(picture) // 2, len(picture) // 2 :] = 255
    picture[len(picture) // 2 :, : len(picture) // 2] = 255
    outcome = ladder.run(picture, effort=Effort.BALANCED, symbologies=frozenset({"MicroQRCode"}))
    assert outcome.codes == ()


def test_the_budget_ends_the_search() -> None:
    tools = shipped_tools()
    picture = micro_picture(micro_modules("M4", "M", "hello wor"), pixels=6, blur=0.6, noise=10)
    assert list(read_small(Climb(picture, Effort.BALANCED, tools), is_patient=False))
    assert not list(read_small(Climb(picture, Effort.BALANCED, tools, budget=0.0), is_patient=False))
