"""Surveys: in which order and at which sizes a picture is searched, and where slow locators are asked."""

from itertools import islice

import numpy as np
import pytest

from app.pipeline.climb import Climb
from app.pipeline.engines.symbol import Symbol
from app.pipeline.gates import Gates
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.window_locator import LEAST_SIDE
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import NO_VERSION, find_regions
from app.pipeline.place import Place
from app.pipeline.qrcode.patterns import render
from app.pipeline.results import Effort
from app.pipeline.surveys import surveys
from app.pipeline.tools import Tools
from tests.support.bench import (
    BROKEN,
    OTHER_PLACE,
    PLACE,
    Bench,
    bench,
    broken_pair,
    shipped_tools,
)
from tests.support.codes import photograph, square_at
from tests.support.scenes import camera, label_texts, labels, sheet
from tests.support.surveying import blank, blind, candidate, climb_of, read_at, surveyed

# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("longest", "sizes"),
    [
        (200, [256]),
        (330, [256]),
        (340, [256, 640]),
        (800, [256, 640]),
        (900, [256, 640, 1500]),
        (4000, [256, 640, 1500]),
    ],
)
def test_an_empty_picture_is_searched_at_larger_and_larger_sizes(longest: int, sizes: list[int]) -> None:
    """As long as the picture is a third larger than what was seen, up to the largest that pays without a code."""
    made = blind()
    surveyed(climb_of(blank(longest), made))
    assert made.windows.sizes == sizes
    assert made.windows.suspicions == [0 if size <= 640 else Gates().suspicion for size in sizes]
    assert made.windows.negatives == [min(640, sizes[-1])]


def test_thorough_effort_searches_at_every_size() -> None:
    made = blind()
    surveyed(climb_of(blank(4000), made, effort=Effort.THOROUGH))
    assert made.windows.sizes == [256, 640, 1500, 3000]
    assert made.windows.suspicions == [0, 0, 0, 0]
    assert made.windows.negatives == [3000]


@pytest.mark.parametrize("side", [2000.0, 600.0, 200.0, 110.0, 40.0])
def test_the_smallest_code_found_decides_how_closely_a_picture_is_searched(side: float) -> None:
    """Its neighbours may be half as large, inverted ones hardly smaller; the network sees codes from 28 pixels on."""
    made = blind()
    climb = climb_of(blank(4000), made)
    read_at(climb, square_at(10, 10, 2100.0), square_at(2500, 10, side))
    surveyed(climb)
    sizes = np.array(made.windows.sizes)
    assert sizes[0] == 256
    assert (sizes[1:] >= 1.29 * sizes[:-1]).all()
    assert sizes[-1] >= min(3000, 2 * LEAST_SIDE * 4000 / side)
    assert sizes[-1] <= max(1000, 3.5 * LEAST_SIDE * 4000 / side)
    (negative,) = made.windows.negatives
    assert min(sizes[-1], LEAST_SIDE * 4000 / side) <= negative <= sizes[-1]


def test_where_one_code_was_found_the_size_between_and_the_negative_are_spared() -> None:
    made = blind()
    climb = climb_of(blank(4000), made)
    read_at(climb, square_at(10, 10, 110.0))
    surveyed(climb)
    assert (made.windows.sizes, made.windows.negatives) == ([256, 640, 1500, 2545], [])


@pytest.mark.parametrize(("count", "sizes"), [(11, [256, 640, 1000, 1500, 2545]), (12, [256, 640, 1000, 1500])])
def test_after_a_look_that_shows_no_more_of_many_codes_there_is_no_closer_one(count: int, sizes: list[int]) -> None:
    made = blind()
    climb = climb_of(blank(4000), made)
    read_at(climb, *(square_at(10 + 300 * number, 10, 110.0) for number in range(count)))
    surveyed(climb)
    assert made.windows.sizes == sizes


@pytest.mark.parametrize(("left", "times"), [(90.0, 0), (140.0, 1)])
def test_a_picture_that_one_code_fills_is_not_searched(left: float, times: int) -> None:
    """There is no room for another one of its size beside it."""
    made = blind()
    climb = climb_of(np.full((200, 250), 220, np.uint8), made)
    read_at(climb, square_at(left, 50.0, 100.0))
    surveyed(climb)
    assert len(made.windows.sizes) == times


