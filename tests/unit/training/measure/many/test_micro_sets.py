"""Pictures of Micro QR codes hold their symbol at its corners, sharp or too blurred for zxing-cpp."""

import argparse

import numpy as np
import pytest

from app.pipeline.crops.rectifying import rectify
from app.pipeline.engines.zxing import ZXing
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import side_length
from tests.support.paths import ROOT
from training.measure.many.ceiling import count_readable
from training.measure.many.micro import MICRO_SETS
from training.measure.many.sets import pictures
from training.measure.served_tools import add_options, load_tools

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


@pytest.mark.parametrize("name", MICRO_SETS)
def test_pictures_depend_on_their_set_and_index_alone(name: str) -> None:
    whole = list(pictures(name, count=2))
    (second,) = pictures(name, start=1, count=1)
    assert np.array_equal(second.image, whole[1].image)
    assert whole[0].codes[0].symbol.payload != whole[1].codes[0].symbol.payload


@pytest.mark.parametrize("name", MICRO_SETS)
def test_zxing_reads_sharp_ones_only(name: str) -> None:
    reads = [
        [symbol.payload for symbol in ZXing().read(one.image)] == [one.codes[0].symbol.payload]
        for one in pictures(name, count=COUNT)
    ]
    assert sum(reads) == 0 if name.startswith("micro") else sum(reads) >= COUNT // 2


def test_blurred_ones_can_be_read_by_whoever_finds_them() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    tools = load_tools(parser.parse_args(["--weights", str(ROOT / "weights")]))
    for name in ("micro-M2", "micro-M3", "micro-M4"):
        assert sum(count_readable(tools.reader, one) for one in pictures(name, count=COUNT)) >= COUNT - 1
