"""Pictures whose shading hides their codes: read once more without it, and which ones are."""

from dataclasses import replace

import numpy as np
import pytest
import zxingcpp

from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import EVENED, Ladder
from app.pipeline.locating.candidates import Candidate
from app.pipeline.quad import Quad
from app.pipeline.results import Effort, Outcome
from tests.support.bench import PLACE, Bench, bench, shipped_tools, stages
from tests.support.codes import square_at
from training.measure.many.sets import pictures

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
