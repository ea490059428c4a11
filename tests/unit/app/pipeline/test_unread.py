"""What an answer says of codes that were seen but not read, and of the time that it took."""

from collections.abc import Callable
from dataclasses import replace
from math import inf

import cv2
import numpy as np
import pytest

from app.pipeline import climb as climb_module
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import LogOdds
from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort, Outcome, Reason
from tests.support.bench import (
    BROKEN,
    FIRST,
    NEVER,
    OTHER_PLACE,
    PLACE,
    bench,
    broken_pair,
    broken_picture,
    shipped_ladder,
    stages,
    texts,
    true_reading,
)
from tests.support.codes import encode, photograph, scrambled, square_at
from tests.support.fakes import FakeWindows, blank_reading
from tests.support.scenes import labels, sheet


def read(picture: GreyImage, **more: object) -> Outcome:
    return shipped_ladder().run(picture, effort=Effort.BALANCED, **more)  # type: ignore[arg-type]


# --- reasons --------------------------------------------------------------------------------------------------------


def test_a_code_without_its_data_is_unreadable() -> None:
    """Its finder, timing and alignment patterns are intact."""
    outcome = read(broken_picture())
    (unread,) = outcome.unread
    assert (unread.reason, unread.version, unread.frame) == (Reason.UNREADABLE, 2, 0)
    assert unread.module_pixels == pytest.approx(5, abs=0.1)
    assert unread.confidence > 0.9
    assert np.abs(np.asarray(unread.corners) - PLACE).max() < 1.0
    assert (outcome.codes, outcome.complete) == ((), True)


@pytest.mark.parametrize("module", [1.0, 1.2, 1.4])
def test_a_code_of_tiny_modules_is_too_small(module: float) -> None:
    picture = photograph(scrambled(encode("tiny", version=5)), square_at(100, 90, 37 * module), (300, 300))
    (unread,) = read(picture).unread
    assert (unread.reason, unread.version) == (Reason.TOO_SMALL, 5)
    assert unread.module_pixels == pytest.approx(module, abs=0.1)


@pytest.mark.parametrize("lost", [20, 40])
def test_a_code_at_the_edge_of_the_picture_is_cut_off(lost: int) -> None:
    """Of 125 pixels; more than error correction of level L makes up for."""
    right = int(PLACE[:, 0].max())
    whole = photograph(encode("the first truth", version=2, error="l"), PLACE, (240, 270))
    (unread,) = read(np.ascontiguousarray(whole[:, : right - lost])).unread
    assert (unread.reason, unread.version) == (Reason.CUT_OFF, 2)
    assert unread.corners.bounds[2] > right - lost + 2.5


def test_a_code_without_its_quiet_zone_is_not_cut_off() -> None:
    right = int(PLACE[:, 0].max())
    (unread,) = read(np.ascontiguousarray(broken_picture()[:, : right + 1])).unread
    assert unread.reason == Reason.UNREADABLE


def test_the_first_reason_that_applies_is_told() -> None:
    """Cut off and tiny: no part that is missing would help."""
    tiny = photograph(scrambled(encode("tiny", version=5)), square_at(100, 90, 44.0), (300, 300))
    (unread,) = read(np.ascontiguousarray(tiny[:, :140])).unread
    assert unread.reason == Reason.TOO_SMALL


# --- which codes are told -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effort", list(Effort))
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_nothing_is_told_of_pictures_without_a_code(effort: Effort, seed: int | None) -> None:
    picture = np.full((300, 400), 240, np.uint8)
    if seed is not None:
        picture = np.random.default_rng(seed).integers(0, 256, picture.shape, dtype=np.uint8)
    outcome = shipped_ladder().run(picture, effort=effort)
    assert (outcome.codes, outcome.unread, outcome.complete) == ((), (), True)


def test_the_most_credible_come_first() -> None:
    picture = broken_pair()
    grain = np.random.default_rng(0).normal(0, 200, (250, 230))
    picture[:, :230] = np.clip(picture[:, :230] + grain, 0, 255).astype(np.uint8)
    first, second = read(picture).unread
    assert first.confidence > second.confidence + 0.02
    assert first.corners.contains((OTHER_PLACE.mean(axis=0)[0], OTHER_PLACE.mean(axis=0)[1]))


def test_there_are_at_most_as_many_as_codes_in_an_answer() -> None:
    for most in (2, 1):
        assert len(bench(NEVER, PLACE, OTHER_PLACE).run(broken_pair(), max_codes=most).unread) == most


def test_a_code_that_was_read_is_not_told() -> None:
    picture = photograph(FIRST, OTHER_PLACE, (250, 500), paper=photograph(BROKEN[0], PLACE, (250, 500)))
    outcome = read(picture)
    assert texts(outcome) == ["the first truth"]
    (unread,) = outcome.unread
    assert unread.corners.centre[0] < 230


# --- budget ---------------------------------------------------------------------------------------------------------


class Clock:
    """Stands still until ``time`` is set."""

    def __init__(self) -> None:
        self.time = climb_module.monotonic()

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(climb_module, "monotonic", made)
    return made


