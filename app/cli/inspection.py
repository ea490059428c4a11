"""Takes a climb further than the ladder: every place is looked at in every way, and each step leaves what it saw."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from app.cli.inspection_ladder import Climbed
from app.cli.inspection_records import (
    CandidateRecord,
    PlaceRecord,
    RegionRecord,
    RegistrationRecord,
    SurveyRecord,
    UnreadRecord,
    rounded,
)
from app.cli.inspection_report import Report
from app.cli.inspection_steps import Files, RegionSteps, steps_on_picture, steps_on_place
from app.pipeline.climb import Climb, Survey
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import PROMISING, Hypothesis, Region
from app.pipeline.place import Place
from app.pipeline.results import Effort
from app.pipeline.surveys import surveys

_OVERVIEW: Final = (640, 2000)  # shortest and longest that the longest side of an outlined picture may be
_MOST_DEAR: Final = 24  # regions that every step is taken on, 2 s each; the others get the quick ones
_KEPT, _DROPPED, _REGION = (0, 160, 0), (0, 0, 220), (220, 120, 0)  # green, red, blue


class Inspection:
    """What each step sees in the picture of a climb, written into a folder.

    The climb is one that a ladder has ended; it learns of further places and readings, but its codes stay the ladder's.
    """

    def __init__(self, climb: Climb, folder: Path) -> None:
        self._climb = climb
        self._files = Files(folder)
        self._ladder = Climbed(climb)
        self._places: dict[Place, int] = {}
        self._regions: dict[Region, int] = {}
        self._best: list[Region] = []

    def report(self, file: str) -> Report:
        """Looks at everything. Raises OSError where the folder cannot be written to."""
        climb, ladder = self._climb, self._ladder
        _survey_further(climb)
        self._places = {place: number for number, place in enumerate(climb.places, start=1)}
        regions = [(place, region) for place in climb.places for region in place.regions]
        self._regions = {region: number for number, (_, region) in enumerate(regions, start=1)}
        self._best = sorted(self._regions, key=lambda region: -region.registration.agreement)[:_MOST_DEAR]
        height, width = climb.image.shape
        told = [(place, unread) for place in climb.places if (unread := ladder.told(place))]
        return Report(
            file=file,
            width=width,
            height=height,
            effort=climb.effort,
            answer=ladder.answer,
            unread=tuple(UnreadRecord.of(unread, place=self._places[place]) for place, unread in told),
            complete=ladder.is_complete,
            trace=tuple((stage.stage, stage.seconds, stage.codes) for stage in ladder.stages),
            picture=self._files.picture("picture.png", climb.image),
            steps=tuple(steps_on_picture(climb)),
            surveys=tuple(self._survey(index) for index in range(len(climb.surveys))),
            places=tuple(map(self._place, climb.places)),
            regions=tuple(self._region(place, region) for place, region in regions),
        )

    # --- places -----------------------------------------------------------------------------------------------------

    def _survey(self, index: int) -> SurveyRecord:
        survey, hypotheses = self._climb.surveys[index]
        outlined = _outline(self._climb.image, survey.candidates, hypotheses) if survey.candidates else None
        return SurveyRecord(
            number=index + 1,
            name=survey.name,
            by_ladder=index < self._ladder.surveys,
            picture="" if outlined is None else self._files.picture(f"survey-{index + 1:02}.png", outlined),
            candidates=tuple(self._candidates(survey, hypotheses)),
        )

    def _candidates(self, survey: Survey, hypotheses: Sequence[Hypothesis]) -> Iterator[CandidateRecord]:
        for rank, candidate in enumerate(survey.candidates):
            place = self._place_of(candidate, hypotheses, rank)
            yield CandidateRecord(
                number=rank + 1,
                corners=rounded(candidate.corners),
                modules=candidate.dimension,
                score=candidate.score,
                place=self._places[place] if place else None,
                registrations=tuple(self._registration(one) for one in hypotheses if one.rank == rank),
            )

    def _place_of(self, candidate: Candidate, hypotheses: Sequence[Hypothesis], rank: int) -> Place | None:
        """The place made of a candidate of a survey; a second survey may propose a candidate again."""
        regions = [one.region for one in hypotheses if one.rank == rank and one.region]
        here = (place for place in self._climb.places if place.candidate is candidate and place.regions == regions)
        return next(here, None)

    def _registration(self, one: Hypothesis) -> RegistrationRecord:
        registration = one.registration
        return RegistrationRecord(
            version=registration.version if registration else None,
            agreement=registration.agreement if registration else None,
            inverted=registration.inverted if registration else None,
            region=self._regions[one.region] if one.region else None,
            refusal=one.refusal,
            twin=self._regions[one.twin] if one.twin else None,
        )

    def _place(self, place: Place) -> PlaceRecord:
        survey, candidate = self._origin(place)
        return PlaceRecord(
            number=self._places[place],
            survey=survey,
            candidate=candidate,
            score=place.candidate.score,
            agreement=place.agreement,
            corners=rounded(place.corners),
            result=self._ladder.result(place),
            ladder=self._ladder.rungs(place),
            steps=tuple(steps_on_place(self._climb, place)),
            regions=tuple(self._regions[region] for region in place.regions),
        )

    def _origin(self, place: Place) -> tuple[int, int]:
        """Numbers of the survey and the candidate that a place was made of."""
        for number, (survey, hypotheses) in enumerate(self._climb.surveys, start=1):
            for rank, candidate in enumerate(survey.candidates):
                if candidate is place.candidate and self._place_of(candidate, hypotheses, rank) is place:
                    return number, rank + 1
        raise ValueError("the place was made by no survey")

    def _region(self, place: Place, region: Region) -> RegionRecord:
        number, route = self._regions[region], self._climb.route_of(region)
        folder = self._files.enter(f"region-{number:02}")
        return RegionRecord(
            number=number,
            place=self._places[place],
            version=region.version,
            agreement=region.registration.agreement,
            inverted=region.registration.inverted,
            module=region.module,
            corners=rounded(region.corners),
            laplacian_variance=route.laplacian_variance,
            threshold=route.threshold,
            network=route.network,
            folder=folder,
            steps=tuple(RegionSteps(self._climb, place, region, self._files, folder).all(left_out=self._doubt(region))),
        )

    def _doubt(self, region: Region) -> str:
        """Why a region is not worth every step, or ""."""
        if not region.is_promising:
            return f"not promising: agreement {region.registration.agreement:.2f} is below {PROMISING}"
        return "" if region in self._best else f"left out: {_MOST_DEAR} regions agree better"


def _survey_further(climb: Climb) -> None:
    """Makes the surveys that thorough effort would make and the ladder did not, as patiently as the ladder."""
    made = {survey.name for survey, _ in climb.surveys}
    # The copy shares the places, of which second surveys are made; what it reads in tiles stays out of the answer.
    for survey in surveys(replace(climb, effort=Effort.THOROUGH, found=[*climb.found], stages={}), ()):
        if survey.name not in made:
            climb.register(survey)


def _outline(image: GreyImage, candidates: Sequence[Candidate], hypotheses: Sequence[Hypothesis]) -> GreyImage:
    """The picture in colour, brought to a size to look at: candidates with their numbers, green if a region came of
    them, red if not; regions as they were registered, blue."""
    low, high = _OVERVIEW
    longest = max(image.shape)
    factor = min(max(longest, low), high) / longest
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    size = tuple(max(1, round(factor * side)) for side in image.shape[::-1])
    picture = cv2.cvtColor(cv2.resize(image, size, interpolation=method), cv2.COLOR_GRAY2BGR)

    def draw(corners: object, colour: tuple[int, int, int]) -> tuple[int, int]:
        points = np.rint(np.asarray(corners) * factor).astype(np.int32)
        cv2.polylines(picture, [points], isClosed=True, color=colour, thickness=2, lineType=cv2.LINE_AA)
        return int(points[0, 0]), int(points[0, 1])

    kept = {one.rank for one in hypotheses if one.region}
    for rank, candidate in enumerate(candidates):
        colour = _KEPT if rank in kept else _DROPPED
        cv2.putText(picture, str(rank + 1), draw(candidate.corners, colour), cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, 2)
    for one in hypotheses:
        if one.region:
            draw(one.region.corners, _REGION)
    return np.asarray(picture, dtype=np.uint8)
