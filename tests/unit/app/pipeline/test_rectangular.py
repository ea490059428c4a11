"""The micro rung on rMQR codes: blurred ones, and what is none."""

import numpy as np
import pytest

from app.pipeline.climb import Climb
from app.pipeline.engines.zxing import ZXing
from app.pipeline.ladder import Ladder
from app.pipeline.locating.lone_finders import PATIENT, find_lone_finders
from app.pipeline.micro import MICRO, read_small
from app.pipeline.qrcode.small.patterns import small_patterns
from app.pipeline.results import SOFT, Effort
from tests.support.bench import shipped_tools
from tests.support.codes import qr_picture
from tests.support.micro_codes import micro_modules, micro_picture
from tests.support.rectangular_codes import rectangular_modules, rectangular_picture

CODES = [
    ("R7x43", "M", "A1B2"),
    ("R7x99", "H", "LOT4711"),
    ("R9x59", "M", "BOX-77"),
    ("R11x27", "M", "A1"),
    ("R11x77", "H", "part 0815 b"),
    ("R13x43", "M", "hello wor"),
    ("R15x139", "M", "https://example.org/parcel/7F3K-2291-0C"),
    ("R17x99", "H", "https://example.org/parcel/7F3K"),
]


@pytest.mark.parametrize(("version", "level", "payload"), CODES)
def test_a_blurred_code_is_read_with_all_its_fields(ladder: Ladder, version: str, level: str, payload: str) -> None:
    modules = rectangular_modules(version, level, payload)
    picture, truth = rectangular_picture(modules, pixels=6, blur=0.55, noise=10, turn=93)
    assert ZXing().read(picture) == []
    (found,) = ladder.run(picture, effort=Effort.BALANCED).codes
    symbol = found.symbol
    assert (symbol.payload, symbol.text) == (payload.encode(), payload)
    assert (symbol.symbology, symbol.small_version, symbol.ec_level) == ("RMQRCode", version, level)
    assert (found.rung, symbol.engine, symbol.identifier) == (MICRO, SOFT, "]Q1")
    assert symbol.contents is not None
    assert symbol.contents.mask == 4
    assert symbol.rotation == pytest.approx(93, abs=1)
    assert symbol.module_pixels == pytest.approx(6, rel=0.05)
    assert np.abs(symbol.corners.array - truth).max() < 6
    assert (symbol.mirrored, symbol.inverted, symbol.differs) == (False, False, False)


@pytest.mark.parametrize("version", ["R7x59", "R15x77"])
def test_inverted_and_mirrored_codes_are_read(ladder: Ladder, version: str) -> None:
    modules = rectangular_modules(version, "M", "0815")
    picture, truth = rectangular_picture(modules, pixels=6, blur=0.5, noise=8, turn=-2, mirrored=True)
    (found,) = ladder.run(np.bitwise_not(picture), effort=Effort.BALANCED).codes
    assert (found.symbol.text, found.symbol.mirrored, found.symbol.inverted) == ("0815", True, True)
    assert np.abs(found.symbol.corners.array - truth).max() < 6
    assert found.symbol.rotation == pytest.approx(178, abs=1)


def test_bent_and_tilted_codes_are_read(ladder: Ladder) -> None:
    modules = rectangular_modules("R13x139", "M", "https://example.org/parcel")
    for tilt, bend in ((0.2, 0.0), (0.1, 3.0)):
        picture, _ = rectangular_picture(modules, pixels=5, blur=0.5, noise=8, tilt=tilt, bend=bend)
        texts = [one.symbol.text for one in ladder.run(picture, effort=Effort.BALANCED).codes]
        assert texts == ["https://example.org/parcel"]


def test_function_patterns_alone_are_no_code(ladder: Ladder) -> None:
    rng = np.random.default_rng(3)
    for version in ("R7x43", "R11x59", "R17x77"):
        patterns = small_patterns(version)
        modules = np.where(patterns.known, patterns.dark, rng.random(patterns.known.shape) < 0.5)
        picture, _ = rectangular_picture(modules, pixels=6, blur=0.4, noise=5)
        assert ladder.run(picture, effort=Effort.THOROUGH).codes == ()


def test_finder_patterns_of_other_codes_lead_to_none(ladder: Ladder) -> None:
    micro = micro_picture(micro_modules("M4", "M", "hello wor"), pixels=6, blur=0.5, noise=5)
    for picture in (qr_picture("a larger code"), micro):
        assert find_lone_finders(picture, PATIENT)
        outcome = ladder.run(picture, effort=Effort.BALANCED, symbologies=frozenset({"RMQRCode"}))
        assert outcome.codes == ()


@pytest.mark.parametrize(
    "symbologies", [("RMQRCode",), ("MicroQRCode",), ("QRCode",), ("QRCode", "RMQRCode")], ids="+".join
)
def test_only_requests_for_them_have_them_looked_for(ladder: Ladder, symbologies: tuple[str, ...]) -> None:
    picture, _ = rectangular_picture(rectangular_modules("R11x43", "M", "HELLO"), pixels=6, blur=0.55, noise=10)
    outcome = ladder.run(picture, effort=Effort.BALANCED, symbologies=frozenset(symbologies))
    assert [one.symbol.text for one in outcome.codes] == ["HELLO"] * ("RMQRCode" in symbologies)


def test_the_budget_ends_the_search() -> None:
    tools = shipped_tools()
    picture, _ = rectangular_picture(rectangular_modules("R11x43", "M", "HELLO"), pixels=6, blur=0.55, noise=10)
    assert list(read_small(Climb(picture, Effort.BALANCED, tools), is_patient=False))
    assert not list(read_small(Climb(picture, Effort.BALANCED, tools, budget=0.0), is_patient=False))