@pytest.mark.parametrize(("left", "times"), [(16, 0), (28, 1), (88, 1), (112, 1), (120, 1)])
def test_beside_a_code_that_something_touches_there_is_room_for_a_small_one_without_quiet_zones(
    left: int, times: int
) -> None:
    made, rng = blind(), np.random.default_rng(1)
    picture = np.full((120, left + 110), 220, np.uint8)
    modules = rng.random((25, (left + 100) // 4)) < 0.5
    picture[10:110, : left + 100] = render(modules, pixels=4, quiet_zone=0)
    climb = climb_of(picture, made)
    read_at(climb, square_at(left, 10.0, 100.0))
    surveyed(climb)
    assert len(made.windows.sizes) == times


def test_a_picture_that_one_code_fills_is_searched_if_another_was_sighted_or_the_effort_is_thorough() -> None:
    for effort, sighted in ((Effort.THOROUGH, []), (Effort.BALANCED, [candidate(square_at(10, 10, 40))])):
        made = blind()
        climb = climb_of(np.full((200, 250), 220, np.uint8), made, effort=effort)
        read_at(climb, square_at(90.0, 60.0, 100.0))
        surveyed(climb, sighted)
        assert len(made.windows.sizes) == 1


def test_places_that_were_read_are_not_looked_at_again() -> None:
    made = bench()
    made.windows.quads = (PLACE, OTHER_PLACE)
    climb = climb_of(broken_pair(), made)
    read_at(climb, PLACE)
    surveyed(climb)
    assert [place.corners.centre[0] > 230 for place in climb.places] == [True]


# --- order ----------------------------------------------------------------------------------------------------------


def test_sightings_come_first_then_the_quad_locator_then_the_others() -> None:
    """Each is followed by a second survey of what was misplaced."""
    made = blind()
    made.windows.quads = (OTHER_PLACE,)
    made.locator.quads = (PLACE,)
    climb = climb_of(broken_pair(), made)
    surveyed(climb, [candidate(PLACE)])
    names = [survey.name for survey, _ in climb.surveys]
    assert names[::2] == [
        "zxing-cpp",
        "quad locator at 256 px",
        "quad locator at 640 px",
        "quad locator at 640 px, inverted",
        "FakeLocator",
        "FakeLocator",
        "FakeLocator",
        "FakeLocator",
    ]
    assert names[1::2] == [f"{name}, realigned" for name in names[::2]]
    assert [survey.is_second for survey, _ in climb.surveys] == [False, True] * 8


@pytest.mark.parametrize(("score", "places"), [(0.79, 0), (0.8, 1)])
def test_doubtful_candidates_of_the_network_are_not_registered(score: float, places: int) -> None:
    made = bench()
    made.windows.quads, made.windows.score = (PLACE,), score
    climb = climb_of(broken_pair(), made)
    surveyed(climb)
    assert len(climb.places) == places


@pytest.mark.parametrize(
    ("score", "effort", "places"), [(0.87, Effort.BALANCED, 0), (0.88, Effort.BALANCED, 1), (0.8, Effort.THOROUGH, 1)]
)
def test_beside_a_code_that_was_read_candidates_must_be_surer(score: float, effort: Effort, places: int) -> None:
    made = bench()
    made.windows.quads, made.windows.score = (PLACE,), score
    climb = climb_of(broken_pair(), made, effort=effort)
    read_at(climb, OTHER_PLACE)
    for survey in islice(surveys(climb, []), 1):
        climb.register(survey)
    assert len(climb.places) == places


@pytest.mark.parametrize(
    ("score", "is_beside", "count"), [(0.84, False, 0), (0.86, False, 1), (0.91, True, 0), (0.93, True, 1)]
)
def test_candidates_without_a_registration_are_realigned_if_they_are_sure(
    score: float, is_beside: bool, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Candidate] = []

    def realign(image: GreyImage, candidate: Candidate, *, limit: int, least: float) -> list[Candidate]:
        asked.append(candidate)
        return []

    monkeypatch.setattr("app.pipeline.surveys.realign_by_finders", realign)
    made = bench()
    made.windows.quads, made.windows.score = (square_at(400, 400, 90),), score
    climb = climb_of(np.full((600, 800), 220, np.uint8), made)
    if is_beside:
        read_at(climb, square_at(50, 50, 90))
    for survey in islice(surveys(climb, []), 2):
        climb.register(survey)
        climb.places = climb.places or [Place(one, []) for one in survey.candidates]
    assert len(asked) == count


def test_a_misplaced_candidate_is_realigned_by_its_finder_patterns() -> None:
    """Its corners are a quarter of a side off: registration alone does not find the code."""
    made = blind()
    made.windows.quads = (PLACE + 30.0,)
    climb = climb_of(broken_pair(), made)
    names = surveyed(climb)
    assert names[:2] == ["quad locator at 256 px", "quad locator at 256 px, realigned"]
    best = max(climb.places, key=lambda place: place.agreement)
    assert best.agreement > 0.9
    assert np.abs(np.asarray(best.corners) - PLACE).max() < 1.0


# --- slow locators --------------------------------------------------------------------------------------------------


def asked(made: Bench) -> tuple[int, int, int]:
    """How often the locators were asked that cost little, the stretched picture, and the slow ones."""
    assert made.evened.asked == made.locator.asked
    return made.locator.asked, made.stretched.asked, made.spare.asked


def test_a_blank_picture_asks_no_slow_locator() -> None:
    made = blind()
    surveyed(climb_of(blank(300), made))
    assert asked(made) == (1, 0, 0)


def test_a_credible_place_without_a_code_asks_the_slow_ones() -> None:
    made = bench()
    surveyed(climb_of(broken_pair(), made))
    assert asked(made) == (1, 1, 1)


def test_a_place_that_is_not_credible_does_not() -> None:
    made = bench()
    climb = climb_of(blank(300), made)
    climb.places.append(Place(candidate(PLACE), []))
    surveyed(climb)
    assert made.spare.asked == 0


def test_a_long_and_narrow_candidate_asks_for_stretched_pictures() -> None:
    steep = np.array([[60.0, 50.0], [220.0, 50.0], [220.0, 150.0], [60.0, 150.0]])
    for quad, times in ((steep, 1), (square_at(60, 50, 100), 0)):
        made = bench()
        made.windows.quads, made.windows.score = (quad,), 0.85
        surveyed(climb_of(blank(300), made))
        assert made.stretched.asked == times


@pytest.mark.parametrize(("score", "times"), [(0.87, 0), (0.89, 1)])
def test_a_sure_candidate_whose_outline_fits_no_version_asks_for_stretched_pictures(score: float, times: int) -> None:
    made = bench()
    made.windows.quads, made.windows.score = (square_at(60, 50, 100),), score
    climb = climb_of(blank(300), made)
    surveyed(climb)
    assert NO_VERSION in {one.refusal for _, hypotheses in climb.surveys for one in hypotheses}
    assert asked(made) == (1, times, 0)


def test_where_something_was_read_no_other_locator_is_asked() -> None:
    made = bench()
    climb = climb_of(broken_pair(), made)
    read_at(climb, OTHER_PLACE)
    surveyed(climb)
    assert asked(made) == (0, 0, 0)


def test_thorough_effort_asks_all_of_them_whatever_was_read() -> None:
    made = blind()
    climb = climb_of(blank(300), made, effort=Effort.THOROUGH)
    read_at(climb, OTHER_PLACE)
    surveyed(climb)
    assert asked(made) == (1, 1, 1)


def test_a_locator_that_leads_to_a_read_is_the_last() -> None:
    made = blind()
    made.locator.quads = (PLACE,)
    climb = climb_of(photograph(BROKEN[0], PLACE, (240, 270)), made)
    for survey in surveys(climb, []):
        if climb.register(survey):
            read_at(climb, PLACE)
    assert asked(made) == (1, 0, 0)


# --- crowds ---------------------------------------------------------------------------------------------------------


class Counting:
    """zxing-cpp that counts its calls and keeps the largest picture that it read."""

    name = "zxing"

    def __init__(self, tools: Tools) -> None:
        self.engine, self.shapes = tools.zxing, list[tuple[int, ...]]()

    def read(self, image: GreyImage) -> list[Symbol]:
        self.shapes.append(image.shape)
        return self.engine.read(image)


def test_many_candidates_are_read_in_tiles_before_they_are_registered() -> None:
    """The tiles hold a few codes each, and all codes that zxing-cpp reads at all."""
    picture, matrix = camera(sheet(labels(64), 8, pixels=5), tilt=0.0)
    assert np.allclose(matrix, np.eye(3))
    tile = 165.0
    quads = [square_at(tile * column + 20, tile * row + 20, 125.0) for row in range(8) for column in range(8)]
    made = blind()
    made.windows.quads = quads
    engine = Counting(made.tools)
    climb = climb_of(picture, made, zxing=engine)
    surveyed(climb)
    assert sorted(found.symbol.text for found in climb.found) == label_texts(64)
    assert climb.places == []
    assert len(engine.shapes) >= 4
    assert max(max(shape) for shape in engine.shapes) <= 6 * 126
    for found in climb.found:
        row, column = divmod(int(found.symbol.text.removeprefix("label ")), 8)
        assert np.hypot(*(np.array(found.symbol.corners.centre) - (tile * column + 82.5, tile * row + 82.5))) < 5


def test_a_few_candidates_are_not_read_in_tiles() -> None:
    made = blind()
    made.windows.quads = [square_at(165.0 * column + 20, 20, 125.0) for column in range(4)]
    engine = Counting(made.tools)
    climb = climb_of(sheet(labels(4), 4, pixels=5), made, zxing=engine)
    surveyed(climb)
    assert engine.shapes == []
    assert len(climb.places) == 4


def test_the_shipped_locator_finds_every_label_of_a_sheet_that_nothing_reads() -> None:
    """Their codewords are destroyed, so that all of them become places."""
    symbols = [BROKEN[number % 2] for number in range(9)]
    climb = Climb(sheet(symbols, 3, pixels=4), Effort.BALANCED, shipped_tools())
    surveyed(climb)
    credible = [place for place in climb.places if place.agreement > 0.9]
    cells = {tuple(int(value // 132) for value in place.corners.centre) for place in credible}
    assert cells == {(column, row) for row in range(3) for column in range(3)}
    for place in credible:
        assert len(find_regions(climb.image, [place.candidate], limit=1)) == 1
        assert render(BROKEN[0], pixels=4).shape == place.regions[0].crop.shape
