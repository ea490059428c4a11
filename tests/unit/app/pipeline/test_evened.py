"""Pictures whose shading hides their codes: read and restored once more without it, and which ones are."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray

from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import EVENED, Ladder
from app.pipeline.locating.candidates import Candidate
from app.pipeline.quad import Quad
from app.pipeline.results import Effort, Outcome, View
from tests.support.bench import PLACE, Bench, bench, shipped_tools, stages
from tests.support.codes import encode, square_at
from training.measure.many.sets import pictures

METAL = "dots on metal"
BALANCED = Effort.BALANCED
BLANK = np.full((240, 270), 220, np.uint8)


class Proposing:
    """A locator that proposes these places in every picture."""

    def __init__(self, *quads: Quad) -> None:
        self.candidates = [Candidate(quad, 25, 1.0) for quad in quads]

    def locate(self, _: GreyImage) -> list[Candidate]:
        return self.candidates


def run(made: Bench, image: GreyImage, *quads: Quad, effort: Effort = Effort.BALANCED) -> Outcome:
    tools = replace(made.tools, evened=Proposing(*quads))
    return Ladder(tools=tools, max_codes=9).run(image, effort=effort)


def test_dots_on_brushed_metal_are_read_without_its_shading_at_their_place() -> None:
    """One of the pictures of the set that read so alone."""
    (picture,) = pictures("faint", start=309, count=1)
    (truth,) = picture.codes
    outcome = Ladder(tools=shipped_tools(), max_codes=9).run(picture.image, effort=Effort.BALANCED)
    (found,) = outcome.codes
    assert found.symbol.payload == truth.symbol.payload
    assert found.symbol.corners.overlap(Quad.of(truth.corners)) > 0.9
    assert found.size == (outcome.width, outcome.height)
    assert EVENED in stages(outcome)


def brushed_metal(*, pixels: int = 12, contrast: float = 10.0) -> tuple[GreyImage, NDArray[np.float64]]:
    """Light dots, 0.6 module wide, on metal with streaks along its rows that differ nearly as much as the dots stand
    out; also the corners of their symbol."""
    modules = encode(METAL, version=2)
    size, margin = len(modules) * pixels, 5 * pixels
    dots = np.zeros((size + 2 * margin,) * 2, np.float32)
    for row, column in np.argwhere(modules):
        centre = margin + round((column + 0.5) * pixels), margin + round((row + 0.5) * pixels)
        cv2.circle(dots, centre, round(0.3 * pixels), contrast, -1, cv2.LINE_AA)
    rng = np.random.default_rng(2)
    streaks = contrast * cv2.GaussianBlur(rng.normal(0, 1.5, (len(dots), 1)), (1, 5), 1)
    noise = rng.normal(0, contrast / 6, dots.shape)
    return np.asarray(np.clip(110 + dots + streaks + noise, 0, 255), np.uint8), square_at(margin, margin, size)


@pytest.mark.parametrize("turned", [False, True])
def test_streaks_as_strong_as_the_dots_hide_no_code(turned: bool) -> None:
    picture, corners = brushed_metal()
    outcome = Ladder(tools=shipped_tools(), max_codes=9).run(picture.T.copy() if turned else picture, effort=BALANCED)
    (found,) = outcome.codes
    assert found.symbol.text == METAL
    assert found.symbol.mirrored == turned
    assert found.symbol.corners.overlap(Quad.of(corners)) > 0.9
    assert EVENED in stages(outcome)


@pytest.mark.parametrize("index", [20, 34, 60])
def test_the_edge_of_a_shadow_hides_no_code(index: int) -> None:
    """Pictures of the set that a mean of the surroundings, which smears the edge, left unread."""
    (picture,) = pictures("faint", start=index, count=1)
    outcome = Ladder(tools=shipped_tools(), max_codes=9).run(picture.image, effort=BALANCED)
    assert [one.symbol.payload for one in outcome.codes] == [picture.codes[0].symbol.payload]


@pytest.mark.parametrize("pixels", [12, 36])  # the larger picture is reduced before it is evened
@pytest.mark.parametrize("view", list(View))
def test_a_code_that_reads_without_the_shading_is_restored(view: View, pixels: int) -> None:
    picture, corners = brushed_metal(pixels=pixels)
    assert ZXing().read(picture) == []
    restoration = Ladder(tools=shipped_tools(), max_codes=9).restore(picture, view=view)
    assert [symbol.text for symbol in ZXing().read(restoration.image)] == [METAL]
    (found,) = restoration.outcome.codes
    assert found.symbol.text == METAL
    assert found.symbol.corners.overlap(Quad.of(corners)) > 0.9
    assert found.size == (restoration.outcome.width, restoration.outcome.height) == picture.shape
    if view is View.ORIGINAL:
        assert restoration.image.shape == picture.shape
        edge = 3 * pixels
        assert np.array_equal(restoration.image[:edge], picture[:edge])
        assert np.array_equal(restoration.image[:, :edge], picture[:, :edge])


def test_metal_without_a_code_is_restored_as_it_is() -> None:
    picture, _ = brushed_metal()
    bare = np.repeat(picture[:, :40], 9, axis=1)
    for view in View:
        restoration = Ladder(tools=shipped_tools(), max_codes=9).restore(bare, view=view)
        assert np.array_equal(restoration.image, bare)
        assert not restoration.located


@pytest.mark.parametrize("effort", list(Effort))
def test_it_takes_a_candidate_of_the_even_picture(effort: Effort) -> None:
    assert EVENED not in stages(run(bench(), BLANK, effort=effort))
    seen = run(bench(), BLANK, Quad.of(PLACE), effort=effort)
    assert (EVENED in stages(seen)) == (effort is not Effort.FAST)


def test_codes_of_other_symbologies_are_no_such_candidates() -> None:
    code = zxingcpp.create_barcode("a part of stock", zxingcpp.DataMatrix)
    picture = np.pad(np.array(code.to_image(scale=4, add_quiet_zones=True)), 80, constant_values=255)
    made = bench()
    made.windows.quads = ()
    outcome = run(made, picture, Quad.of(square_at(80, 80, 80)))
    assert [one.symbology for one in outcome.unread] == ["DataMatrix"]
    assert EVENED not in stages(outcome)
