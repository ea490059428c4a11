"""A climb: how places are registered, taken up the rungs, and what counts as read."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.climb import LOCATE, Climb, Rung, Survey
from app.pipeline.engines.bounded import run_within
from app.pipeline.engines.symbol import Symbol
from app.pipeline.inference.severity import Route, laplacian_variance
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region
from app.pipeline.place import Place
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import Quad
from app.pipeline.reading import Read
from app.pipeline.results import Effort, Stage
from app.pipeline.rungs import LAST_RUNGS
from tests.support.bench import ALWAYS, BROKEN, NEVER, OTHER_PLACE, PLACE, bench, broken_pair, truth
from tests.support.codes import square_at

NEAR = PLACE + np.array([[4.0, 0.0], [4.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
"""A rival idea of the first place: registration brings it back to where the code is."""
PAPER = square_at(430.0, 190.0, 40.0)
"""A place without anything."""


def climb(*, effort: Effort = Effort.BALANCED, threshold: float = ALWAYS) -> Climb:
    """A climb of a picture with broken codes at ``PLACE`` and ``OTHER_PLACE``."""
    return Climb(broken_pair(), effort, bench(threshold).tools)


def candidates(*quads: NDArray[np.float64], score: float = 0.8) -> list[Candidate]:
    return [Candidate(Quad.of(quad), 25, score) for quad in quads]


def survey(*quads: NDArray[np.float64], score: float = 0.8, is_second: bool = False) -> Survey:
    return Survey("fake", candidates(*quads, score=score), is_second)


def symbol_at(corners: Quad | NDArray[np.float64], text: str = "x") -> Symbol:
    return Symbol(text.encode(), text, "Text", "QRCode", 2, "M", "fake", Quad.of(corners))


def names(places: Sequence[Place]) -> list[str]:
    return ["first" if place.corners.centre[0] < 230 else "other" for place in places]


def rung(
    reads: Callable[[Place], bool], tried: list[tuple[str, str]], name: str = "modules", **more: Callable[..., bool]
) -> Rung:
    """A rung that records which places it tries and reads some of them."""

    def read(_: Climb, place: Place) -> Iterator[Read]:
        tried.append((name, *names([place])))
        if reads(place):
            yield Read(symbol_at(place.corners, name), place.regions[0])

    return Rung(name, read, **more)


def nothing(_: Place) -> bool:
    return False


# --- registering ----------------------------------------------------------------------------------------------------


def test_candidates_become_places_the_most_credible_first() -> None:
    one = climb()
    one.image[:, :230] = 128 + (one.image[:, :230].astype(int) - 128) // 12  # little contrast, and grain
    one.image[:, :230] += np.random.default_rng(0).integers(0, 40, (250, 230), dtype=np.uint8)
    first, second = one.register(survey(PLACE, OTHER_PLACE))
    assert names([first, second]) == ["other", "first"]
    assert first.agreement > second.agreement > 0.3
    assert one.places == [first, second]
    assert np.abs(np.asarray(first.corners) - OTHER_PLACE).max() < 1.0


def test_candidates_without_anything_become_no_places_unless_their_locator_is_sure() -> None:
    one = climb()
    assert one.register(survey(PAPER)) == []
    (place,) = one.register(survey(PAPER, score=0.95))
    assert (place.regions, place.agreement, place.best_reading) == ([], 0.0, None)
    assert place.corners == Quad.of(PAPER)
    assert one.unread == []


def test_places_of_earlier_surveys_are_not_repeated() -> None:
    one = climb()
    assert len(one.register(survey(PLACE, OTHER_PLACE))) == 2
    assert one.register(survey(NEAR, OTHER_PLACE + 1.0)) == []
    (_, hypotheses) = one.surveys[-1]
    assert {each.refusal for each in hypotheses} == {"resembles an earlier region"}


def test_candidates_where_a_code_was_read_are_not_registered() -> None:
    one = climb()
    one.take([Read(symbol_at(PLACE))], "direct")
    assert names(one.register(survey(NEAR, OTHER_PLACE))) == ["other"]
    (_, hypotheses) = one.surveys[-1]
    assert [each.rank for each in hypotheses] == [0, 1]
    assert hypotheses[0].refusal == "lies on a code that was read"


@pytest.mark.parametrize(("effort", "looked_at"), [(Effort.BALANCED, 16), (Effort.THOROUGH, 30)])
def test_after_many_failures_the_worse_candidates_of_a_survey_are_left(effort: Effort, looked_at: int) -> None:
    one = climb(effort=effort)
    one.register(survey(*[PAPER] * 29, PLACE))
    (_, hypotheses) = one.surveys[-1]
    assert len({each.rank for each in hypotheses}) == looked_at
    assert len(one.places) == (1 if looked_at == 30 else 0)


def test_a_credible_candidate_keeps_the_survey_going() -> None:
    one = climb()
    one.register(survey(*[PAPER] * 14, PLACE, *[PAPER] * 14, OTHER_PLACE))
    assert sorted(names(one.places)) == ["first", "other"]


def test_a_second_survey_is_registered_patiently() -> None:
    """Its candidates are few and promising: corners may be farther off."""
    off = PLACE + np.random.default_rng(28).normal(0, 15, (4, 2))
    hasty, patient = climb(), climb()
    hasty.register(survey(off))
    patient.register(survey(off, is_second=True))
    assert max((place.agreement for place in hasty.places), default=0.0) < 0.9
    assert patient.places[0].agreement > 0.9


# --- what was read --------------------------------------------------------------------------------------------------


def test_a_place_is_found_once_whichever_rungs_read_it() -> None:
    one = climb()
    one.take([Read(symbol_at(PLACE, "a")), Read(symbol_at(PLACE + 3.0, "b"))], "direct")
    new = one.take([Read(symbol_at(PLACE, "c")), Read(symbol_at(OTHER_PLACE, "d"))], "variants")
    assert [read.symbol.text for read in new] == ["d"]
    assert [(found.symbol.text, found.rung) for found in one.found] == [("a", "direct"), ("d", "variants")]
    assert [(line.stage, line.codes) for line in one.outcome().trace] == [("direct", 1), ("variants", 1)]


def test_codes_that_barely_overlap_are_two_unless_their_payloads_are_equal() -> None:
    one = climb()
    one.take([Read(symbol_at(PLACE, "a"))], "direct")
    beside = PLACE + np.array([110.0, 0.0])
    assert one.knows(symbol_at(beside, "a"))
    assert not one.knows(symbol_at(beside, "b"))
    assert not one.knows(symbol_at(PLACE + np.array([130.0, 0.0]), "a"))


def test_a_code_inside_another_is_one_of_its_own() -> None:
    one = climb()
    one.take([Read(symbol_at(PLACE, "outer"))], "direct")
    assert not one.knows(symbol_at(square_at(110.0, 95.0, 40.0), "inner"))


def test_a_place_made_of_parts_of_codes_that_were_read_holds_none() -> None:
    one = climb()
    left, right = square_at(50, 50, 100), square_at(170, 50, 100)
    one.take([Read(symbol_at(left, "a")), Read(symbol_at(right, "b"))], "direct")
    bridge = Quad.of(square_at(110, 50, 100))  # its left finder patterns in one code, its right ones in the other
    assert one.holds(bridge)
    assert not one.covers(bridge)
    assert one.holds(Quad.of(square_at(60, 60, 40)))  # inside a code
    assert not one.holds(Quad.of(square_at(50, 170, 100)))
    assert not one.holds(Quad.of(square_at(110, 140, 100)))  # it has a corner of each


def test_a_larger_code_around_one_that_was_read_is_a_place_of_its_own() -> None:
    one = climb()
    one.take([Read(symbol_at(square_at(110, 95, 40)))], "direct")
    assert not one.holds(Quad.of(PLACE))
    assert not one.covers(Quad.of(PLACE))


def test_more_codes_than_an_answer_holds_are_cut_off_and_reported() -> None:
    one = climb()
    one.take([Read(symbol_at(PLACE, "a")), Read(symbol_at(OTHER_PLACE, "d"))], "direct")
    one.max_codes = 1
    assert [found.symbol.text for found in one.outcome().codes] == ["a"]
    assert one.outcome().truncated
    assert one.is_over
    one.max_codes = 2
    assert not one.outcome().truncated
    assert not one.is_over


# --- climbing -------------------------------------------------------------------------------------------------------


def test_what_is_cheap_is_tried_on_all_places_before_what_is_dear_on_any() -> None:
    one, tried = climb(), []
    places = one.register(survey(PLACE, OTHER_PLACE))
    assert list(one.ascend(places, [rung(nothing, tried, "rectified"), rung(nothing, tried, "modules")])) == []
    assert [name for name, _ in tried] == ["rectified", "rectified", "modules", "modules"]


def test_a_place_that_was_read_climbs_no_further_and_the_others_do() -> None:
    one, tried = climb(), []
    places = one.register(survey(PLACE, OTHER_PLACE))
    rungs = [rung(lambda place: names([place]) == ["first"], tried, "rectified"), rung(nothing, tried, "modules")]
    (read,) = one.ascend(places, rungs)
    assert read.symbol.text == "rectified"
    assert tried[2:] == [("modules", "other")]


def test_a_rung_is_spared_where_it_is_not_worth_its_time() -> None:
    one, tried = climb(), []
    places = one.register(survey(PLACE, OTHER_PLACE))
    picky = rung(nothing, tried, is_worth=lambda _, place: names([place]) == ["other"])
    assert list(one.ascend(places, [picky])) == []
    assert tried == [("modules", "other")]


def test_a_rung_that_reads_nothing_of_place_after_place_is_left_unless_the_effort_is_thorough() -> None:
    one, tried = climb(), []
    first, other = one.register(survey(PLACE, OTHER_PLACE))
    reads_other = rung(lambda place: names([place]) == ["other"], tried, "light")
    rungs = [reads_other, rung(nothing, tried, "heavy")]
    assert len(list(one.ascend([first, other, first, first, first], rungs, patience=2))) == 1
    assert [place for name, place in tried if name == "light"] == ["first", "other", "first", "first"]
    assert [place for name, place in tried if name == "heavy"] == ["first", "first"]
    one.effort = Effort.THOROUGH
    assert list(one.ascend([first] * 5, rungs[1:], patience=2)) == []
    assert len(tried) == 4 + 2 + 5


def test_the_places_of_a_survey_climb_before_the_next_survey_is_made() -> None:
    one, tried = climb(), []

    def surveys() -> Iterator[Survey]:
        yield survey(PLACE)
        assert tried == [("modules", "first")]
        yield survey(OTHER_PLACE)
        assert tried[1:] == [("modules", "other")]

    assert len(list(one.survey(surveys(), [rung(lambda _: True, tried)]))) == 2


def test_slow_rungs_are_due_after_a_second_survey_on_all_that_is_still_unread() -> None:
    one, tried = climb(), []
    quick = rung(lambda place: names([place]) == ["first"], tried, "modules")
    slow = rung(nothing, tried, "variants")
    looks = [survey(PLACE, OTHER_PLACE), survey(is_second=True), survey(is_second=True)]
    for _ in one.survey(looks, [quick], [slow]):
        pass
    assert [each for each in tried if each[0] == "variants"] == [("variants", "other")]  # once, and not what was read
    assert not any(place.pending for place in one.places)


def test_enough_codes_end_the_climb() -> None:
    one, tried = climb(), []
    one.expect = 1
    looks = [survey(PLACE, OTHER_PLACE), survey(is_second=True)]
    assert len(list(one.survey(looks, [rung(lambda _: True, tried)]))) == 1
    assert (len(tried), len(one.surveys)) == (1, 1)
    assert one.is_complete


def test_seconds_and_codes_are_counted_for_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([100.0, 103.0, 110.0, 117.0, 120.0, 120.5])
    monkeypatch.setattr("app.pipeline.climb.perf_counter", lambda: next(ticks))
    one = climb()
    for _ in one.survey([survey(PLACE)], [rung(lambda _: True, [])]):
        pass
    with one.timed(LOCATE):
        pass
    assert one.outcome().trace == (Stage(LOCATE, 3.5, 0), Stage("modules", 7.0, 1))


# --- routes and networks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threshold", "network"), [(ALWAYS, "quick"), (NEVER, "slow")])
def test_the_blur_of_the_crop_decides_the_route(threshold: float, network: str) -> None:
    one = climb(threshold=threshold)
    (place,) = one.register(survey(PLACE))
    (region,) = place.regions
    assert one.route_of(region) == Route(laplacian_variance(region.crop), threshold, network)


def test_the_stated_route_is_that_of_the_region_that_was_read_or_the_first() -> None:
    made = bench(NEVER)
    one = Climb(broken_pair(), Effort.BALANCED, made.tools)
    places = one.register(survey(PLACE, OTHER_PLACE))
    heavy = next(each for each in LAST_RUNGS if each.name == "heavy")
    assert list(one.ascend(places, [heavy])) == []
    assert one.route == one.route_of(places[0].regions[0])
    calls = iter(["still broken", "read"])
    made.heavy.answer = lambda crop: truth(crop) if next(calls) == "read" else crop
    (read,) = one.ascend(places, [heavy])
    assert read.region is places[1].regions[0]
    assert one.route == one.route_of(read.region)
    assert made.heavy.calls == [(132, 132)] * 4
    assert made.light.calls == []


def test_regions_where_a_code_was_found_are_left_out() -> None:
    one = climb()
    places = one.register(survey(PLACE, OTHER_PLACE))
    rival = replace(places[0].regions[0], registration=replace(places[0].regions[0].registration, version=3))
    places[0].regions.append(rival)
    assert len(list(one.regions(places))) == 3
    one.take([Read(symbol_at(places[0].corners))], "modules")
    left: list[Region] = list(one.regions(places))
    assert left == places[1].regions
    assert np.array_equal(left[0].crop.shape, render(BROKEN[0], pixels=4).shape)


# --- scans ----------------------------------------------------------------------------------------------------------


def test_a_scan_gets_half_of_the_time_left_and_then_the_climb_goes_on_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, granted = threading.Event(), list[float]()

    def impatient(seconds: float, call: Callable[[], Any]) -> Any:
        granted.append(seconds)
        return run_within(0.1, call)

    monkeypatch.setattr("app.pipeline.climb.run_within", impatient)
    patient = Climb(np.zeros((600, 600), np.uint8), Effort.BALANCED, bench(ALWAYS).tools, budget=60)
    assert patient.scan(lambda _: gate.wait(60), patient.image) is None
    assert 20 < granted[0] <= 30
    assert (patient.is_complete, patient.is_over) == (False, False)
    gate.set()


@pytest.mark.parametrize(("side", "budget"), [(600, inf), (600, 60.0), (100, 0.0)])
def test_scans_that_end_in_time_or_need_no_bound_leave_nothing_out(side: int, budget: float) -> None:
    quick = Climb(np.zeros((side, side), np.uint8), Effort.BALANCED, bench(ALWAYS).tools, budget=budget)
    assert quick.scan(lambda picture: picture.size, quick.image) == side * side
    assert quick.is_complete
