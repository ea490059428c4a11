"""Pictures of Micro QR codes hold their symbol at its corners, sharp or too blurred for zxing-cpp."""

import numpy as np
import pytest

from app.pipeline.crops.rectifying import rectify
from app.pipeline.engines.zxing import ZXing
from app.pipeline.locating.lone_finders import GLANCE, find_lone_finders
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import side_length
from training.measure.many.micro import MICRO_SETS
from training.measure.many.sets import pictures

COUNT = 8


@pytest.mark.parametrize("name", MICRO_SETS)
def test_the_symbol_is_where_its_corners_are(name: str) -> None:
    for picture in pictures(name, count=COUNT):
        (code,) = picture.codes
        modules = code.symbol.modules.T if "mirrored" in code.traits else code.symbol.modules
        assert code.symbol.version == (len(modules) - 9) // 2 == int(name[-1])
        assert 2.9 < side_length(code.corners) / len(modules) < 8.1
        crop = rectify(picture.image, code.corners, len(modules), margin=0)
        likeness = np.corrcoef(crop.ravel(), render(modules, pixels=4, quiet_zone=0).ravel())[0, 1]
        assert (-likeness if "inverse" in code.traits else likeness) > (0.35 if name.startswith("micro") else 0.75)


@pytest.mark.parametrize(
    ("name", "index"), [("micro-M1", 19), ("micro-M1", 24), ("cleanmicro-M1", 8), ("cleanmicro-M1", 60)]
)
def test_a_finder_pattern_that_is_stronger_at_a_wrong_size_is_found_at_its_own(name: str, index: int) -> None:
    """Within an M1 code, which as a whole resembles a larger finder pattern."""
    (picture,) = pictures(name, start=index, count=1)
    corners = picture.codes[0].corners
    module = side_length(corners) / 11
    centre = corners[0] + (corners[1] + corners[3] - 2 * corners[0]) * 3.5 / 11
    assert any(
        np.hypot(*(np.array(one.centre) - centre)) < module and one.module == pytest.approx(module, rel=0.2)
        for one in find_lone_finders(picture.image, GLANCE)
    )


@pytest.mark.parametrize("name", MICRO_SETS)
def test_zxing_reads_sharp_ones_only(name: str) -> None:
    reads = [
        [symbol.payload for symbol in ZXing().read(one.image)] == [one.codes[0].symbol.payload]
        for one in pictures(name, count=COUNT)
    ]
    assert sum(reads) == 0 if name.startswith("micro") else sum(reads) >= COUNT // 2
