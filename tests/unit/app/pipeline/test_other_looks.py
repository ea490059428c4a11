"""The ladder and other looks: when it takes them, and what it does with them; parts of files."""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

import numpy as np
import pytest

from app.pipeline.climb import Climb
from app.pipeline.imaging import Colours, GreyImage
from app.pipeline.ladder import COLOURS, Ladder
from app.pipeline.part import Part
from app.pipeline.results import Effort, Reason, View
from app.workers.jobs import DecodeJob, FuseJob, Pipeline, RestoreJob
from tests.support.bench import FIRST, OTHER_PLACE, PLACE, SECOND, bench, broken_picture, stages, texts
from tests.support.codes import photograph, qr_picture
from tests.support.colours import BLACK, PAIRS, PALE, WHITE, coloured, file, on_nothing, taken

BLANK = np.full((240, 270), 255, np.uint8)
CODE = photograph(FIRST, PLACE, BLANK.shape)


class Looks:
    """Other looks, on black and then of colours, that count how many were taken."""

    def __init__(self, *pictures: GreyImage, coloured: Sequence[GreyImage] = ()) -> None:
        self.pictures, self.coloured = pictures, coloured
        self.taken: list[Colours] = []

    def __call__(self, *, colours: Colours) -> Iterator[GreyImage]:
        for picture in (*self.pictures, *(self.coloured if colours is Colours.ALL else ())):
            self.taken.append(colours)
            yield picture


@pytest.mark.parametrize("effort", list(Effort))
def test_of_a_picture_that_reads_the_colours_are_not_looked_at(effort: Effort) -> None:
    looks = Looks(coloured=[CODE])
    outcome = bench().ladder().run(CODE, effort=effort, look_again=looks)
    assert texts(outcome) == ["the first truth"]
    assert looks.taken == []


@pytest.mark.parametrize("effort", list(Effort))
def test_a_picture_that_reads_is_read_on_black_as_well_unless_the_effort_is_fast(effort: Effort) -> None:
    left, right = photograph(FIRST, PLACE, (250, 500)), photograph(SECOND, OTHER_PLACE, (250, 500))
    looks = Looks(right, coloured=[right])
    outcome = bench().ladder().run(left, effort=effort, look_again=looks)
    assert texts(outcome) == ["the first truth", "the other truth"][: 1 + len(looks.taken)]
    assert looks.taken == ([] if effort is Effort.FAST else [Colours.SQUARES])


@pytest.mark.parametrize("effort", list(Effort))
def test_where_nothing_reads_other_looks_are_read_up_to_the_first_that_does(effort: Effort) -> None:
    looks = Looks(BLANK, CODE, CODE)
    outcome = bench().ladder().run(BLANK, effort=effort, look_again=looks)
    assert texts(outcome) == ["the first truth"]
    assert looks.taken == [Colours.NONE if effort is Effort.FAST else Colours.ALL] * 2
    assert "colours" in stages(outcome)
    assert outcome.unread == ()


