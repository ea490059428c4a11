"""Several pictures of one thing: what the ladder answers of all of them together."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.pipeline.climb import Climb
from app.pipeline.fusing import FUSED, read_fused
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import LogOdds
from app.pipeline.inference.window_locator import Levels
from app.pipeline.ladder import Ladder
from app.pipeline.locating.candidates import Candidate
from app.pipeline.place import Place
from app.pipeline.results import Effort, Reason
from app.pipeline.rungs import RUNGS
from tests.support.bench import (
    BROKEN,
    FIRST,
    NEVER,
    OTHER_PLACE,
    PLACE,
    SECOND,
    bench,
    broken_pair,
    broken_picture,
    stages,
    texts,
    without_a_core,
)
from tests.support.codes import photograph, scrambled, square_at
from tests.support.fakes import FakeWindows, blank_reading
from tests.support.frames import FULL, PLACES, evidence, frame_reading

# --- on the ladder --------------------------------------------------------------------------------------------------


def doubtful(clarity: float) -> Callable[[GreyImage, int], LogOdds]:
    """A reader that gets other modules of ``FULL`` wrong at every call."""
    seeds = iter(range(10_000))

    def read(crop: GreyImage, version: int) -> LogOdds:
        return evidence(FULL, clarity, seed=next(seeds)) if version == 2 else blank_reading(crop, version)

    return read


def frames(count: int) -> list[GreyImage]:
    """Each shows a code at its own place; only its function patterns are right."""
    return [photograph(scrambled(FULL, seed=1), PLACES[index], (230, 280)) for index in range(count)]


def fusing_ladder(clarity: float, count: int, max_codes: int = 4) -> Ladder:
    made = bench(NEVER)
    made.reader.answer = doubtful(clarity)
    return Ladder(tools=replace(made.tools, windows=Knowing(count)), max_codes=max_codes)  # type: ignore[arg-type]


class Knowing(FakeWindows):
    """A quad locator that knows the place of each of ``count`` frames."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.frames = frames(count)

    def glance(self, levels: Levels, size: int, **options: Any) -> list[Candidate]:
        height, width = self.frames[0].shape
        seen = levels.image[:height, :width].astype(int)
        closest = min(range(len(self.frames)), key=lambda index: float(np.abs(seen - self.frames[index]).sum()))
        self.quads = [PLACES[closest]]
        return super().glance(levels, size, **options)


@pytest.mark.parametrize("effort", [Effort.BALANCED, Effort.THOROUGH])
def test_frames_that_do_not_read_are_fused(effort: Effort) -> None:
    outcome = fusing_ladder(0.9, 5).fuse(frames(5), effort=effort)
    (found,) = outcome.codes
    assert (found.symbol.text, found.rung) == ("https://example.org/fused/9021", FUSED)
    assert np.abs(np.array(found.symbol.corners) - PLACES[found.frame]).max() < 1.0
    assert stages(outcome)[-1] == FUSED
    assert outcome.trace[-1].codes == 1
    assert stages(outcome).count("direct") == 1  # all frames added up
    assert found.frame not in {one.frame for one in outcome.unread}
    assert FUSED not in RUNGS
    assert (outcome.width, outcome.height) == (280, 230)


def test_one_frame_alone_is_not_fused() -> None:
    outcome = fusing_ladder(0.9, 1).fuse(frames(1), effort=Effort.THOROUGH)
    assert outcome.codes == ()
    assert FUSED not in stages(outcome)


def test_fast_frames_are_not_fused() -> None:
    outcome = fusing_ladder(0.9, 5).fuse(frames(5), effort=Effort.FAST)
    assert outcome.codes == ()
    assert stages(outcome) == ["direct"]
    assert outcome.unread == ()


def test_each_payload_is_answered_once_from_the_lowest_rung() -> None:
    pictures = [
        broken_picture(),
        photograph(without_a_core(FIRST), PLACE, (240, 270)),
        photograph(FIRST, PLACE, (250, 500), paper=photograph(SECOND, OTHER_PLACE, (250, 500))),
        photograph(FIRST, PLACE, (240, 270)),
    ]
    outcome = bench().ladder().fuse(pictures, effort=Effort.BALANCED)
    assert {(found.symbol.text, found.rung, found.frame) for found in outcome.codes} == {
        ("the first truth", "direct", 2),
        ("the other truth", "direct", 2),
    }
    assert FUSED not in stages(outcome)
    again = bench().ladder().fuse(pictures[:2], effort=Effort.BALANCED)
    assert [(found.rung, found.frame) for found in again.codes] == [("rectified", 1)]


