"""The micro rung: blurred Micro QR codes, and what is no Micro QR code."""

import numpy as np
import pytest

from app.pipeline.engines.zxing import ZXing
from app.pipeline.inference.loading import load_networks
from app.pipeline.ladder import Ladder
from app.pipeline.locating.micro import locate_micro
from app.pipeline.micro import MICRO
from app.pipeline.results import SOFT, Effort
from app.pipeline.tools import Tools
from tests.support.codes import qr_picture
from tests.support.micro_codes import SYMBOLS, micro_modules, micro_picture
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    names = {"light": "lenet", "heavy": "lenet", "upscaler": "srresnet-x4", "reader": "module-reader"}
    networks = load_networks(ROOT / "weights", "cpu")
    return Ladder(tools=Tools.standard(networks, **names, locator="quad-locator"), max_codes=4)


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


def test_noise_holds_no_code(ladder: Ladder) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, 200)).astype(np.uint8)
    assert ladder.run(noise, effort=Effort.BALANCED).codes == ()
    assert locate_micro(np.empty((0, 0), np.uint8)) == []


def test_corners_are_found_within_half_a_module() -> None:
    picture = micro_picture(micro_modules("M3", "L", "LOT 4711"), pixels=6, blur=0.4, noise=5)
    best = locate_micro(picture)[0][0]
    middle, half = picture.shape[0] / 2, 15 * 6 / 2
    truth = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + middle
    assert best.version == "M3"
    assert np.abs(best.corners - truth).max() < 3
