"""Pictures of rMQR codes hold their symbol at its corners, sharp or too blurred for zxing-cpp."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import render
from app.pipeline.qrcode.small.contents import read_small_contents
from app.pipeline.qrcode.small.versions import RECTANGULAR_VERSIONS, modules_of
from training.measure.many.picture import PlacedCode
from training.measure.many.rectangular import RECTANGULAR_SETS
from training.measure.many.sets import pictures

COUNT = 8


@pytest.mark.parametrize("name", RECTANGULAR_SETS)
def test_the_symbol_is_where_its_corners_are(name: str) -> None:
    for picture in pictures(name, count=COUNT):
        (code,) = picture.codes
        modules = code.symbol.modules
        rows, columns = modules.shape
        version = RECTANGULAR_VERSIONS[code.symbol.version]
        assert modules_of(version) == (rows, columns)
        assert (rows <= 11) == name.endswith("small")
        corners = code.corners[[0, 3, 2, 1]] if "mirrored" in code.traits else code.corners
        sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1) / [columns, rows, columns, rows]
        assert 2.9 < sides.min() <= sides.max() < 8.1
        if name.startswith("bent"):
            _assert_it_follows_the_bend(picture.image, code, corners)
            continue
        assert sides == pytest.approx(sides[0], rel=0.01)
        crop = rectify(picture.image, corners, columns, margin=0, rows=rows)
        likeness = np.corrcoef(crop.ravel(), render(modules, pixels=4, quiet_zone=0).ravel())[0, 1]
        assert (-likeness if "inverse" in code.traits else likeness) > (0.75 if name.startswith("clean") else 0.35)


def _assert_it_follows_the_bend(image: GreyImage, code: PlacedCode, corners: NDArray[np.float64]) -> None:
    """The finder patterns at both ends are where the corners say, whatever is between them."""
    rows, columns = code.symbol.modules.shape
    crop = rectify(image, corners, columns, margin=0, rows=rows)
    drawn = render(code.symbol.modules, pixels=4, quiet_zone=0)
    for end in (np.s_[:, :12], np.s_[:, -8:]):
        likeness = np.corrcoef(crop[end].ravel(), drawn[end].ravel())[0, 1]
        assert (-likeness if "inverse" in code.traits else likeness) > 0.4


@pytest.mark.parametrize("name", RECTANGULAR_SETS)
def test_symbols_hold_what_they_say(name: str) -> None:
    for picture in pictures(name, count=40):
        (code,) = picture.codes
        contents = read_small_contents(code.symbol.modules)
        assert contents is not None
        assert (contents.message.payload, contents.level) == (code.symbol.payload, code.symbol.level.upper())
        assert contents.small_version == RECTANGULAR_VERSIONS[code.symbol.version]


@pytest.mark.parametrize("name", RECTANGULAR_SETS)
def test_zxing_reads_the_symbols_but_no_blurred_pictures(name: str) -> None:
    """Of those that are sharp but turned a little it reads some."""
    for picture in pictures(name, count=COUNT):
        (code,) = picture.codes
        (read,) = ZXing().read(render(code.symbol.modules, pixels=6))
        assert read.payload == code.symbol.payload
        assert name.startswith("clean") or ZXing().read(picture.image) == []