@pytest.mark.parametrize(("picture", "share"), [(broken_picture(), 0.5), (BLANK, 1.0)])
def test_a_look_leaves_time_for_the_last_rungs_where_there_are_places(
    picture: GreyImage, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets: list[float] = []
    climb = Ladder.climb

    def remember(ladder: Ladder, image: GreyImage, **options: Any) -> Climb:
        budgets.append(options["budget"])
        return climb(ladder, image, **options)

    monkeypatch.setattr(Ladder, "climb", remember)
    made = bench()
    if picture is BLANK:
        made.windows.quads = ()
    made.ladder().run(picture, effort=Effort.BALANCED, budget=600.0, look_again=Looks(BLANK))
    assert budgets == [600.0, pytest.approx(600 * share, abs=60)]


def test_a_code_that_was_seen_but_not_read_is_looked_for_in_them() -> None:
    looks = Looks(CODE)
    made = bench()
    assert [one.reason for one in made.run(broken_picture()).unread] == [Reason.UNREADABLE]
    outcome = made.ladder().run(broken_picture(), effort=Effort.BALANCED, look_again=looks)
    assert texts(outcome) == ["the first truth"]
    assert outcome.unread == ()


def test_codes_that_are_only_seen_in_them_are_told() -> None:
    outcome = bench().ladder().run(BLANK, effort=Effort.BALANCED, look_again=Looks(broken_picture()))
    assert [one.reason for one in outcome.unread] == [Reason.UNREADABLE]


def test_they_keep_the_budget_and_the_expected_number() -> None:
    late = Looks(CODE)
    outcome = bench().ladder().run(BLANK, effort=Effort.BALANCED, budget=1e-9, look_again=late)
    assert (outcome.codes, outcome.complete, late.taken) == ((), False, [])
    looks = Looks(CODE, photograph(SECOND, PLACE, BLANK.shape))
    outcome = bench().ladder().run(BLANK, effort=Effort.THOROUGH, expect=1, look_again=looks)
    assert (len(outcome.codes), len(looks.taken)) == (1, 1)


def test_restoring_takes_the_look_that_reads() -> None:
    ladder = bench().ladder()
    assert ladder.restore(CODE, look_again=Looks()).network == "modules"
    restoration = ladder.restore(BLANK, look_again=Looks(BLANK, CODE))
    assert restoration.network == "modules"
    assert [found.symbol.text for found in restoration.outcome.codes] == ["the first truth"]
    assert ladder.restore(BLANK, look_again=Looks(BLANK), budget=inf).outcome.codes == ()


PIPELINE = Pipeline(ladder=bench().ladder(), max_pixels=1_000_000)


@pytest.mark.parametrize("effort", list(Effort))
def test_files_on_transparent_paper_are_read_at_every_effort(effort: Effort) -> None:
    outcome = PIPELINE.do(DecodeJob(file(on_nothing("light", WHITE)), effort))
    assert texts(outcome) == ["light"]


def test_black_and_white_codes_on_transparent_paper_are_both_read() -> None:
    data = file(np.hstack([on_nothing("black ink", BLACK), on_nothing("white ink", WHITE)]))
    assert texts(PIPELINE.do(DecodeJob(data, Effort.BALANCED))) == ["black ink", "white ink"]


def test_files_of_hidden_colours_are_read_and_restored_alone_and_as_frames() -> None:
    data = file(coloured("hidden", *PAIRS["green on red"]))
    assert texts(PIPELINE.do(DecodeJob(data, Effort.BALANCED))) == ["hidden"]
    assert texts(PIPELINE.do(DecodeJob(data, Effort.FAST))) == []
    assert texts(PIPELINE.do(FuseJob((file(BLANK), data), Effort.BALANCED))) == ["hidden"]
    restored = PIPELINE.do(RestoreJob(data, network="auto", scale=1, binary=False, view=View.STRAIGHTENED))
    assert [found.symbol.text for found in restored.outcome.codes] == ["hidden"]


@pytest.mark.parametrize("name", ["green on red", "red on green", "blue on brown"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_code_of_hidden_colours_is_read_beside_one_that_grey_shows(name: str, suffix: str) -> None:
    black, hidden = coloured("black", BLACK, WHITE), coloured("hidden", *PAIRS[name])
    data = file(np.hstack([black, np.full_like(black, 255), hidden]), suffix)
    assert texts(PIPELINE.do(DecodeJob(data, Effort.FAST))) == ["black"]
    assert texts(PIPELINE.do(DecodeJob(data, Effort.BALANCED, expect=1))) == ["black"]
    assert sorted(texts(PIPELINE.do(DecodeJob(data, Effort.BALANCED)))) == ["black", "hidden"]


def test_a_picture_of_plain_codes_is_not_looked_at_again() -> None:
    data = file(np.hstack([coloured(text, (90, 0, 0), WHITE) for text in ("first", "second")]))
    outcome = PIPELINE.do(DecodeJob(data, Effort.BALANCED))
    assert sorted(texts(outcome)) == ["first", "second"]
    assert [stage.codes for stage in outcome.trace if stage.stage == COLOURS] == [0]


@pytest.mark.parametrize("name", PALE)
def test_photographs_of_pale_finder_patterns_are_read(name: str) -> None:
    picture = coloured("pale", BLACK, WHITE, finders=PALE[name], scale=8)
    assert texts(PIPELINE.do(DecodeJob(file(taken(picture)), Effort.BALANCED))) == ["pale"]


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_small_codes_on_transparent_paper_are_read(scale: int) -> None:
    data = file(on_nothing("light", WHITE, scale=scale))
    assert texts(PIPELINE.do(DecodeJob(data, Effort.BALANCED))) == ["light"]


def test_a_part_of_a_file_is_read_alone() -> None:
    left, right = (qr_picture(text) for text in ("on the left", "on the right"))
    width = left.shape[1]
    data = file(np.hstack([left, right]))
    part = Part(width, 0, right.shape[1], right.shape[0])
    outcome = PIPELINE.do(DecodeJob(data, Effort.BALANCED, part=part))
    assert texts(outcome) == ["on the right"]
    assert (outcome.width, outcome.height) == (width + right.shape[1], len(left))
    assert outcome.codes[0].symbol.corners.bounds[0] == pytest.approx(width + 24, abs=2)
    (half,) = PIPELINE.do(FuseJob((data,), Effort.BALANCED, part=Part(0.5, 0, 0.5, 1, shared=True))).codes
    assert half.symbol.corners.bounds[0] == pytest.approx(width + 24, abs=2)


def test_a_part_is_restored_alone_and_stays_in_its_picture() -> None:
    left, right = (qr_picture(text) for text in ("on the left", "on the right"))
    width = left.shape[1]
    data = file(np.hstack([left, right]))
    part = Part(width, 0, right.shape[1], right.shape[0])
    job = RestoreJob(data, network="auto", scale=1, binary=False, view=View.ORIGINAL, part=part)
    restored = PIPELINE.do(job)
    assert (restored.width, restored.height) == (width + right.shape[1], len(left))
    assert [found.symbol.text for found in restored.outcome.codes] == ["on the right"]
    straight = PIPELINE.do(RestoreJob(data, network="auto", scale=1, binary=False, view=View.STRAIGHTENED, part=part))
    assert straight.width < width
