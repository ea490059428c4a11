"""Measurements see the places that the ladder would climb."""

from app.pipeline.climb import Climb
from app.pipeline.results import Effort
from app.pipeline.rungs import read_direct
from tests.support.bench import PLACE, bench, broken_picture
from training.measure.surveying import survey_places


def test_places_are_those_of_the_ladder_where_nothing_reads() -> None:
    made = bench(0.0, PLACE + 1.5)
    made.locator.quads = [PLACE]
    climbed = made.ladder().climb(broken_picture(), effort=Effort.BALANCED)
    climb = Climb(broken_picture(), Effort.BALANCED, made.tools)
    surveyed = list(survey_places(climb, read_direct(climb)[1]))
    assert climbed.found == []
    assert [survey.name for survey, _ in climb.surveys] == [survey.name for survey, _ in climbed.surveys]
    corners = [place.corners for places in surveyed for place in places]
    assert corners == [place.corners for place in climbed.places] != []
    assert len(surveyed) == len(climb.surveys)


def test_a_survey_is_made_only_when_it_is_asked_for() -> None:
    made = bench(0.0, PLACE + 1.5)
    climb = Climb(broken_picture(), Effort.BALANCED, made.tools)
    surveyed = survey_places(climb, read_direct(climb)[1])
    (place,) = next(surveyed)
    assert place.regions
    assert (made.windows.sizes, made.locator.asked) == ([], 0)