def late(clock: Clock, answer: Callable[[GreyImage, int], LogOdds] = blank_reading) -> object:
    """A module reader that takes an hour for the right version."""

    def read(crop: GreyImage, version: int) -> LogOdds:
        clock.time += 3600 if version == 2 else 0
        return answer(crop, version)

    return read


def test_codes_for_which_no_time_was_left_are_told_so(clock: Clock) -> None:
    """Both places wait for the rungs after the one during which the budget ends."""
    made = bench(NEVER, PLACE, OTHER_PLACE)
    made.reader.answer = late(clock)  # type: ignore[assignment]
    outcome = made.ladder().run(broken_pair(), effort=Effort.BALANCED, budget=60)
    assert [one.reason for one in outcome.unread] == [Reason.BUDGET] * 2
    assert not outcome.complete
    assert [version for version, _ in made.reader.calls].count(2) == 1
    assert not {"flattened", "light", "heavy"} & set(stages(outcome))


def test_what_was_read_before_the_budget_ended_is_answered(clock: Clock) -> None:
    made = bench(NEVER, PLACE, OTHER_PLACE)
    made.reader.answer = late(clock, true_reading)  # type: ignore[assignment]
    outcome = made.ladder().run(broken_pair(), effort=Effort.BALANCED, budget=60)
    assert len(outcome.codes) == 1
    (unread,) = outcome.unread
    assert (unread.reason, outcome.complete) == (Reason.BUDGET, False)


def test_an_answer_within_its_budget_is_complete(clock: Clock) -> None:
    outcome = bench(NEVER, PLACE, OTHER_PLACE).ladder().run(broken_pair(), effort=Effort.BALANCED, budget=60)
    assert outcome.complete
    assert [one.reason for one in outcome.unread] == [Reason.UNREADABLE] * 2


def test_without_any_time_the_direct_look_is_answered() -> None:
    picture = photograph(FIRST, OTHER_PLACE, (250, 500), paper=photograph(BROKEN[0], PLACE, (250, 500)))
    outcome = read(picture, budget=0.0)
    assert texts(outcome) == ["the first truth"]
    assert (stages(outcome), outcome.complete) == (["direct"], False)
    assert read(np.full((300, 400), 240, np.uint8), budget=0.0).complete is False


def test_a_fast_answer_is_always_complete() -> None:
    assert shipped_ladder().run(broken_pair(), effort=Effort.FAST, budget=0.0).complete


# --- expect ---------------------------------------------------------------------------------------------------------


def test_as_many_codes_as_expected_end_the_search() -> None:
    made = bench(NEVER, PLACE, OTHER_PLACE)
    picture = photograph(FIRST, OTHER_PLACE, (250, 500), paper=photograph(BROKEN[0], PLACE, (250, 500)))
    outcome = made.ladder().run(picture, effort=Effort.BALANCED, expect=1)
    assert texts(outcome) == ["the first truth"]
    assert (stages(outcome), made.windows.sizes) == (["direct"], [])
    assert (outcome.complete, outcome.unread) == (True, ())


def test_a_place_that_was_not_tried_is_no_budget_problem() -> None:
    """One code was expected, so the second place was left out, not for want of time."""
    made = bench(NEVER, PLACE, OTHER_PLACE)
    made.reader.answer = true_reading
    outcome = made.ladder().run(broken_pair(), effort=Effort.BALANCED, expect=1)
    assert len(outcome.codes) == 1
    assert outcome.complete
    assert all(one.reason != Reason.BUDGET for one in outcome.unread)


@pytest.mark.parametrize("expect", [2, 3, 99])
def test_more_codes_than_there_are_change_nothing(expect: int) -> None:
    made, again = bench(NEVER, PLACE, OTHER_PLACE), bench(NEVER, PLACE, OTHER_PLACE)
    picture = photograph(FIRST, OTHER_PLACE, (250, 500), paper=photograph(BROKEN[0], PLACE, (250, 500)))
    expecting = made.ladder().run(picture, effort=Effort.BALANCED, expect=expect)
    plain = again.ladder().run(picture, effort=Effort.BALANCED)
    assert (expecting.codes, expecting.unread) == (plain.codes, plain.unread)
    assert stages(expecting) == stages(plain)
    assert made.windows.sizes == again.windows.sizes


def test_expecting_more_than_an_answer_holds_finds_out_whether_there_are_more() -> None:
    outcome = shipped_ladder(max_codes=4).run(sheet(labels(9), 3), effort=Effort.BALANCED, expect=9)
    assert len(outcome.codes) == 4
    assert outcome.truncated


def test_a_sheet_is_searched_to_the_end_though_its_answer_is_full() -> None:
    """Up to one code more than an answer holds: that is enough to know that it is truncated."""
    tools = replace(bench().tools, windows=FakeWindows([PLACE]))  # type: ignore[arg-type]
    outcome = Ladder(tools=tools, max_codes=1).run(broken_picture(), effort=Effort.BALANCED, budget=inf)
    assert not outcome.truncated
    assert cv2.isContourConvex(np.asarray(outcome.unread[0].corners, np.float32))
