"""What an inspection says of the ladder's rungs, for reads from a place and from around it."""

import pytest

from app.cli.inspection_ladder import Climbed
from app.pipeline.climb import Climb, Survey
from app.pipeline.locating.candidates import Candidate
from app.pipeline.place import Place
from app.pipeline.quad import Quad
from app.pipeline.results import Effort, Found, Stage
from app.pipeline.rungs import DIRECT, RUNGS
from tests.support.bench import FIRST, PLACE, bench, broken_picture
from tests.support.codes import photograph
from tests.support.fakes import symbol

PLACE_RUNGS = [name for name in RUNGS if name != DIRECT]


def climbed(rung: str, *, is_own: bool, ran: list[str]) -> tuple[Climbed, Place]:
    """A climb in which a place was read by a rung, from its own region or from around it."""
    climb = Climb(broken_picture(), Effort.BALANCED, bench().tools)
    (place,) = climb.register(Survey("one", [Candidate(Quad.of(PLACE), 25, 1.0)]))
    if RUNGS.index(rung) >= RUNGS.index("modules"):
        climb.read_modules_of(place, place.regions[0])
    corners = place.corners if is_own else Quad.of(PLACE + 1)
    climb.found.append(Found(symbol("read").at(corners), rung))
    climb.stages.update({name: Stage(name, 0.1, 0) for name in ran})
    return Climbed(climb), place


def done(seen: Climbed, place: Place) -> dict[str, str]:
    return {rung.name: rung.done for rung in seen.rungs(place)}


@pytest.mark.parametrize("rung", ["rectified", "modules", "soft", "flattened", "light", "heavy"])
def test_rungs_are_tried_up_to_the_one_that_reads(rung: str) -> None:
    seen, place = climbed(rung, is_own=True, ran=[*RUNGS])
    assert seen.result(place) == f"read by {rung}: 'read'"
    order = PLACE_RUNGS.index(rung)
    before, after = PLACE_RUNGS[:order], PLACE_RUNGS[order + 1 :]
    assert list(done(seen, place)) == PLACE_RUNGS
    assert {done(seen, place)[name] for name in before if name not in ("soft", "light")} <= {"tried"}
    assert done(seen, place)[rung] == "read it"
    assert {done(seen, place)[name] for name in after} <= {f"not tried: {rung} read it before"}


def test_it_is_not_known_when_another_place_was_read() -> None:
    seen, place = climbed("modules", is_own=False, ran=[*RUNGS])
    assert seen.result(place) == "read by modules, there or from a place around it: 'read'"
    found = done(seen, place)
    assert found["rectified"] == "tried"
    assert found["modules"] == "read it, there or from a place around it"
    assert found["soft"] == found["variants"] == "tried, unless modules read it before"
    assert found["flattened"] == found["heavy"] == "not tried: modules read it before"  # after all surveys


def test_a_rung_that_ran_nowhere_was_not_tried() -> None:
    seen, place = climbed("modules", is_own=False, ran=["rectified", "modules"])
    assert done(seen, place)["soft"] == "not tried: modules read it before"


def test_a_gate_that_depends_on_the_picture_is_known_by_what_it_kept_away() -> None:
    """The gate of the module reader opens wider once a code was read: what counts is when the place climbed."""
    climb = Climb(broken_picture(), Effort.BALANCED, bench().tools)
    (place,) = climb.register(Survey("one", [Candidate(Quad.of(PLACE), 25, 1.0)]))
    climb.stages["modules"] = Stage("modules", 0.1, 0)
    assert done(Climbed(climb), place)["modules"].startswith("kept away by a gate: agreement 0.9")


def test_readings_prove_that_a_rung_was_tried() -> None:
    climb = Climb(broken_picture(), Effort.BALANCED, bench().tools)
    (place,) = climb.register(Survey("one", [Candidate(Quad.of(PLACE), 25, 1.0)]))
    climb.read_modules_of(place, place.regions[0])
    assert done(Climbed(climb), place)["modules"] == "tried"
    assert done(Climbed(climb), place)["rectified"] == "not tried: the climb ended before"


def test_a_climb_that_ends_early_says_so() -> None:
    climb = bench().ladder().climb(photograph(FIRST, PLACE, (240, 270)), effort=Effort.BALANCED, expect=1)
    seen = Climbed(climb)
    assert seen.is_complete
    assert seen.surveys == 0
    hurried = Climbed(bench().ladder().climb(broken_picture(), effort=Effort.BALANCED, budget=0.0))
    assert not hurried.is_complete
    assert hurried.found == ()


def test_places_of_which_the_climb_learns_later_were_not_seen() -> None:
    climb = Climb(broken_picture(), Effort.BALANCED, bench().tools)
    seen = Climbed(climb)
    (place,) = climb.register(Survey("one", [Candidate(Quad.of(PLACE), 25, 1.0)]))
    assert seen.result(place) == "not seen by the ladder: it did not make this survey"
    assert seen.rungs(place) == ()
