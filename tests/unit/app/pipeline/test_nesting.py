"""Codes inside others: which may be, and what the picture shows without them."""

import numpy as np
import pytest

from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.nesting import may_be_inside, painted_over
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import Quad
from tests.support.codes import encode, square_at
from tests.support.scenes import labels, sheet

INNER = render(encode("in", version=1, error="l"), pixels=5)
QUIET = 20  # pixels around the inner symbol
SIDE = 105.0  # of it, in pixels


def nested(*, inverted: bool = False) -> tuple[GreyImage, Quad]:
    """A large code with a small one in its middle; and the corners of the small one."""
    picture = render(encode("the outer code", version=10, error="h"), pixels=8)
    start = (picture.shape[0] - INNER.shape[0]) // 2
    picture[start : start + INNER.shape[0], start : start + INNER.shape[0]] = INNER
    return (255 - picture if inverted else picture), Quad.of(square_at(start + QUIET, start + QUIET, SIDE))


@pytest.mark.parametrize("inverted", [False, True])
def test_a_code_with_modules_on_every_side_may_be_inside_another(inverted: bool) -> None:
    assert may_be_inside(*nested(inverted=inverted))


def test_a_code_on_paper_at_the_edge_or_beside_one_other_is_not() -> None:
    paper = np.full((400, 400), 255, np.uint8)
    paper[100:245, 100:245] = INNER
    place = Quad.of(square_at(100 + QUIET, 100 + QUIET, SIDE))
    assert not may_be_inside(paper, place)
    paper[100:245, 245:390] = INNER
    assert not may_be_inside(paper, place)
    assert not may_be_inside(INNER, Quad.of(square_at(QUIET, QUIET, SIDE)))


def test_without_the_inner_code_zxing_cpp_reads_the_outer_one() -> None:
    picture, inner = nested()
    before = picture.copy()
    assert [symbol.text for symbol in ZXing().read(picture)] == ["in"]
    assert [symbol.text for symbol in ZXing().read(painted_over(picture, [inner]))] == ["the outer code"]
    assert np.array_equal(picture, before)


def test_outlines_beyond_the_picture_are_painted_as_far_as_it_goes() -> None:
    picture = sheet(labels(4), 2)
    painted = painted_over(picture, [Quad.of(square_at(-50, -50, 120)), Quad.of(square_at(-90, -90, 40))])
    assert np.ptp(painted[:60, :60]) == 0
    assert np.array_equal(painted[80:, 80:], picture[80:, 80:])
