"""Surveys pictures as the service does, for measurements that read the places in their own way."""

from collections.abc import Iterator, Sequence

from app.pipeline.climb import Climb
from app.pipeline.locating.candidates import Candidate
from app.pipeline.place import Place
from app.pipeline.surveys import surveys


def survey_places(climb: Climb, sighted: Sequence[Candidate]) -> Iterator[list[Place]]:
    """Yields the new places of one survey after another, the most credible first: those that the ladder would climb if
    it read none of them. ``sighted``: see `read_direct`."""
    for survey in surveys(climb, sighted):
        yield climb.register(survey)