def test_codes_of_all_frames_are_bounded_together() -> None:
    pictures = [photograph(modules, PLACE, (240, 270)) for modules in (FIRST, SECOND)]
    cut = bench().ladder(max_codes=1).fuse(pictures, effort=Effort.BALANCED)
    assert (texts(cut), cut.truncated) == (["the first truth"], True)


def test_thorough_frames_are_fused_for_what_none_of_them_read() -> None:
    """The code that every frame reads is not fused."""
    clear = square_at(300.0, 60.0, 125.0)
    pictures = [
        photograph(FIRST, clear, (250, 460), paper=np.pad(one, ((0, 20), (0, 180)), constant_values=220))
        for one in frames(4)
    ]
    outcome = fusing_ladder(0.9, 4).fuse(pictures, effort=Effort.THOROUGH)
    assert [(found.symbol.text, found.rung) for found in outcome.codes] == [
        ("the first truth", "direct"),
        ("https://example.org/fused/9021", FUSED),
    ]
    assert texts(fusing_ladder(0.9, 2).fuse(pictures[:2], effort=Effort.BALANCED)) == ["the first truth"]


def test_a_place_that_was_read_is_not_fused_again() -> None:
    """Two readings of every frame make two sums; the second is of a place that the first has read."""
    climbs = []
    for frame in range(4):
        climb = Climb(frames(1)[0], Effort.BALANCED, bench().tools)
        for i in range(2):
            reading = frame_reading(frame, evidence(FULL, 1.3, seed=10 * frame + i)).reading
            candidate = Candidate(reading.region.corners, 25, 1.0)
            climb.places.append(Place(candidate, [reading.region], [reading]))
        climbs.append(climb)
    assert len(read_fused(climbs)) == 1


# --- unread and budget ----------------------------------------------------------------------------------------------


def test_codes_that_no_frame_read_are_told_with_the_number_of_their_frame() -> None:
    blank = np.full((240, 270), 220, np.uint8)
    outcome = bench(NEVER).ladder().fuse([blank, broken_picture()], effort=Effort.BALANCED)
    (unread,) = outcome.unread
    assert (unread.frame, unread.reason, unread.version) == (1, Reason.UNREADABLE, 2)
    assert np.abs(np.asarray(unread.corners) - PLACE).max() < 1.0
    assert outcome.complete


def test_what_another_frame_may_have_read_is_not_told() -> None:
    """In the first frame one code is read and the other is not; the second frame shows both broken, of one version."""
    half = photograph(FIRST, OTHER_PLACE, (250, 500), paper=photograph(BROKEN[0], PLACE, (250, 500)))
    outcome = bench(NEVER, PLACE, OTHER_PLACE).ladder().fuse([half, broken_pair()], effort=Effort.BALANCED)
    assert [(found.symbol.text, found.frame) for found in outcome.codes] == [("the first truth", 0)]
    told = sorted((one.frame, one.corners.centre[0] > 230) for one in outcome.unread)
    assert told == [(0, False)]


def test_frames_share_one_budget() -> None:
    """Each frame is looked at directly; for more there is no time."""
    pictures = [broken_picture(), photograph(FIRST, PLACE, (240, 270)), broken_picture()]
    made = bench(NEVER)
    outcome = made.ladder().fuse(pictures, effort=Effort.BALANCED, budget=0.0)
    assert [(found.symbol.text, found.frame) for found in outcome.codes] == [("the first truth", 1)]
    assert not outcome.complete
    assert made.windows.sizes == []


def test_what_is_expected_of_each_frame_ends_its_search() -> None:
    made = bench(NEVER)
    pictures = [photograph(modules, PLACE, (240, 270)) for modules in (FIRST, SECOND)]
    outcome = made.ladder().fuse(pictures, effort=Effort.BALANCED, expect=1)
    assert sorted(texts(outcome)) == ["the first truth", "the other truth"]
    assert made.windows.sizes == []
    assert outcome.complete
