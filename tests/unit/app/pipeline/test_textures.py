"""Textures that the quad locator takes for codes: text, bars, and what looks like many codes beside one."""

import numpy as np
import pytest

from app.pipeline.climb import Climb
from app.pipeline.imaging import GreyImage
from app.pipeline.results import Effort
from tests.support.bench import PLACE, broken_picture, shipped_tools
from tests.support.codes import square_at
from tests.support.surveying import blank, blind, candidate, climb_of, read_at, surveyed
from training.data.degrade import to_uint8
from training.data.lookalikes import draw_text

# --- many codes beside one -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "sizes"), [(7, [256, 640, 1500, 2545]), (8, [256])])
def test_after_a_look_that_takes_a_texture_beside_a_code_for_many_codes_there_is_no_closer_one(
    count: int, sizes: list[int]
) -> None:
    made = blind()
    made.windows.quads = tuple(square_at(10 + 300 * number, 500, 110.0) for number in range(count))
    climb = climb_of(blank(4000), made)
    read_at(climb, square_at(10, 10, 110.0))
    surveyed(climb)
    assert made.windows.sizes == sizes


def test_a_look_that_shows_one_credible_place_among_many_is_not_the_last() -> None:
    made, picture = blind(), blank(4000)
    picture[2000:2240, 2000:2270] = broken_picture()
    made.windows.quads = (PLACE + 2000, *(square_at(10 + 300 * number, 500, 110.0) for number in range(8)))
    climb = climb_of(picture, made)
    read_at(climb, square_at(10, 10, 110.0))
    surveyed(climb)
    assert made.windows.sizes == [256, 640, 1500, 2545]


def test_a_picture_of_which_nothing_is_read_is_searched_however_much_of_it_looks_like_codes() -> None:
    made = blind()
    made.windows.quads = tuple(square_at(10 + 300 * number, 500, 110.0) for number in range(9))
    surveyed(climb_of(blank(4000), made))
    assert made.windows.sizes == [256, 640, 1500]


# --- stripes --------------------------------------------------------------------------------------------------------


def bars(contrast: int = 200) -> GreyImage:
    rng = np.random.default_rng(3)
    return np.tile(np.repeat(rng.integers(0, 2, 200) * contrast, 4).astype(np.uint8), (600, 1))


@pytest.mark.parametrize(("effort", "is_kept"), [(Effort.BALANCED, False), (Effort.THOROUGH, True)])
def test_candidates_that_show_bars_are_left_out_unless_the_effort_is_thorough(effort: Effort, is_kept: bool) -> None:
    made = blind()
    made.windows.quads = (square_at(300, 200, 200),)
    assert ("quad locator at 256 px" in surveyed(climb_of(bars(), made, effort=effort))) is is_kept


def test_sightings_may_lie_on_stripes() -> None:
    assert surveyed(climb_of(bars(), blind()), [candidate(square_at(100, 100, 200))])[0] == "zxing-cpp"


@pytest.mark.parametrize(("contrast", "names"), [(20, ["FakeLocator"]), (200, [])])
def test_candidates_of_the_even_picture_may_if_they_are_faint(contrast: int, names: list[str]) -> None:
    made = blind()
    made.evened.quads = (square_at(300, 200, 200),)
    climb = climb_of(bars(contrast), made)
    assert surveyed(climb)[:1] == names
    assert climb.shows_evened is bool(names)


def test_a_page_of_text_shows_hardly_any_place() -> None:
    """Of the shipped locator's candidates 38 were registered before, some of them nearly credible."""
    page = to_uint8(draw_text(np.random.default_rng(5)))
    climb = Climb(page, Effort.BALANCED, shipped_tools())
    surveyed(climb)
    assert sum(len(survey.candidates) for survey, _ in climb.surveys) <= 4
    assert not climb.shows_evened
