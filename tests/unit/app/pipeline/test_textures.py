"""Textures that the quad locator takes for codes: text, bars, and what looks like many codes beside one."""

import numpy as np
import pytest

from app.pipeline.climb import Climb
from app.pipeline.gates import Gates
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.stripes import stripes
from app.pipeline.qrcode.patterns import dimension, render
from app.pipeline.quad import Quad
from app.pipeline.results import Effort
from tests.support.bench import PLACE, broken_picture, shipped_tools
from tests.support.codes import encode, square_at
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


@pytest.mark.parametrize(("effort", "count"), [(Effort.BALANCED, 1), (Effort.THOROUGH, 2)])
def test_of_candidates_that_show_bars_the_best_is_registered_unless_the_effort_is_thorough(
    effort: Effort, count: int
) -> None:
    made = blind()
    made.windows.quads = (square_at(100, 200, 200), square_at(500, 200, 200))
    climb = climb_of(bars(), made, effort=effort)
    surveyed(climb)
    assert len(climb.surveys[0][0].candidates) == count


def test_where_the_best_is_a_code_all_candidates_that_show_stripes_are_registered() -> None:
    """Zeros and their padding make a code striped."""
    padded = render(encode("0" * 250, version=5, error="l", mask=2), pixels=6)
    side = 6.0 * dimension(5)
    places = square_at(24, 24, side), square_at(24 + padded.shape[0], 24, side)
    picture = np.hstack([padded, padded])
    assert all(stripes(picture, Quad.of(place)) > 1 - Gates().unstriped for place in places)
    made = blind()
    made.windows.quads = places
    climb = climb_of(picture, made)
    surveyed(climb)
    assert sum(place.agreement > 0.9 for place in climb.places) == 2


def test_sightings_may_lie_on_stripes() -> None:
    assert surveyed(climb_of(bars(), blind()), [candidate(square_at(100, 100, 200))])[0] == "zxing-cpp"


@pytest.mark.parametrize(("contrast", "count"), [(20, 2), (200, 1)])
def test_candidates_of_the_even_picture_may_if_they_are_faint(contrast: int, count: int) -> None:
    made = blind()
    made.evened.quads = (square_at(100, 200, 200), square_at(500, 200, 200))
    climb = climb_of(bars(contrast), made)
    surveyed(climb)
    (even,) = (
        len(survey.candidates) for survey, _ in climb.surveys if survey.name == "FakeLocator" and survey.candidates
    )
    assert even == count
    assert climb.shows_evened is (count == 2)


def test_a_page_of_text_shows_hardly_any_place() -> None:
    """Of the shipped locator's candidates 38 were registered before, some of them nearly credible."""
    page = to_uint8(draw_text(np.random.default_rng(5)))
    climb = Climb(page, Effort.BALANCED, shipped_tools())
    surveyed(climb)
    assert sum(len(survey.candidates) for survey, _ in climb.surveys) <= 10
    assert not climb.shows_evened
