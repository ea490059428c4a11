"""What the encoders in Python say is answered, field by field, whichever engine reads it."""

import pytest

from tests.conformance.cells import PYTHON_ENCODERS, SAYS, draw, faults
from tests.conformance.pictures import take
from tests.conformance.reading import fields, look_once
from tests.conformance.wanted import APPENDS, ECIS, FULL, GS1S, MASKS, MODES, QR, SMALL, VERSIONS, Wanted

GROUPS = {
    "modes": MODES, "ecis": ECIS, "appends": APPENDS, "gs1": GS1S, "full": FULL, "masks": MASKS,
    "versions": VERSIONS, "small": SMALL[::4],
}  # fmt: skip
_MOST_MODULES = 60  # a side: larger symbols take time to draw


@pytest.mark.parametrize("encoder", PYTHON_ENCODERS)
def test_encoders_say_what_they_can(encoder: str) -> None:
    drawn = [sum(draw(encoder, wanted) is not None for wanted in group) for group in (QR, SMALL)]
    assert tuple(drawn) == SAYS[encoder]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("encoder", PYTHON_ENCODERS)
def test_everything_that_is_said_is_answered(encoder: str, group: str) -> None:
    wrong = {}
    for wanted in GROUPS[group]:
        modules = draw(encoder, wanted)
        if modules is not None and max(modules.shape) <= _MOST_MODULES:
            codes = look_once(take(modules, pixels=3).image)
            wrong[wanted.name] = [faults(code, encoder, wanted, modules) for code in codes]
    assert {name: found for name, found in wrong.items() if found != [{}]} == {}


@pytest.mark.parametrize("wanted", [*MODES[::3], *ECIS[::4], *GS1S[::2]], ids=lambda wanted: wanted.name)
def test_zbar_answers_as_zxing_does(wanted: Wanted) -> None:
    modules = draw("qrcodegen", wanted)
    assert modules is not None
    picture = take(modules, pixels=4, turned=7).image
    (by_zxing,), (by_zbar,) = look_once(picture, "zxing"), look_once(picture, "zbar")
    assert (by_zxing.engine, by_zbar.engine) == ("zxing", "zbar")
    assert fields(by_zbar) == fields(by_zxing)
    assert by_zbar.rotation == pytest.approx(by_zxing.rotation, abs=2)
