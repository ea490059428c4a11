"""Codes of separate, sharp dots are read with these run together; other pictures show no lattice of dots."""

import cv2
import numpy as np
import pytest

from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import DOTS, Ladder
from app.pipeline.locating.dots import dot_pitch, merge_dots
from app.pipeline.quad import Quad
from app.pipeline.results import Effort, View
from tests.support.bench import shipped_tools, stages, texts
from tests.support.codes import encode, square_at
from training.measure.many.sets import pictures

TEXT = "a plate with dots"


def plate(*, pixels: int, width: float, ground: int = 90, contrast: int = 120, angle: float = 0.0) -> GreyImage:
    """A code whose modules are discs ``width`` module wide, darker or lighter than the ``ground``, 8 modules around."""
    modules = encode(TEXT, version=2)
    side = (len(modules) + 16) * pixels
    picture = np.full((side, side), ground, np.uint8)
    for row, column in np.argwhere(modules):
        centre = round((column + 8.5) * pixels), round((row + 8.5) * pixels)
        cv2.circle(picture, centre, round(width * pixels / 2), ground + contrast, -1, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1)
    turned = cv2.warpAffine(picture, turn, (side, side), borderValue=(ground,))
    noise = np.random.default_rng(1).normal(0, 2, picture.shape)
    return np.asarray(np.clip(turned + noise, 0, 255), np.uint8)


@pytest.mark.parametrize("angle", [0.0, 20.0])
@pytest.mark.parametrize(("ground", "contrast"), [(90, 120), (200, -120)])
@pytest.mark.parametrize(("pixels", "width"), [(10, 0.4), (14, 0.5), (40, 0.5)])
def test_separate_sharp_dots_are_read(pixels: int, width: float, ground: int, contrast: int, angle: float) -> None:
    picture = plate(pixels=pixels, width=width, ground=ground, contrast=contrast, angle=angle)
    outcome = Ladder(tools=shipped_tools(), max_codes=9).run(picture, effort=Effort.BALANCED)
    assert texts(outcome) == [TEXT]
    assert DOTS in stages(outcome) or angle, "a turned picture may be read without"
    if not angle:
        truth = Quad.of(square_at(8 * pixels, 8 * pixels, 25 * pixels))
        assert outcome.codes[0].symbol.corners.overlap(truth) > 0.9


@pytest.mark.parametrize("view", list(View))
@pytest.mark.parametrize("pixels", [10, 40])  # the larger picture is reduced as its dots are run together
def test_separate_sharp_dots_are_restored(pixels: int, view: View) -> None:
    picture = plate(pixels=pixels, width=0.4)
    restoration = Ladder(tools=shipped_tools(), max_codes=9).restore(picture, view=view)
    assert texts(restoration.outcome) == [TEXT]
    assert [symbol.text for symbol in ZXing().read(restoration.image)] == [TEXT]
    if view is View.ORIGINAL:
        assert restoration.image.shape == picture.shape
        assert np.array_equal(restoration.image[: 3 * pixels], picture[: 3 * pixels])


@pytest.mark.parametrize(("pixels", "width"), [(8, 0.4), (12, 0.6), (40, 0.5)])
def test_the_pitch_is_a_module(pixels: int, width: float) -> None:
    assert dot_pitch(plate(pixels=pixels, width=width)) == pytest.approx(pixels, rel=0.05)


def test_large_dots_are_reduced_as_they_are_merged() -> None:
    picture = plate(pixels=40, width=0.5)
    merged = merge_dots(picture)
    assert merged is not None
    smooth, factor = merged
    assert factor == pytest.approx(0.2, rel=0.05)
    assert smooth.shape == pytest.approx(np.array(picture.shape) * factor, abs=1)


def test_other_pictures_show_no_lattice_of_dots() -> None:
    """Neither noise nor text, letters of one size and some distance apart, nor codes of whole modules."""
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (480, 640), dtype=np.uint8)
    page = np.full((600, 600), 240, np.uint8)
    for line in range(24):
        words = "".join(rng.choice(list("abcdefghik lmnop rstu vwxyz"), 40))
        cv2.putText(page, words, (10, 22 + 24 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (20,), 1, cv2.LINE_AA)
    scenes = [picture.image for name in ("scene", "logo", "creased") for picture in pictures(name, start=0, count=6)]
    assert [merge_dots(picture) for picture in (noise, page, *scenes)] == [None] * (2 + len(scenes))


def test_a_picture_without_dots_takes_no_other_path() -> None:
    blank = np.full((240, 270), 220, np.uint8)
    outcome = Ladder(tools=shipped_tools(), max_codes=9).run(blank, effort=Effort.FAST)
    assert DOTS not in stages(outcome)
    assert merge_dots(blank) is None
