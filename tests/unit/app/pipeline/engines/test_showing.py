"""Small symbols without error correction to spare are answered only where the picture shows them."""

import numpy as np
import pytest

from app.pipeline.engines.showing import showing
from app.pipeline.engines.zxing import ZXing
from app.pipeline.qrcode.patterns import render
from app.pipeline.qrcode.small.patterns import small_zigzag
from app.pipeline.quad import Quad, square
from tests.support.micro_codes import micro_modules, micro_picture

MODULES = micro_modules("M1", None, "12345")
PLACE = Quad.of(square(11) * 5 + 20)


def test_a_picture_shows_what_was_drawn() -> None:
    picture = render(MODULES, pixels=5)
    assert showing(picture, PLACE, MODULES) > 0.99
    assert showing(np.bitwise_not(picture), PLACE, MODULES) > 0.99


def test_a_picture_does_not_show_what_was_not_drawn() -> None:
    picture = render(MODULES, pixels=5)
    assert showing(picture, PLACE, MODULES[::-1]) < 0.85
    assert showing(picture, PLACE.moved(5, 0), MODULES) < 0.85
    assert showing(np.full_like(picture, 90), PLACE, MODULES) == 0


@pytest.mark.parametrize("side", range(4))
def test_the_quiet_zone_counts_on_every_side(side: int) -> None:
    upright = np.rot90(render(MODULES, pixels=5), side).copy()
    upright[:20] = np.kron(np.arange(19) % 2, np.ones(5)) * 255
    assert showing(np.rot90(upright, -side), PLACE, MODULES) < 0.9


@pytest.mark.parametrize("payload", ["12345", "7", "00000", "99999", "102"])
def test_a_clean_m1_is_answered(payload: str) -> None:
    picture = micro_picture(micro_modules("M1", None, payload), pixels=6, blur=0.2, noise=3, turn=20)
    (symbol,) = ZXing().read(picture)
    assert (symbol.payload, symbol.small_version) == (payload.encode(), "M1")
    assert symbol.contents is not None
    assert symbol.contents.errors == 0


def test_an_m1_with_an_error_is_not() -> None:
    """zxing-cpp corrects it, but two check codewords cannot tell which codeword was wrong."""
    rows, columns = small_zigzag("M1")
    for bit in range(len(rows)):
        broken = MODULES.copy()
        broken[rows[bit], columns[bit]] ^= True
        assert ZXing().read(render(broken, pixels=5)) == []


def test_a_small_symbol_that_used_up_its_correction_is_answered_if_it_is_plain_to_see() -> None:
    modules = micro_modules("M4", "L", "part 0815 b")
    rows, columns = small_zigzag("M4")
    broken = modules.copy()
    broken[rows[0:32:8], columns[0:32:8]] ^= True
    (symbol,) = ZXing().read(render(broken, pixels=5))
    assert symbol.payload == b"part 0815 b"
    assert symbol.contents is not None
    assert symbol.contents.errors == 4
