"""The results of jobs: the parent's reader builds every class that they are made of."""

import pickle
from dataclasses import replace

import pytest

from app.pipeline.inference.severity import Route
from app.pipeline.payload.appending import AppendedMessage
from app.pipeline.qrcode.contents import read_contents
from app.pipeline.results import Compared, Found, Outcome, PageInfo, Reason, Restored, Stage
from app.workers.jobs import RESULTS
from app.workers.process import Child, ChildGone, _RestrictedUnpickler, by_pickled_name
from tests.support.codes import bits_of, modules_of_bits
from tests.support.fakes import symbol, unread

CONTENTS = read_contents(modules_of_bits(bits_of(("append", 0x0162), ("byte", b"ab"))))
assert CONTENTS is not None
STATED = replace(symbol().stating(CONTENTS), gs1=(("01", "2"),), hri="(01)2")
OUTCOME = Outcome(
    codes=(Found(STATED, "direct", frame=1, page=2, size=(30, 20)),),
    width=30,
    height=20,
    route=Route(212.5, 100.0, "lenet"),
    trace=(Stage("direct", 0.5, 1),),
    truncated=True,
    unread=tuple(unread(reason, module_pixels=1.5, version=3, frame=2) for reason in Reason),
    complete=False,
    pages=(PageInfo(0, 30, 20, 300.0, 6), PageInfo(1, 0, 0, problem="damaged")),
    page_count=3,
    messages=(AppendedMessage("ab", b"ab", (0,), complete=False, missing=(1,)),),
)


@pytest.mark.parametrize(
    "result", [OUTCOME, Restored(b"png", 3, 4, "lenet", OUTCOME)], ids=lambda each: type(each).__name__
)
def test_results_with_everything_in_them_come_back_whole(result: object) -> None:
    assert _RestrictedUnpickler(pickle.dumps(result), by_pickled_name(RESULTS)).load() == result


def test_no_class_is_trusted_that_no_result_is_made_of() -> None:
    message = pickle.dumps(Restored(b"png", 3, 4, "lenet", OUTCOME, comparison=(Compared("lenet"),)))
    for spared in RESULTS:
        known = by_pickled_name(each for each in RESULTS if each is not spared)
        with pytest.raises(pickle.UnpicklingError, match=spared.__name__):
            _RestrictedUnpickler(message, known).load()


class Attribute:
    """Is pickled as Python 3.11.2 pickles members of enumerations."""

    def __init__(self, owner: object, name: object) -> None:
        self.owner, self.name = owner, name

    def __reduce__(self) -> tuple[object, ...]:
        return getattr, (self.owner, self.name)


def test_members_of_known_enumerations_come_over_however_python_pickles_them() -> None:
    message = pickle.dumps([Attribute(Reason, "TOO_SMALL"), Reason.BUDGET])
    assert _RestrictedUnpickler(message, by_pickled_name(RESULTS)).load() == [Reason.TOO_SMALL, Reason.BUDGET]


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Reason, "__init__"), (Reason, "nothing"), (Reason, ["TOO_SMALL"]), (Outcome, "__init__"), ("text", "format")],
)
def test_no_other_attribute_does(owner: object, name: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="attribute is not known"):
        _RestrictedUnpickler(pickle.dumps(Attribute(owner, name)), by_pickled_name(RESULTS)).load()


class ClosedPipe:
    """A pipe that another thread closes while this one sends or receives."""

    def send(self, _: object) -> None:
        raise TypeError

    def recv_bytes(self, _: int) -> bytes:
        raise TypeError


@pytest.mark.parametrize(("ended", "raised"), [(True, ChildGone), (False, TypeError)])
def test_a_child_that_is_ended_in_the_middle_of_a_message_is_gone(
    ended: bool, raised: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    child = object.__new__(Child)
    vars(child).update(_ended=ended, _connection=ClosedPipe())
    for talk in (child._receive, lambda: child._send(None)):
        with pytest.raises(raised):
            talk()
    assert not caplog.records
